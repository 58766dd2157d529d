import Columns
import Store

/// Waiting for others at a server: how long somebody wants to, and who they are.
final class PostgresPatience {
  private let settings: PostgresConnection.Settings
  private let begin: LogBegin<PostgresLog>
  private let startMillis: Int64
  private var lookedMillis: Int64
  /// Asks while the first one waits.
  private var asking: PostgresConnection?

  /// Transactions that are named; of more there is the number.
  private static let namedCount = 3
  private static let lookMillis: Int64 = 2_000
  static var stopped: TerraceError { TerraceError(.unavailable, "the run was stopped") }

  init(_ settings: PostgresConnection.Settings, _ begin: LogBegin<PostgresLog>) {
    self.settings = settings
    self.begin = begin
    startMillis = begin.time.nowMillis()
    lookedMillis = startMillis
  }

  /// The next time is soon enough.
  func rest() { begin.time.sleep(millis: 50) }

  /// What was waited for has come.
  func isOver() {
    asking = nil
    begin.waits(for: nil)
  }

  /// To be called again and again; after some seconds it says who is waited for.
  ///
  /// - Parameter connection: the one that waits.
  /// - Throws: `unavailable` when nobody wants to wait any more.
  func look(behind connection: PostgresConnection) throws(TerraceError) {
    if begin.isEnded { throw Self.stopped }
    let now = begin.time.nowMillis()
    if now - lookedMillis < Self.lookMillis, now >= lookedMillis { return }
    lookedMillis = now
    if asking == nil { asking = try PostgresConnection(settings, cut: begin.cut) }
    guard let asking else { return }
    begin.waits(for: try Self.others(asking, than: connection) ?? "an answer of \(settings.place)")
  }

  /// Transactions of the server that have changed something and are not over; nil when there are none.
  private static func others(
    _ asking: PostgresConnection, than waiting: PostgresConnection
  ) throws(TerraceError) -> String? {
    let found = try asking.query(
      """
      SELECT 'process ' || pid || coalesce(', ' || usename, '') || coalesce(', database ' || datname, '')
          || coalesce(', ' || nullif(application_name, ''), ''),
        coalesce(state, ''), to_char(xact_start, 'YYYY-MM-DD HH24:MI:SS'),
        split_part(left(query, 50), '''', 1), xact_start AS begun
      FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid NOT IN ($1, pg_backend_pid())
      UNION ALL
      SELECT 'the prepared transaction ' || gid, 'prepared', to_char(prepared, 'YYYY-MM-DD HH24:MI:SS'),
        '', prepared
      FROM pg_prepared_xacts ORDER BY begun
      """, [String(waiting.processNumber)])
    if found.rowCount == 0 { return nil }
    var named: [String] = []
    for row in 0..<min(found.rowCount, namedCount) {
      let texts = (0..<4).map { found.text(row, $0) ?? "" }
      let statement = texts[3].split(whereSeparator: \.isWhitespace).joined(separator: " ")
      named.append(
        "\(texts[0]) (\(texts[1]), begun \(texts[2])"
          + (statement.isEmpty ? ")" : ": \(statement)…)"))
    }
    let count = found.rowCount
    let rest = count > namedCount ? " and \(count - namedCount) more" : ""
    return "the end of \(count == 1 ? "a transaction" : "\(count) transactions") at "
      + "\(waiting.settings.place): \(named.joined(separator: "; "))\(rest)"
  }
}
