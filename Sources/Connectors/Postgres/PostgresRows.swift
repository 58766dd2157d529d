import Columns
import Formats

/// Rows of one source while they are put together from the server's texts.
///
/// A value that its column cannot hold makes the row a dead letter; its neighbours are not touched.
final class PostgresRows {
  /// What a column of the source is filled from.
  private enum Origin {
    case value, unchanged
    case metadata(LogMetadata)
  }

  let type: RowType
  /// Names of the columns that come from the server, and where they lie in `type`.
  let physical: [(name: String, place: Int)]
  private let table: ConnectorTable
  private let database: String
  private let values: [PostgresValue]
  private let builders: [ColumnBuilder]
  private let origins: [Origin]
  private let notNull: [Bool]
  /// Bit of each physical column in ``ConnectorTable/unchangedColumn``; -1: none.
  private let bits: [Int]
  private let checksText: Bool

  private var kinds: [UInt8] = []
  /// Rows that were appended and are no rows, ascending.
  private var bad: [Int] = []
  private var letters: [DeadLetter] = []
  private var problem: (column: Int, reason: String)?
  /// Of the row in hand: a column that is null and may not be.
  private var nullColumn: Int?
  private var mask: [UInt8]
  private var hasUnchanged = false
  private(set) var textBytes = 0

  /// - Parameters:
  ///   - tellsUnchanged: the last column says which values were left out.
  ///   - checksText: the server does not promise UTF-8.
  init(
    _ table: ConnectorTable, database: String, tellsUnchanged: Bool, checksText: Bool = false
  ) throws(TerraceError) {
    self.table = table
    self.database = database
    self.checksText = checksText
    type = PostgresRows.type(of: table, tellsUnchanged: tellsUnchanged)
    values = type.fields.map { PostgresValue($0.type) }
    builders = type.fields.map { ColumnBuilder($0.type) }
    notNull = type.fields.map { !$0.type.isNullable }
    mask = Array(repeating: 0, count: (table.declared.count + 7) / 8)
    var origins: [Origin] = []
    var physical: [(name: String, place: Int)] = []
    for (c, field) in type.fields.enumerated() {
      if tellsUnchanged, c == type.count - 1 {
        origins.append(.unchanged)
      } else if let metadata = table.metadata.first(where: { $0.column == field.name }) {
        origins.append(
          .metadata(try LogMetadata(metadata.key, field, table, hasSchemas: true)))
      } else {
        origins.append(.value)
        physical.append((field.name, c))
      }
    }
    self.origins = origins
    self.physical = physical
    let declared = table.declared
    bits = physical.map { declared.index(of: $0.name) ?? -1 }
  }

  static func type(of table: ConnectorTable, tellsUnchanged: Bool) -> RowType {
    if !tellsUnchanged { return table.type }
    var fields = table.type.fields
    let id = (fields.map(\.id).max() ?? -1) + 1
    fields.append(Field(id: id, name: ConnectorTable.unchangedColumn, type: .bytes))
    return RowType(fields)
  }

  // MARK: A row

  /// Rows and letters since the last ``take()``.
  var recordCount: Int { kinds.count }

  /// Gives physical column `i` of the row in hand its value; each column gets one.
  @inline(__always)
  func append(_ i: Int, _ text: UnsafeRawBufferPointer) {
    let place = physical[i].place
    textBytes &+= text.count
    if checksText, String(validating: text, as: UTF8.self) == nil { return fail(i, "not UTF-8") }
    do throws(TextProblem) {
      try values[place].append(text, to: builders[place])
    } catch { fail(i, error.reason) }
  }

  func appendNull(_ i: Int) {
    let place = physical[i].place
    builders[place].appendNull()
    if notNull[place], nullColumn == nil { nullColumn = i }
  }

  /// The value is the one that the row had before; it is not known here.
  func appendUnchanged(_ i: Int) {
    builders[physical[i].place].appendNull()
    if bits[i] >= 0 {
      mask[bits[i] / 8] |= 1 << UInt8(bits[i] % 8)
      hasUnchanged = true
    }
  }

  /// The row in hand goes, and the next one has its values under another key.
  func noteOtherKey() { hasUnchanged = true }

  private func fail(_ i: Int, _ reason: String) {
    builders[physical[i].place].appendNull()
    if problem == nil { problem = (i, reason) }
  }

  /// Ends the row in hand.
  ///
  /// - Parameters:
  ///   - isKeyOnly: other columns than the key's may be null.
  ///   - raw: the row as the server told it, for a dead letter.
  /// - Returns: the physical column that makes it a dead letter; nil for rows.
  @discardableResult
  func end(
    _ kind: RowKind, from source: PostgresTableName, millis: Int64, isKeyOnly: Bool = false,
    place: () -> String, raw: () -> [UInt8]
  ) -> Int? {
    let row = kinds.count
    if let i = nullColumn, !isKeyOnly, problem == nil {
      problem = (i, "null in a column that may not be null")
    }
    nullColumn = nil
    for (c, origin) in origins.enumerated() {
      switch origin {
      case .value: break
      case .metadata(let metadata):
        let origin = LogMetadata.Origin(
          table: source.table, schema: source.schema, database: database, millis: millis)
        metadata.append(kind, from: origin, to: builders[c], type.fields[c].type)
      case .unchanged:
        if hasUnchanged {
          mask.withUnsafeBytes { builders[c].append(bytes: $0) }
        } else {
          builders[c].appendNull()
        }
      }
    }
    kinds.append(kind.rawValue)
    if hasUnchanged {
      hasUnchanged = false
      for i in mask.indices { mask[i] = 0 }
    }
    if let problem {
      letters.append(
        DeadLetter(
          row: row - bad.count, place: place(), bytes: raw(),
          reason: "\(problem.reason), column \(physical[problem.column].name)"))
      bad.append(row)
      self.problem = nil
      return problem.column
    }
    return nil
  }

  /// The rows so far; empty afterwards.
  func take(allInserts: Bool) -> SourceBatch {
    let batch = Batch(type, builders.map { $0.finish() }, count: kinds.count)
    let made = SourceBatch(
      batch, kinds: kinds, without: bad, letters, allInserts: allInserts)
    kinds.removeAll(keepingCapacity: true)
    bad = []
    letters = []
    textBytes = 0
    return made
  }
}
