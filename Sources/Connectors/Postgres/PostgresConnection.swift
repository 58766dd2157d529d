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
  private let cut: ConnectionCut?
  /// Without a byte for so long, a server that owes an answer is taken for gone.
  private let quietSeconds: Int
  /// How long nothing came while it was waited for, in milliseconds.
  private(set) var quietMillis = 0
  /// Of what was read from the socket last, TLS holds nothing back.
  private var isDrained = false
  /// An answer is not waited for any more: nothing else can be asked.
  private var isLost = false
  /// Of a first read or a write, which may be slow.
  static let readSeconds = 600

  /// - Parameters:
  ///   - isReplication: speaks the replication protocol.
  ///   - cut: ends what is waited for.
  /// - Throws: `unavailable` when the server is away, `invalid` when it refuses these settings.
  init(
    _ settings: Settings, isReplication: Bool = false, quietSeconds: Int = 60,
    cut: ConnectionCut? = nil
  ) throws(TerraceError) {
    self.settings = settings
    self.quietSeconds = quietSeconds
    self.cut = cut
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
  var isBroken: Bool { isLost || PQstatus(raw) != CONNECTION_OK }

  func parameter(_ name: String) -> String? {
    PQparameterStatus(raw, name).map { String(cString: $0) }
  }

  // MARK: Statements

  /// Runs one statement with `$1`… filled in; values go beside the text, never into it.
  ///
  /// - Throws: `unavailable` too when the server sends nothing for too long.
  @discardableResult
  func query(_ sql: String, _ values: [String?] = []) throws(TerraceError) -> PostgresResult {
    let isSent: Int32
    quietMillis = 0
    if values.isEmpty {
      isSent = PQsendQuery(raw, sql)
    } else {
      isSent = withOptionalCStrings(values) { pointers in
        PQsendQueryParams(raw, sql, Int32(values.count), nil, pointers, nil, nil, 0)
      }
    }
    if isSent != 1 { throw failure(nil) }
    // Of several statements the last one's, or the error's, which ends them.
    var last: PostgresResult?
    while let result = try nextResult() {
      last = PostgresResult(result)
      let status = PQresultStatus(result)
      if [PGRES_COPY_OUT, PGRES_COPY_IN, PGRES_COPY_BOTH].contains(status) || isBroken { break }
    }
    return try checked(last)
  }

  private func nextResult() throws(TerraceError) -> OpaquePointer? {
    while PQisBusy(raw) != 0 { try awaitBytes() }
    return PQgetResult(raw)
  }

  /// Waits a while for bytes of an answer; takes them in.
  private func awaitBytes() throws(TerraceError) {
    // The rest of a long record is in TLS's hands, and the socket does not show it.
    if PQsslInUse(raw) != 0, !isDrained {
      isDrained = true
      if PQconsumeInput(raw) != 1 { throw failure(nil) }
      return
    }
    try wait(millis: 100)
    if quietMillis == 0 { return }
    if cut?.isCut ?? false {
      isLost = true
      throw PostgresPatience.stopped
    }
    if quietMillis >= quietSeconds * 1000 { throw silence(quietSeconds) }
  }

  /// The server is taken for gone: it is connected, and says nothing.
  func silence(_ seconds: Int) -> TerraceError {
    isLost = true
    return TerraceError(
      .unavailable,
      "PostgreSQL is connected and sent nothing for \(seconds) s, though it was asked",
      hint: "the server may stand still, or the network between drops what it sends"
    ).with("server", settings.place)
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
    while PQisBusy(raw) != 0 {
      try wait(millis: 50)
      if PQisBusy(raw) == 0 { break }
      do throws(TerraceError) { try patience.look(behind: self) } catch {
        takeBack()
        throw error
      }
    }
    patience.isOver()
    var first: PostgresResult?
    while let result = try nextResult() {
      let made = PostgresResult(result)
      if first == nil { first = made }
      if isBroken { break }
    }
    return try checked(first)
  }

  /// Asks the server to end the statement in hand; libpq's own way would wait for a server that stands still.
  private func takeBack() {
    isLost = true
    var brief = settings
    brief.connectSeconds = min(5, settings.connectSeconds)
    do throws(TerraceError) {
      try PostgresConnection(brief, quietSeconds: 5).query(
        "SELECT pg_cancel_backend($1::int)", [String(processNumber)])
    } catch {
      // A server that is away ends it by itself; why it is wanted no more is told already.
    }
  }

  private func checked(_ result: PostgresResult?) throws(TerraceError) -> PostgresResult {
    guard let result, result.isGood else { throw failure(result) }
    return result
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
    var count = PQgetCopyData(raw, &bytes, 1)
    while count == 0 {
      try awaitBytes()
      count = PQgetCopyData(raw, &bytes, 1)
    }
    guard count > 0, let bytes else {
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
    while let result = try nextResult() {
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
    quietMillis = 0
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
    if poll(&entry, 1, Int32(millis)) > 0 {
      quietMillis = 0
      isDrained = false
      if PQconsumeInput(raw) != 1 { throw failure(nil) }
    } else {
      // Counted, and not measured: a process that was stopped itself has heard nothing meanwhile.
      quietMillis += millis
    }
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

  /// Not an error.
  var isGood: Bool {
    switch PQresultStatus(raw) {
    case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_COPY_OUT, PGRES_COPY_IN, PGRES_COPY_BOTH,
      PGRES_SINGLE_TUPLE:
      true
    default: false
    }
  }

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
