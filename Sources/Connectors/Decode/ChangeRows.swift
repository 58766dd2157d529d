import Columns
import Formats

/// The rows of a block of changes while they are put together: which row of which source each is.
///
/// Sources are batches of columns of the same types: images before, images after, images made up.
final class ChangeRows {
  let type: RowType
  let keys: [Int]
  let style: ChangeStyle
  private let notNull: [Int]
  private var sources: [[Column]]
  /// The same, one source after another, for a look at one value without its owners.
  @exclusivity(unchecked) private var flat: [Unmanaged<Column>]
  @exclusivity(unchecked) private(set) var of: [UInt16] = []
  @exclusivity(unchecked) private(set) var rows: [Int32] = []
  @exclusivity(unchecked) private(set) var kinds: [UInt8] = []
  /// Record of the block that each row comes from, for metadata.
  @exclusivity(unchecked) private(set) var records: [Int32] = []
  private(set) var rejects: [RejectedLine] = []
  private let block: DecodedBlock
  private let text: RecordText

  init(
    _ type: RowType, _ keys: [Int], _ style: ChangeStyle, _ sources: [[Column]],
    _ block: DecodedBlock, _ text: RecordText
  ) {
    self.type = type
    self.keys = keys
    self.style = style
    self.sources = sources
    flat = sources.flatMap { $0.map { Unmanaged.passUnretained($0) } }
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
    flat = sources.flatMap { $0.map { Unmanaged.passUnretained($0) } }
  }

  private func isNull(_ source: Int, _ column: Int, _ row: Int) -> Bool {
    flat[source &* type.count &+ column]._withUnsafeGuaranteedRef { $0.isNull(row) }
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
    for c in keys where !isSame(sources[a][c], i, sources[b][c], j) { return false }
    return true
  }

  private func isSame(_ a: Column, _ i: Int, _ b: Column, _ j: Int) -> Bool {
    if a.physical == .int64 { return a.pointer(Int64.self)[i] == b.pointer(Int64.self)[j] }
    if a.physical == .int32 { return a.pointer(Int32.self)[i] == b.pointer(Int32.self)[j] }
    return a.scalar(i) == b.scalar(j)
  }

  /// The rows and what the text reader refused, in the order of the records.
  func finish(metadata: [Column]) -> DecodedRecords {
    let count = of.count
    var columns: [Column] = []
    for c in type.fields.indices {
      let parts = sources.map { $0[c] }
      columns.append(
        Column.interleave(parts, sources: of, rows: rows, count: count).retyped(
          type.fields[c].type))
    }
    for column in metadata { columns.append(column.gather(records, count: count)) }
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
