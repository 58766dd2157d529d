import Columns
import Formats

/// Rows of one source while they are put together from what the server tells.
///
/// A value that its column cannot hold makes the row a dead letter; its neighbours are not touched.
final class MySQLRows {
  let type: RowType
  /// Names of the columns that come from the server, and where they lie in `type`.
  let physical: [(name: String, place: Int)]
  let targets: [MySQLTarget]
  /// Nil for columns of the server.
  private let metadata: [LogMetadata?]
  private let hasMetadata: Bool
  private let notNull: [Bool]
  @exclusivity(unchecked) private var kinds: [UInt8] = []
  private var bad: [MySQLBadRow] = []
  @exclusivity(unchecked) private var problem: (column: Int, reason: String, text: [UInt8]?)?
  /// Where the rows stand in the log, for dead letters; nil in a first read.
  var place: MySQLPosition?
  @exclusivity(unchecked) private var nullColumn = -1
  @exclusivity(unchecked) var byteCount = 0

  init(_ table: ConnectorTable) throws(TerraceError) {
    type = table.type
    targets = type.fields.map { MySQLTarget($0.type) }
    notNull = type.fields.map { !$0.type.isNullable }
    var origins: [LogMetadata?] = []
    var physical: [(name: String, place: Int)] = []
    for (c, field) in type.fields.enumerated() {
      if let metadata = table.metadata.first(where: { $0.column == field.name }) {
        origins.append(try LogMetadata(metadata.key, field, table, hasSchemas: false))
      } else {
        origins.append(nil)
        physical.append((field.name, c))
      }
    }
    metadata = origins
    self.physical = physical
    hasMetadata = physical.count < origins.count
  }

  @inline(__always) func target(_ i: Int) -> MySQLTarget { targets[physical[i].place] }

  @inline(__always) func appendNull(_ i: Int) {
    let place = physical[i].place
    targets[place].null()
    if notNull[place], nullColumn < 0 { nullColumn = i }
  }

  /// - Parameter text: the value, as far as it can be told.
  func fail(_ i: Int, _ reason: String, _ text: [UInt8]?) {
    targets[physical[i].place].null()
    if problem == nil { problem = (i, reason, text) }
  }

  /// Ends the row in hand; true when it is one, and no dead letter.
  @discardableResult
  func end(_ kind: RowKind, _ source: MySQLTableName, millis: Int64) -> Bool {
    if nullColumn >= 0 {
      if problem == nil { problem = (nullColumn, "null in a column that may not be null", nil) }
      nullColumn = -1
    }
    if hasMetadata { appendMetadata(kind, source, millis) }
    let row = kinds.count
    kinds.append(kind.rawValue)
    guard let problem else { return true }
    bad.append(
      MySQLBadRow(
        row: row, kind: kind, column: problem.column, reason: problem.reason, text: problem.text,
        source: source, place: place))
    self.problem = nil
    return false
  }

  private func appendMetadata(_ kind: RowKind, _ source: MySQLTableName, _ millis: Int64) {
    let origin = LogMetadata.Origin(
      table: source.table, database: source.database, millis: millis)
    for (c, metadata) in metadata.enumerated() {
      metadata?.append(kind, from: origin, to: targets[c].builder, targets[c].type)
    }
  }

  /// Of an update of which one image is no row, the other stands alone.
  func mendUpdate(_ before: Int) {
    guard let last = bad.last?.row, last >= before else { return }
    let hasBefore = !bad.suffix(2).contains { $0.row == before }
    let hasAfter = last != before + 1
    if hasBefore, !hasAfter { kinds[before] = RowKind.delete.rawValue }
    if !hasBefore, hasAfter { kinds[before + 1] = RowKind.insert.rawValue }
  }

  var count: Int { kinds.count }

  /// Takes back a row of which a part was appended.
  func abandon() {
    let row = kinds.count
    for target in targets where target.builder.count == row { target.null() }
    kinds.append(RowKind.insert.rawValue)
    bad.append(MySQLBadRow(row: row, kind: .insert))
    problem = nil
    nullColumn = -1
  }

  /// Throws the rows so far away.
  func forget() {
    for target in targets { _ = target.builder.finish() }
    clear()
  }

  private func clear() {
    kinds.removeAll(keepingCapacity: true)
    bad = []
    problem = nil
    nullColumn = -1
    byteCount = 0
  }

  /// The rows so far; empty afterwards.
  func take(allInserts: Bool) throws(TerraceError) -> SourceBatch {
    let batch = Batch(type, targets.map { $0.builder.finish() }, count: kinds.count)
    var letters: [DeadLetter] = []
    if !bad.isEmpty {
      letters = try MySQLBadRow.letters(
        bad, physical.map { (type.fields[$0.place], batch.columns[$0.place]) })
    }
    let made = SourceBatch(
      batch, kinds: kinds, without: bad.map(\.row), letters, allInserts: allInserts)
    clear()
    return made
  }
}
