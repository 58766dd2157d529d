import CMariaDB
import Columns
import Glibc
import Synchronization

/// One connection to a MySQL or MariaDB server. One thread at a time.
final class MySQLConnection {
  enum TLS: Hashable, Sendable {
    case off
    /// Encrypted; the server need not prove who it is.
    case encrypted
    /// Certificate and host name are checked.
    case verified
  }

  struct Settings: Hashable, Sendable {
    var host: String
    var port: Int
    var user: String
    var password: String?
    var database: String?
    var connectSeconds = 30
    var tls = TLS.off
    var authority: String?
    var certificate: String?
    var key: String?

    var place: String { "\(host):\(port)" }
  }

  let settings: Settings
  private let handle: UnsafeMutablePointer<MYSQL>
  let isMariaDB: Bool
  let version: String
  private(set) var isBroken = false
  private var lastLength = 0
  private let readSeconds: Int
  private let cut: ConnectionCut?
  /// Our socket's name there.
  private var cutSocket: Int32 = -1
  /// Fell silent.
  private(set) var isQuiet = false
  /// How long no packet came while it was waited for, in milliseconds.
  private var quietMillis = 0
  /// What was asked once: names of character sets by the numbers of their collations.
  var collations: [Int: String]?
  /// Logins that do not show the password to the server.
  private static let challenges =
    "mysql_native_password,caching_sha2_password,sha256_password,client_ed25519,auth_gssapi_client"
  // The library is made ready once, before threads use it.
  private static let isReady = mysql_server_init(0, nil, nil) == 0

  /// - Parameters:
  ///   - readSeconds: how long an answer may take.
  ///   - cut: ends what is waited for.
  init(
    _ settings: Settings, readSeconds: Int = 600, cut: ConnectionCut? = nil
  ) throws(TerraceError) {
    if settings.tls == .encrypted, MySQLGreeting.hasTLS(settings) == false {
      throw Self.noTLS(settings)
    }
    guard Self.isReady, let handle = mysql_init(nil) else {
      throw TerraceError(.unavailable, "libmariadb does not start")
    }
    self.settings = settings
    self.handle = handle
    self.readSeconds = readSeconds
    self.cut = cut
    _ = t_mysql_option_uint(handle, MYSQL_OPT_CONNECT_TIMEOUT, UInt32(settings.connectSeconds))
    _ = t_mysql_option_uint(handle, MYSQL_OPT_READ_TIMEOUT, UInt32(readSeconds))
    _ = t_mysql_option_uint(handle, MYSQL_OPT_WRITE_TIMEOUT, 60)
    _ = t_mysql_option_uint(handle, MYSQL_OPT_PROTOCOL, MYSQL_PROTOCOL_TCP.rawValue)
    _ = t_mysql_option_uint(handle, MYSQL_OPT_LOCAL_INFILE, 0)
    _ = t_mysql_option_size(handle, MYSQL_OPT_MAX_ALLOWED_PACKET, 1 << 30)
    _ = t_mysql_option_text(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4")
    // Others send the password as it is to whoever asks for it.
    if settings.tls != .verified {
      _ = t_mysql_option_text(handle, MARIADB_OPT_RESTRICTED_AUTH, Self.challenges)
    }
    if settings.tls != .off { Self.secure(handle, settings) }
    let made = mysql_real_connect(
      handle, settings.host, settings.user, settings.password ?? "", settings.database,
      UInt32(settings.port), nil, UInt(CLIENT_FOUND_ROWS))
    if made == nil {
      let failure = MySQLFailure.of(handle, "connecting").with("server", settings.place)
      mysql_close(handle)
      throw failure
    }
    if settings.tls != .off, mysql_get_ssl_cipher(handle) == nil {
      mysql_close(handle)
      throw Self.noTLS(settings)
    }
    isMariaDB = t_mysql_is_mariadb(handle) != 0
    version = String(cString: mysql_get_server_info(handle))
    if let cut { cutSocket = cut.add(Int32(mysql_get_socket(handle))) }
  }

  private static func noTLS(_ settings: Settings) -> TerraceError {
    TerraceError(
      .invalid, "the server offers no TLS, and TLS is asked for",
      hint: "set up TLS on the server, or 'sslmode' = 'disable'"
    ).with("server", settings.place)
  }

  private static func secure(_ handle: UnsafeMutablePointer<MYSQL>, _ settings: Settings) {
    _ = t_mysql_option_flag(handle, MYSQL_OPT_SSL_ENFORCE, 1)
    if settings.tls == .verified {
      _ = t_mysql_option_flag(handle, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, 1)
      // What the system trusts, unless another authority is named.
      _ = t_mysql_option_text(
        handle, MYSQL_OPT_SSL_CA, settings.authority ?? "/etc/ssl/certs/ca-certificates.crt")
    }
    if let file = settings.certificate {
      _ = t_mysql_option_text(handle, MYSQL_OPT_SSL_CERT, file)
    }
    if let file = settings.key { _ = t_mysql_option_text(handle, MYSQL_OPT_SSL_KEY, file) }
  }

  deinit {
    mysql_close(handle)
    cut?.remove(cutSocket)
  }

  private func failure(_ what: String) -> TerraceError {
    let failure = MySQLFailure.of(handle, what)
    if failure.kind == .unavailable { isBroken = true }
    return failure.with("server", settings.place)
  }

  // MARK: Statements

  /// Runs a statement; its rows as texts.
  @discardableResult
  func query(_ text: String) throws(TerraceError) -> [[String?]] {
    var rows: [[String?]] = []
    try stream(text) { (cells) throws(TerraceError) in
      rows.append(
        (0..<cells.count).map { c in
          cells[c].map { String(decoding: $0, as: UTF8.self) }
        })
      return true
    }
    return rows
  }

  /// The cells of one row of a result.
  struct Cells {
    let row: MYSQL_ROW
    let lengths: UnsafeMutablePointer<UInt>
    let count: Int

    @inline(__always) subscript(_ c: Int) -> UnsafeRawBufferPointer? {
      guard let cell = t_mysql_cell(row, UInt32(truncatingIfNeeded: c)) else { return nil }
      return UnsafeRawBufferPointer(start: cell, count: Int(lengths[c]))
    }
  }

  /// Runs a statement and hands over its rows as they come, until `each` says false.
  func stream(
    _ text: String, _ each: (Cells) throws(TerraceError) -> Bool
  ) throws(TerraceError) {
    try execute(Array(text.utf8))
    guard let result = mysql_use_result(handle) else {
      if mysql_errno(handle) != 0 { throw failure("reading") }
      return
    }
    // Frees the rest of the rows too.
    defer { mysql_free_result(result) }
    let count = Int(mysql_num_fields(result))
    while let row = mysql_fetch_row(result) {
      guard let lengths = mysql_fetch_lengths(result) else { break }
      if try !each(Cells(row: row, lengths: lengths, count: count)) { return }
    }
    if mysql_errno(handle) != 0 { throw failure("reading") }
  }

  func execute(_ statement: [UInt8]) throws(TerraceError) {
    let status = statement.withUnsafeBytes {
      mysql_real_query(
        handle, $0.baseAddress?.assumingMemoryBound(to: CChar.self), UInt($0.count))
    }
    if status != 0 { throw failure("a statement") }
  }

  // MARK: Replication

  func send(command: Int32, _ bytes: [UInt8]) throws(TerraceError) {
    let status = bytes.withUnsafeBytes {
      t_mysql_command(handle, command, $0.baseAddress, $0.count)
    }
    if status != 0 { throw failure("asking for the binary log") }
  }

  /// Says what the server must know before it sends its log.
  func prepareDump() throws(TerraceError) {
    let master = isMariaDB ? "master" : "source"
    try query("SET @\(master)_binlog_checksum = @@global.binlog_checksum")
    try query("SET @\(master)_heartbeat_period = 300000000")
    if isMariaDB {
      try query("SET @mariadb_slave_capability = 4")
    } else {
      // By the names before 8.0.26, too.
      try query(
        "SET @master_binlog_checksum = @@global.binlog_checksum, @master_heartbeat_period = 300000000"
      )
    }
  }

  /// Asks for the log from a place in a file on.
  ///
  /// - Parameter waits: for what is yet to be written.
  func dump(
    _ file: String, _ offset: UInt64, server: UInt32, waits: Bool
  ) throws(TerraceError) {
    var bytes: [UInt8] = []
    func append(_ value: UInt64, _ width: Int) {
      for i in 0..<width { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(i * 8))) }
    }
    append(offset, 4)
    append(waits ? 0 : 1, 2)
    append(UInt64(server), 4)
    try send(command: 0x12, bytes + Array(file.utf8))
  }

  /// Waits up to `millis` for bytes of the next packet; true when there are some, or one must read to know.
  ///
  /// - Throws: `unavailable` when none came for `readSeconds`, not even a heartbeat.
  func awaitPacket(millis: Int) throws(TerraceError) -> Bool {
    if t_mysql_has_buffered(handle) != 0 { return true }
    var wanted = pollfd(fd: Int32(mysql_get_socket(handle)), events: Int16(POLLIN), revents: 0)
    if poll(&wanted, 1, Int32(millis)) != 0 { return true }
    // Behind a long packet TLS may hold more, which only reading shows; a heartbeat ends it.
    if settings.tls != .off, millis > 0, lastLength >= 1024 {
      lastLength = 0
      return true
    }
    // Counted, and not measured: a process that was stopped itself has heard nothing meanwhile.
    quietMillis += millis
    if quietMillis < readSeconds * 1000 { return false }
    (isBroken, isQuiet) = (true, true)
    throw TerraceError(
      .unavailable,
      "the server is connected and sent nothing for \(readSeconds) s, not even a heartbeat",
      hint: "the server may stand still, or the network between drops what it sends"
    ).with("server", settings.place)
  }

  /// The next packet, valid until the next call.
  func nextPacket() throws(TerraceError) -> UnsafeRawBufferPointer {
    let length = mysql_net_read_packet(handle)
    if length == UInt.max || length == 0xffff_ffff { throw failure("reading the binary log") }
    lastLength = Int(length)
    quietMillis = 0
    return UnsafeRawBufferPointer(start: t_mysql_packet(handle), count: lastLength)
  }

  /// `'text'` inside a statement, whatever sql_mode says.
  static func literal(_ text: String) -> String {
    if text.utf8.allSatisfy({ $0 != UInt8(ascii: "\\") && $0 != UInt8(ascii: "'") && $0 >= 0x20 }) {
      return "'" + text + "'"
    }
    return "_utf8mb4 x'" + hex(Array(text.utf8)) + "'"
  }

  static func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var out: [UInt8] = []
    for byte in bytes {
      out.append(digits[Int(byte >> 4)])
      out.append(digits[Int(byte & 15)])
    }
    return String(decoding: out, as: UTF8.self)
  }

  static func name(_ text: String) -> String { "`" + text.replacing("`", with: "``") + "`" }
}

/// What errors of the server mean for us.
enum MySQLFailure {
  static func of(_ handle: UnsafeMutablePointer<MYSQL>, _ what: String) -> TerraceError {
    told(
      Int(mysql_errno(handle)), String(cString: mysql_error(handle)), what)
  }

  /// A packet that says an error instead of an event.
  static func packet(_ bytes: UnsafeRawBufferPointer) -> TerraceError {
    guard bytes.first == 0xff else {
      return TerraceError(.unavailable, "the server ended its binary log")
    }
    let code = bytes.count >= 3 ? Int(bytes[1]) | Int(bytes[2]) << 8 : 0
    let text = String(decoding: bytes.dropFirst(9), as: UTF8.self)
    return told(code, text, "reading the binary log")
  }

  static func told(_ code: Int, _ text: String, _ what: String) -> TerraceError {
    func made(_ kind: TerraceError.Kind, _ message: String, _ hint: String = "") -> TerraceError {
      TerraceError(kind, message, hint: hint).with("code", code)
    }
    switch code {
    case 1045, 1698, 1044: return made(.invalid, text, "check 'username' and 'password'")
    case 1142, 1143, 1227, 1370:
      return made(
        .invalid, text,
        "the user needs SELECT on the tables, and REPLICATION SLAVE and REPLICATION CLIENT "
          + "(MariaDB: also BINLOG MONITOR) on the server")
    case 1236: return replication(text)
    case 5010:
      return made(
        .invalid, "the server asks for a login that would show it the password",
        "with 'sslmode' = 'verify-full', which makes sure who it is, such logins are allowed")
    case 2026 where !isPassing(text):
      return made(
        .invalid, "no safe connection: \(text)",
        "'sslrootcert' names the authority that signed the server's certificate, whose name must be "
          + "'hostname'; 'sslmode' = 'require' encrypts without asking who it is")
    case 1040, 1053, 1077, 1129, 1152, 1153, 1158...1161, 1203, 1205, 1213, 1226, 1317, 1927,
      1969, 2000...2019, 2026...2027, 2055, 3024:
      return made(.unavailable, text.isEmpty ? "the connection broke while \(what)" : text)
    default:
      // A code of none: the connection ended without a word.
      return made(code == 0 ? .unavailable : .invalid, text.isEmpty ? "\(what) failed" : text)
    }
  }

  /// A handshake that was cut off, and not refused.
  private static func isPassing(_ text: String) -> Bool {
    let lower = text.lowercased()
    return ["reset", "closed", "eof", "syscall", "timeout", "timed out", "broken pipe"].contains {
      lower.contains($0)
    }
  }

  /// Another replica has our server id.
  static func isTaken(_ failure: TerraceError) -> Bool { failure.message == taken }
  private static let taken = "another replica has our server id"

  private static func replication(_ text: String) -> TerraceError {
    if text.contains("same server") {
      return TerraceError(
        .unavailable, taken, hint: "set 'server-id' to a free number"
      ).with("server", text)
    }
    let gone = ["Could not find", "purged", "not in the master", "GTID", "too far", "missing"]
    if gone.contains(where: { text.contains($0) }) {
      return TerraceError(
        .invalid, "the server has no longer (or not yet) the binary log from where the job stands",
        hint: "“terrace run --rebuild TABLE” reads the tables again; keep the log longer with "
          + "binlog_expire_logs_seconds"
      ).with("server", text)
    }
    return TerraceError(.invalid, "the server refuses its binary log").with("server", text)
  }
}
