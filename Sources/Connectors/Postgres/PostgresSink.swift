import Columns
import Store

/// A table of PostgreSQL as a target: the rows of an epoch, and a mark of the epoch, in one transaction.
///
/// Rows are sent by COPY. With a key they go to a temporary table first, of which the last row of each key
/// is merged in. The transaction is open from the first row on until the job's root is published; the mark
/// tells after a crash whether it was committed.
final class PostgresSink: Sink {
  private let table: ConnectorTable
  private let options: PostgresSinkOptions
  private let names: any NameSource
  private let columns: [String]
  private let key: [String]
  private let writer: CopyWriter
  private var connection: PostgresConnection?
  private var isOpen = false
  private var staged = 0
  /// Mark of the last epoch that is known to be there.
  private var last: String?
  private var pending: String?

  private static let stage = "pg_temp.terrace_rows"
  private static let flushBytes = 8 << 20

  init(_ table: ConnectorTable, _ environment: Environment) throws(TerraceError) {
    self.table = table
    options = try PostgresSinkOptions(table)
    names = environment.names
    if let column = table.metadata.first {
      throw TerraceError(.invalid, "jdbc has no metadata").with("table", table.name)
        .with("column", column.column)
    }
    for field in table.type.fields {
      switch field.type.kind {
      case .map, .multiset, .row:
        throw TerraceError(.unsupported, "a column \(field.type.text) in PostgreSQL")
          .with("table", table.name).with("column", field.name)
      default: break
      }
    }
    columns = table.type.fields.map(\.name)
    key = table.primaryKey
    writer = CopyWriter(table.type.fields.map(\.type))
  }

  // MARK: Writing

  func write(_ rows: Batch, kinds: Buffer?) throws(TerraceError) {
    if rows.count == 0 { return }
    let codes = kinds?.pointer(UInt8.self)
    if key.isEmpty, let codes {
      for i in 0..<rows.count where codes[i] != RowKind.insert.rawValue {
        throw TerraceError(
          .invalid, "rows go or change, and the table has no PRIMARY KEY",
          hint: "declare PRIMARY KEY (…) NOT ENFORCED as the target table has it"
        ).with("table", table.name)
      }
    }
    defer { withExtendedLifetime(kinds) {} }
    for i in 0..<rows.count {
      let kind = codes.map { $0[i] } ?? RowKind.insert.rawValue
      // The row after it says what becomes of the key.
      if kind == RowKind.updateBefore.rawValue { continue }
      writer.append(rows, i)
      if !key.isEmpty {
        writer.out.append("\t" as StaticString)
        writer.out.append(String(staged))
        writer.out.append(
          kind == RowKind.delete.rawValue ? "\tt" as StaticString : "\tf" as StaticString)
      }
      writer.out.append(UInt8(ascii: "\n"))
      staged += 1
      if writer.out.count >= Self.flushBytes { try flush() }
    }
  }

  private func opened() throws(TerraceError) -> PostgresConnection {
    if let connection, isOpen { return connection }
    let connection: PostgresConnection
    if let idle = self.connection { connection = idle } else { connection = try connect() }
    try connection.query("BEGIN")
    isOpen = true
    return connection
  }

  private func connect() throws(TerraceError) -> PostgresConnection {
    let made = try PostgresConnection(options.server)
    connection = made
    // Rows that somebody else holds are waited for, but not for ever; a peer that is gone is noticed.
    try made.query("SET lock_timeout = '30s'")
    try made.query("SET tcp_keepalives_idle = 10")
    try made.query(
      "CREATE TABLE IF NOT EXISTS \(marks) (mark text PRIMARY KEY, at timestamptz DEFAULT now())")
    if !key.isEmpty {
      try made.query(
        "CREATE TEMP TABLE terrace_rows AS SELECT \(list(columns)), 0::int8 AS \"__place\", "
          + "false AS \"__gone\" FROM \(options.target.quoted) WITH NO DATA")
    }
    return made
  }

  private var marks: String {
    PostgresTableName(schema: options.target.schema, table: "terrace_epochs").quoted
  }

  private func list(_ names: [String], prefix: String = "") -> String {
    names.map { prefix + PostgresText.name($0) }.joined(separator: ", ")
  }

  /// Sends what is buffered, and merges it.
  private func flush() throws(TerraceError) {
    if staged == 0 { return }
    let connection = try opened()
    let target = options.target.quoted
    do throws(TerraceError) {
      if key.isEmpty {
        try connection.query("COPY \(target) (\(list(columns))) FROM STDIN")
        try connection.putCopy(writer.out.bytes)
        try connection.finishCopyIn()
      } else {
        try connection.query("COPY \(Self.stage) FROM STDIN")
        try connection.putCopy(writer.out.bytes)
        try connection.finishCopyIn()
        try merge(connection)
      }
    } catch { throw error.with("table", options.target.text) }
    writer.out.removeAll()
    staged = 0
  }

  private func merge(_ connection: PostgresConnection) throws(TerraceError) {
    let target = options.target.quoted
    let newest =
      "(SELECT DISTINCT ON (\(list(key))) * FROM \(Self.stage) "
      + "ORDER BY \(list(key)), \"__place\" DESC) s"
    let same = key.map { "t.\(PostgresText.name($0)) = s.\(PostgresText.name($0))" }
      .joined(separator: " AND ")
    try connection.query("DELETE FROM \(target) t USING \(newest) WHERE s.\"__gone\" AND \(same)")
    let rest = columns.filter { !key.contains($0) }
    let action =
      rest.isEmpty
      ? "NOTHING"
      : "UPDATE SET "
        + rest.map { "\(PostgresText.name($0)) = EXCLUDED.\(PostgresText.name($0))" }
        .joined(separator: ", ")
    do throws(TerraceError) {
      try connection.query(
        "INSERT INTO \(target) (\(list(columns))) SELECT \(list(columns)) FROM \(newest) "
          + "WHERE NOT s.\"__gone\" ON CONFLICT (\(list(key))) DO \(action)")
    } catch {
      if error.facts.contains(where: { $0.value == "42P10" }) {
        throw error.hint(
          "the target needs a primary key or unique index on (\(key.joined(separator: ", ")))")
      }
      throw error
    }
    try connection.query("TRUNCATE \(Self.stage)")
  }

  // MARK: Epochs

  func prepare(epoch: Int64) throws(TerraceError) -> String {
    try flush()
    guard isOpen, let connection else { return last ?? "" }
    let mark = "\(epoch)-\(names.uuid())"
    try connection.query("INSERT INTO \(marks) (mark) VALUES ($1)", [mark])
    if let last { try connection.query("DELETE FROM \(marks) WHERE mark = $1", [last]) }
    pending = mark
    return mark
  }

  func publish(_ prepared: String) throws(TerraceError) {
    guard let pending, pending == prepared, let connection else { return }
    self.pending = nil
    isOpen = false
    // When this fails nobody knows whether it was done: recovery looks for the mark.
    try connection.query("COMMIT")
    last = prepared
  }

  func recover(_ prepared: String?) throws(TerraceError) -> SinkRecovery {
    abandon()
    guard let prepared, !prepared.isEmpty else { return .complete }
    let connection = try connect()
    let found = try connection.query("SELECT 1 FROM \(marks) WHERE mark = $1", [prepared])
    if found.rowCount == 0 { return .redo }
    last = prepared
    return .complete
  }

  private func abandon() {
    // The server takes an open transaction back when its connection goes.
    connection = nil
    isOpen = false
    pending = nil
    staged = 0
    writer.out.removeAll()
  }

  func close() { abandon() }
}
