import Columns
import Formats

/// The rows of a block of changes while they are put together: which row of which source each is.
///
/// Sources are batches of columns of the same types: images before, images after, images made up. A column
/// that a source lacks is null in all its rows.
final class ChangeRows {
  let type: RowType
  let keys: [Int]
  let style: ChangeStyle
  private let notNull: [Int]
  private var sources: [[Column?]]
  /// The same, one source after another, for a look at one value without its owners.
  @exclusivity(unchecked) private var flat: [Unmanaged<Column>?]
  @exclusivity(unchecked) private(set) var of: [UInt16] = []
  @exclusivity(unchecked) private(set) var rows: [Int32] = []
  @exclusivity(unchecked) private(set) var kinds: [UInt8] = []
  /// Record of the block that each row comes from, for metadata.
  @exclusivity(unchecked) private(set) var records: [Int32] = []
  private(set) var rejects: [RejectedLine] = []
  private let block: DecodedBlock
  private let text: RecordText

  init(
    _ type: RowType, _ keys: [Int], _ style: ChangeStyle, _ sources: [[Column?]],
    _ block: DecodedBlock, _ text: RecordText
  ) {
    self.type = type
    self.keys = keys
    self.style = style
    self.sources = sources
    flat = sources.flatMap { $0.map { $0.map { Unmanaged.passUnretained($0) } } }
    self.block = block
    self.text = text
    notNull = type.fields.indices.filter { !type.fields[$0].type.isNullable }
    let room = 2 * block.batch.count
    of.reserveCapacity(room)
    rows.reserveCapacity(room)
    kinds.reserveCapacity(room)
    records.reserveCapacity(room)
  }

  var isUpserts: Bool {
    if case .upserts = style { return true }
    return false
  }

  /// Replaces a source that was only known to come.
  func set(_ source: Int, _ columns: [Column]) {
    sources[source] = columns
    flat = sources.flatMap { $0.map { $0.map { Unmanaged.passUnretained($0) } } }
  }

  private func isNull(_ source: Int, _ column: Int, _ row: Int) -> Bool {
    guard let column = flat[source &* type.count &+ column] else { return true }
    return column._withUnsafeGuaranteedRef { $0.isNull(row) }
  }

  /// Adds a row; nil, or why it cannot be one.
  func problem(_ source: Int, _ row: Int, keyOnly: Bool) -> String? {
    for c in keyOnly ? keys : notNull where isNull(source, c, row) {
      return "null in a column that may not be null, field \(type.fields[c].name)"
    }
    return nil
  }

  func append(_ source: Int, _ row: Int, _ kind: RowKind, record: Int) {
    of.append(UInt16(source))
    rows.append(Int32(row))
    kinds.append(kind.rawValue)
    records.append(Int32(record))
  }

  /// Puts a record aside; its rows must not have been added.
  func reject(record: Int, _ reason: String) {
    let start = Int(block.starts[record])
    var end = start
    while text.bytes[end] != 0x0a { end += 1 }
    rejects.append(
      RejectedLine(
        row: of.count, line: Int(block.lineNumbers[record]), range: start..<end, reason: reason))
  }

  /// Whether two rows have the same key.
  func hasSameKey(_ a: Int, _ i: Int, _ b: Int, _ j: Int) -> Bool {
    for c in keys {
      guard let one = flat[a &* type.count &+ c], let other = flat[b &* type.count &+ c] else {
        return false
      }
      let same = one._withUnsafeGuaranteedRef { one in
        other._withUnsafeGuaranteedRef { other in isSame(one, i, other, j) }
      }
      if !same { return false }
    }
    return true
  }

  private func isSame(_ a: Column, _ i: Int, _ b: Column, _ j: Int) -> Bool {
    if a.physical == .int64 { return a.pointer(Int64.self)[i] == b.pointer(Int64.self)[j] }
    if a.physical == .int32 { return a.pointer(Int32.self)[i] == b.pointer(Int32.self)[j] }
    return a.scalar(i) == b.scalar(j)
  }

  /// A column of all sources.
  private func parts(_ c: Int) -> [Column] {
    sources.map { columns in
      // As many rows as there may be numbers of rows: those of the source's other columns.
      columns[c]
        ?? Column.repeating(
          .null, type: type.fields[c].type.nullable,
          count: columns.lazy.compactMap { $0?.count }.first ?? 0)
    }
  }

  /// The source whose rows are those of the block, one of each record: mostly the rows after.
  private var wholeSource: Int? {
    let count = of.count
    guard let first = of.first, count == block.batch.count,
      sources[Int(first)].allSatisfy({ $0?.count == count })
    else { return nil }
    for i in 0..<count where of[i] != first || rows[i] != i || records[i] != i { return nil }
    return Int(first)
  }

  /// The rows and what the text reader refused, in the order of the records.
  func finish(metadata: [Column]) -> DecodedRecords {
    let count = of.count
    let whole = wholeSource
    var columns: [Column] = []
    for c in type.fields.indices {
      let column =
        if let whole, let column = sources[whole][c] {
          column
        } else {
          Column.interleave(parts(c), sources: of, rows: rows, count: count)
        }
      columns.append(column.retyped(type.fields[c].type))
    }
    for column in metadata {
      columns.append(whole == nil ? column.gather(records, count: count) : column)
    }
    var numbers: [Int32] = []
    if case .messages = text.shape { numbers = records.map { block.lineNumbers[Int($0)] } }
    let kindBuffer = kinds.withUnsafeBytes { Buffer(copying: $0) }
    return DecodedRecords(
      columns: columns, count: count, kinds: kindBuffer, rejects: merged(),
      consumed: block.consumed, lines: block.lines, messages: numbers)
  }

  /// The reader's rejects count records before them; here rows count.
  private func merged() -> [RejectedLine] {
    if block.rejects.isEmpty { return rejects }
    var all = rejects
    var row = 0
    for var reject in block.rejects {
      while row < records.count, Int(block.lineNumbers[Int(records[row])]) < reject.line {
        row += 1
      }
      reject.row = row
      all.append(reject)
    }
    return all.sorted { $0.line < $1.line }
  }
}
