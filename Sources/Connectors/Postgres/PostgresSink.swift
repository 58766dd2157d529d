import Columns
import Store

/// A table of PostgreSQL as a target.
///
/// Rows are sent by COPY. With a key they go to a temporary table first, of which the last row of each key
/// is merged in.
final class PostgresSink: EpochSink<PostgresConnection> {
  private let options: PostgresSinkOptions
  private let columns: [String]
  private let key: [String]
  private let writer: CopyWriter
  private var staged = 0

  private static let stage = "pg_temp.terrace_rows"
  private static let flushBytes = 8 << 20

  init(_ table: ConnectorTable, _ environment: Environment) throws(TerraceError) {
    options = try PostgresSinkOptions(table)
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
    let marks = PostgresTableName(schema: options.target.schema, table: "terrace_epochs").quoted
    try super.init(table, marks: marks, environment)
  }

  // MARK: Writing

  override func add(_ rows: Batch, _ row: Int, isDelete: Bool) throws(TerraceError) {
    writer.append(rows, row)
    if !key.isEmpty {
      writer.out.append("\t" as StaticString)
      writer.out.append(String(staged))
      writer.out.append(isDelete ? "\tt" as StaticString : "\tf" as StaticString)
    }
    writer.out.append(UInt8(ascii: "\n"))
    staged += 1
    if writer.out.count >= Self.flushBytes { try flush() }
  }

  override var target: String { options.target.quoted }

  override func connect() throws(TerraceError) -> PostgresConnection {
    let made = try PostgresConnection(
      options.server, quietSeconds: PostgresConnection.readSeconds)
    // Rows that somebody else holds are waited for, but not for ever; a peer that is gone is noticed.
    try made.query("SET lock_timeout = '30s'")
    try made.query("SET tcp_keepalives_idle = 10")
    // One transaction; the lock, because two that make a table at once fail, IF NOT EXISTS or not.
    try made.query(
      "SELECT pg_advisory_xact_lock(hashtext('terrace_epochs')); "
        + "CREATE TABLE IF NOT EXISTS \(marks) (mark text PRIMARY KEY, at timestamptz DEFAULT now())"
    )
    if !key.isEmpty {
      try made.query(
        "CREATE TEMP TABLE terrace_rows AS SELECT \(list(columns)), 0::int8 AS \"__place\", "
          + "false AS \"__gone\" FROM \(options.target.quoted) WITH NO DATA")
    }
    return made
  }

  private func list(_ names: [String], prefix: String = "") -> String {
    names.map { prefix + PostgresText.name($0) }.joined(separator: ", ")
  }

  /// Sends what is buffered, and merges it.
  override func flush() throws(TerraceError) {
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
    forget()
  }

  override func forget() {
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
}

extension PostgresConnection: EpochConnection {
  func run(_ statement: String) throws(TerraceError) -> Bool { try query(statement).rowCount > 0 }
  static func literal(_ text: String) -> String { PostgresText.literal(text) }

  /// A reader passes an open transaction by; who would add the same mark waits for it.
  static func lookup(_ mark: String, in marks: String) -> String {
    "WITH added AS (INSERT INTO \(marks) (mark) VALUES (\(literal(mark))) "
      + "ON CONFLICT DO NOTHING RETURNING 1) SELECT 1 WHERE NOT EXISTS (SELECT FROM added)"
  }
}
