import CSQLite
import Columns

/// A value bound to a statement or read from a row.
enum SQLiteValue: Hashable {
  case null
  case int(Int64)
  case text(String)
}

struct SQLiteRow {
  let values: [SQLiteValue]

  /// Empty for what is no text.
  func text(_ index: Int) -> String {
    if case .text(let text) = values[index] { return text }
    return ""
  }

  func optionalText(_ index: Int) -> String? {
    if case .text(let text) = values[index] { return text }
    return nil
  }

  /// 0 for what is no number.
  func int(_ index: Int) -> Int64 {
    if case .int(let number) = values[index] { return number }
    return 0
  }
}

/// One connection to an SQLite file, with its prepared statements. One thread at a time.
final class SQLiteConnection {
  let file: String
  private var handle: OpaquePointer?
  private var prepared: [String: OpaquePointer] = [:]
  private var depth = 0
  /// How long a statement waits for another process.
  static let busyMillis: Int32 = 10_000

  /// - Throws: `corrupted` when the file is no database, `notFound` when it is missing and must not be made.
  init(_ file: String, create: Bool) throws(TerraceError) {
    self.file = file
    let flags = SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0) | SQLITE_OPEN_NOMUTEX
    let code = sqlite3_open_v2(file, &handle, flags, nil)
    guard code == SQLITE_OK else {
      let failure = failure(code)
      sqlite3_close_v2(handle)
      handle = nil
      throw failure
    }
    sqlite3_extended_result_codes(handle, 1)
    sqlite3_busy_timeout(handle, SQLiteConnection.busyMillis)
    do {
      try useWriteAheadLog()
      try script("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")
    } catch {
      close()
      throw error
    }
  }

  deinit { close() }

  func close() {
    for statement in prepared.values { sqlite3_finalize(statement) }
    prepared = [:]
    sqlite3_close_v2(handle)
    handle = nil
  }

  /// Readers and the writer do not stop each other then. The file remembers it.
  private func useWriteAheadLog() throws(TerraceError) {
    var left = 100
    while true {
      do throws(TerraceError) {
        let now = try rows("PRAGMA journal_mode").first?.text(0)
        // A database in memory has no log and nobody to share it with.
        if now == "wal" || now == "memory" { return }
        let mode = try rows("PRAGMA journal_mode = WAL").first?.text(0) ?? ""
        if mode == "wal" { return }
        throw TerraceError(.unavailable, "the file system cannot hold a metastore (mode \(mode))")
          .with("file", file)
      } catch {
        // The change of mode does not wait for others as statements do.
        left -= 1
        if error.kind != .held || left == 0 { throw error }
        sqlite3_sleep(20)
      }
    }
  }

  // MARK: Statements

  /// Runs several statements that return nothing.
  func script(_ sql: String) throws(TerraceError) {
    let code = sqlite3_exec(handle, sql, nil, nil, nil)
    if code != SQLITE_OK { throw failure(code) }
  }

  /// Runs a statement and returns how many rows it changed.
  @discardableResult func run(
    _ sql: String, _ values: [SQLiteValue] = []
  ) throws(TerraceError) -> Int {
    _ = try rows(sql, values)
    return Int(sqlite3_changes(handle))
  }

  func rows(_ sql: String, _ values: [SQLiteValue] = []) throws(TerraceError) -> [SQLiteRow] {
    let statement = try prepare(sql)
    defer {
      sqlite3_reset(statement)
      sqlite3_clear_bindings(statement)
    }
    for (index, value) in values.enumerated() {
      let code = bind(value, statement, Int32(index + 1))
      if code != SQLITE_OK { throw failure(code) }
    }
    var found: [SQLiteRow] = []
    while true {
      let code = sqlite3_step(statement)
      if code == SQLITE_DONE { return found }
      guard code == SQLITE_ROW else { throw failure(code) }
      found.append(
        SQLiteRow(
          values: (0..<sqlite3_column_count(statement)).map {
            SQLiteConnection.value(statement, $0)
          })
      )
    }
  }

  private func prepare(_ sql: String) throws(TerraceError) -> OpaquePointer? {
    if let statement = prepared[sql] { return statement }
    var statement: OpaquePointer?
    let code = sqlite3_prepare_v3(
      handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
    guard code == SQLITE_OK, let statement else { throw failure(code) }
    prepared[sql] = statement
    return statement
  }

  private func bind(
    _ value: SQLiteValue, _ statement: OpaquePointer?, _ index: Int32
  ) -> Int32 {
    switch value {
    case .null: return sqlite3_bind_null(statement, index)
    case .int(let number): return sqlite3_bind_int64(statement, index, number)
    case .text(let text):
      // SQLite copies the bytes: they are ours for the time of the call only.
      let copy = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
      return text.withCString { bytes in
        sqlite3_bind_text(statement, index, bytes, Int32(text.utf8.count), copy)
      }
    }
  }

  private static func value(_ statement: OpaquePointer?, _ column: Int32) -> SQLiteValue {
    switch sqlite3_column_type(statement, column) {
    case SQLITE_NULL: return .null
    case SQLITE_INTEGER: return .int(sqlite3_column_int64(statement, column))
    default:
      guard let bytes = sqlite3_column_text(statement, column) else { return .text("") }
      let count = Int(sqlite3_column_bytes(statement, column))
      return .text(String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self))
    }
  }

  // MARK: Transactions

  /// Runs `body` in one transaction that may write; a transaction within one is part of it. What throws
  /// is taken back.
  func transaction<Result>(
    _ body: () throws(TerraceError) -> Result
  ) throws(TerraceError) -> Result {
    if depth > 0 { return try body() }
    // The lock is taken at once: one taken later could be refused after half of the work.
    try script("BEGIN IMMEDIATE")
    depth += 1
    defer { depth -= 1 }
    do {
      let result = try body()
      try script("COMMIT")
      return result
    } catch {
      if sqlite3_get_autocommit(handle) == 0 {
        let code = sqlite3_exec(handle, "ROLLBACK", nil, nil, nil)
        if code != SQLITE_OK { throw error.with("rollback", SQLiteConnection.name(code)) }
      }
      throw error
    }
  }

  // MARK: Errors

  private static func name(_ code: Int32) -> String { String(cString: sqlite3_errstr(code)) }

  private func failure(_ code: Int32) -> TerraceError {
    let reason = handle.map { String(cString: sqlite3_errmsg($0)) } ?? SQLiteConnection.name(code)
    return SQLiteConnection.error(code & 0xff, reason).with("file", file)
  }

  private static func error(_ code: Int32, _ reason: String) -> TerraceError {
    switch code {
    case SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_FORMAT:
      TerraceError(
        .corrupted, "the metastore is damaged: \(reason)",
        hint: "“terrace repair” makes it anew from the warehouse and the specs")
    case SQLITE_BUSY, SQLITE_LOCKED:
      TerraceError(.held, "another process holds the metastore: \(reason)")
    case SQLITE_CANTOPEN:
      TerraceError(.unavailable, "the metastore cannot be opened: \(reason)")
    case SQLITE_CONSTRAINT:
      TerraceError(.conflict, "the metastore refuses this: \(reason)")
    default:
      TerraceError(.unavailable, "the metastore cannot be used: \(reason)")
    }
  }
}
