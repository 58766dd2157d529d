import CPostgres
import Columns
import Glibc

/// One connection to a PostgreSQL server, by libpq. One thread at a time uses it.
final class PostgresConnection: @unchecked Sendable {
  /// Where a server is and who asks.
  struct Settings: Hashable, Sendable {
    var host: String
    var port: Int
    var database: String
    var user: String
    var password: String?
    /// libpq's own words: sslmode, sslrootcert, sslcert, sslkey.
    var tls: [String: String] = [:]
    var connectSeconds = 30

    /// Names the server in messages.
    var place: String { "\(host):\(port)/\(database)" }
  }

  let settings: Settings
  private let raw: OpaquePointer

  /// - Parameter isReplication: speaks the replication protocol.
  /// - Throws: `unavailable` when the server is away, `invalid` when it refuses these settings.
  init(_ settings: Settings, isReplication: Bool = false) throws(TerraceError) {
    self.settings = settings
    var parameters = [
      "host": settings.host, "port": String(settings.port), "dbname": settings.database,
      "user": settings.user, "application_name": "terrace", "client_encoding": "UTF8",
      "connect_timeout": String(max(2, settings.connectSeconds)), "keepalives_idle": "10",
      "keepalives_interval": "5", "keepalives_count": "3", "tcp_user_timeout": "30000",
      // The text of values must not depend on how the server is set up.
      "options": "-c datestyle=ISO -c intervalstyle=postgres -c timezone=UTC "
        + "-c extra_float_digits=3 -c bytea_output=hex -c statement_timeout=0 "
        + "-c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c search_path=pg_catalog",
    ]
    parameters["password"] = settings.password
    parameters.merge(settings.tls) { $1 }
    if isReplication { parameters["replication"] = "database" }
    let names = parameters.keys.sorted()
    let made = withCStrings(names) { keywords in
      withCStrings(names.map { parameters[$0] ?? "" }) { values in
        PQconnectdbParams(keywords, values, 0)
      }
    }
    guard let made else { throw TerraceError(.unavailable, "no memory for a connection") }
    raw = made
    if PQstatus(raw) != CONNECTION_OK {
      // The object is whole: its deinit closes the connection.
      throw PostgresFailure.connecting(String(cString: PQerrorMessage(raw)), settings)
    }
    // What the server wants to tell (NOTICE) is nobody's business here.
    PQsetNoticeProcessor(raw, { _, _ in }, nil)
  }

  deinit { PQfinish(raw) }

  /// As 150018 for 15.18.
  var serverVersion: Int { Int(PQserverVersion(raw)) }
  /// Of the server's process that serves it.
  var processNumber: Int { Int(PQbackendPID(raw)) }
  var isBroken: Bool { PQstatus(raw) != CONNECTION_OK }

  func parameter(_ name: String) -> String? {
    PQparameterStatus(raw, name).map { String(cString: $0) }
  }

  // MARK: Statements

  /// Runs one statement with `$1`… filled in; values go beside the text, never into it.
  @discardableResult
  func query(_ sql: String, _ values: [String?] = []) throws(TerraceError) -> PostgresResult {
    let result: OpaquePointer?
    if values.isEmpty {
      result = PQexec(raw, sql)
    } else {
      result = withOptionalCStrings(values) { pointers in
        PQexecParams(raw, sql, Int32(values.count), nil, pointers, nil, nil, 0)
      }
    }
    return try checked(result, sql)
  }

  /// Runs a statement that may have to wait for others at the server, and takes it back when nobody wants its
  /// answer any more.
  @discardableResult
  func query(
    _ sql: String, _ values: [String?], _ patience: PostgresPatience
  ) throws(TerraceError) -> PostgresResult {
    let isSent = withOptionalCStrings(values) {
      PQsendQueryParams(raw, sql, Int32(values.count), nil, $0, nil, nil, 0)
    }
    if isSent != 1 { throw failure(nil) }
    var isDone = false
    defer { if !isDone { takeBack() } }
    while PQisBusy(raw) != 0 {
      try wait(millis: 50)
      if PQisBusy(raw) != 0 { try patience.look(behind: self) }
    }
    isDone = true
    patience.isOver()
    var first: OpaquePointer?
    while let result = PQgetResult(raw) {
      if first == nil { first = result } else { PQclear(result) }
      if isBroken { break }
    }
    return try checked(first, sql)
  }

  /// Asks the server to end the statement in hand.
  private func takeBack() {
    guard let cancel = PQgetCancel(raw) else { return }
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) {
      // One that has ended needs none, and a server that is away ends it by itself.
      _ = PQcancel(cancel, $0.baseAddress, 256)
    }
    PQfreeCancel(cancel)
  }

  private func checked(
    _ result: OpaquePointer?, _ sql: String
  ) throws(TerraceError) -> PostgresResult {
    let owned = result.map { PostgresResult($0) }
    switch result.map({ PQresultStatus($0) }) {
    case PGRES_TUPLES_OK?, PGRES_COMMAND_OK?, PGRES_COPY_OUT?, PGRES_COPY_IN?, PGRES_COPY_BOTH?,
      PGRES_SINGLE_TUPLE?:
      break
    default: throw failure(owned)
    }
    guard let owned else { throw failure(nil) }
    return owned
  }

  /// What the server said went wrong.
  func failure(_ result: PostgresResult?) -> TerraceError {
    PostgresFailure.of(
      state: result?.errorField("C"), message: result?.errorField("M"),
      detail: result?.errorField("D"), hint: result?.errorField("H"),
      connection: String(cString: PQerrorMessage(raw)), settings)
  }

  // MARK: COPY

  /// The next row of a COPY TO STDOUT, valid in `body` only; false at its end.
  func nextCopyRow(
    _ body: (UnsafeRawBufferPointer) throws(TerraceError) -> Void
  ) throws(TerraceError) -> Bool {
    var bytes: UnsafeMutablePointer<CChar>?
    let count = PQgetCopyData(raw, &bytes, 0)
    guard count >= 0, let bytes else {
      try endCopy(count)
      return false
    }
    defer { PQfreemem(bytes) }
    try body(UnsafeRawBufferPointer(start: bytes, count: Int(count)))
    return true
  }

  private func endCopy(_ code: Int32) throws(TerraceError) {
    if code == -2 { throw failure(nil) }
    var problem: TerraceError?
    while let result = PQgetResult(raw) {
      let owned = PostgresResult(result)
      if PQresultStatus(result) != PGRES_COMMAND_OK, problem == nil { problem = failure(owned) }
      if isBroken { break }
    }
    if let problem { throw problem }
  }

  /// Sends a piece of a COPY FROM STDIN.
  func putCopy(_ bytes: UnsafeRawBufferPointer) throws(TerraceError) {
    var rest = bytes
    while !rest.isEmpty {
      let part = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 20))
      let start = part.baseAddress?.assumingMemoryBound(to: CChar.self)
      if PQputCopyData(raw, start, Int32(part.count)) != 1 { throw failure(nil) }
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(part.count))
    }
  }

  func finishCopyIn() throws(TerraceError) {
    if PQputCopyEnd(raw, nil) != 1 { throw failure(nil) }
    try endCopy(-1)
  }

  // MARK: Replication

  enum Piece {
    case nothing, ended
  }

  /// The next message of a running replication, valid in `body` only; false when none has come yet.
  ///
  /// - Throws: when the stream has ended, too: a replication has no end of its own.
  func nextMessage(
    _ body: (UnsafeRawBufferPointer) throws(TerraceError) -> Void
  ) throws(TerraceError) -> Bool {
    var bytes: UnsafeMutablePointer<CChar>?
    let count = PQgetCopyData(raw, &bytes, 1)
    if count == 0 { return false }
    guard count > 0, let bytes else {
      try endCopy(count)
      throw TerraceError(.unavailable, "the server ended the replication")
        .with("server", settings.place)
    }
    defer { PQfreemem(bytes) }
    try body(UnsafeRawBufferPointer(start: bytes, count: Int(count)))
    return true
  }

  /// Waits until something comes, at most `millis`; takes it in.
  func wait(millis: Int) throws(TerraceError) {
    var entry = pollfd(fd: PQsocket(raw), events: Int16(POLLIN), revents: 0)
    if entry.fd < 0 { throw failure(nil) }
    if poll(&entry, 1, Int32(millis)) > 0, PQconsumeInput(raw) != 1 { throw failure(nil) }
  }

  func send(_ message: [UInt8]) throws(TerraceError) {
    let code = message.withUnsafeBytes {
      PQputCopyData(raw, $0.baseAddress?.assumingMemoryBound(to: CChar.self), Int32($0.count))
    }
    if code != 1 || PQflush(raw) < 0 { throw failure(nil) }
  }
}

/// Rows of a statement's answer, as text.
final class PostgresResult {
  private let raw: OpaquePointer

  init(_ raw: OpaquePointer) { self.raw = raw }
  deinit { PQclear(raw) }

  var rowCount: Int { Int(PQntuples(raw)) }

  /// Nil for NULL, and outside the result.
  func text(_ row: Int, _ column: Int) -> String? {
    guard row < rowCount, column < Int(PQnfields(raw)) else { return nil }
    if PQgetisnull(raw, Int32(row), Int32(column)) != 0 { return nil }
    return String(cString: PQgetvalue(raw, Int32(row), Int32(column)))
  }

  func flag(_ row: Int, _ column: Int) -> Bool { text(row, column) == "t" }
  func integer(_ row: Int, _ column: Int) -> Int64? { text(row, column).flatMap { Int64($0) } }

  /// Rows that a command touched.
  var touched: Int { Int(String(cString: PQcmdTuples(raw))) ?? 0 }

  /// By the protocol's letter of an error field.
  func errorField(_ letter: Unicode.Scalar) -> String? {
    PQresultErrorField(raw, Int32(letter.value)).map { String(cString: $0) }
  }
}

/// Pointers to texts that end with a zero, and one nil behind them.
func withCStrings<Value>(
  _ texts: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Value
) -> Value {
  withOptionalCStrings(texts, body)
}

func withOptionalCStrings<Value>(
  _ texts: [String?], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Value
) -> Value {
  var pointers: [UnsafePointer<CChar>?] = texts.map { $0.flatMap { UnsafePointer(strdup($0)) } }
  pointers.append(nil)
  defer { for pointer in pointers { free(UnsafeMutablePointer(mutating: pointer)) } }
  return pointers.withUnsafeBufferPointer { body($0.baseAddress.unsafelyUnwrapped) }
}
