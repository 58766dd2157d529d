import Columns
import Store

/// A connection to a server with transactions, as an ``EpochSink`` needs it.
protocol EpochConnection: AnyObject {
  /// Runs a statement.
  ///
  /// - Returns: whether rows came.
  func run(_ statement: String) throws(TerraceError) -> Bool
  static func literal(_ text: String) -> String
  /// A statement with a row when the table of marks holds this one; it waits for a transaction that is
  /// adding it.
  static func lookup(_ mark: String, in marks: String) -> String
}

/// A table of a database server as a target: the rows of an epoch, and a mark of the epoch, in one
/// transaction.
///
/// The transaction is open from the first row on until the job's root is published; the mark tells after a
/// crash whether it was committed. A kind of server subclasses it with its way to send rows.
class EpochSink<Connection: EpochConnection>: Sink {
  final let table: ConnectorTable
  private let names: any NameSource
  /// Where the marks of the target's database lie, quoted.
  final let marks: String
  private var connection: Connection?
  private var isOpen = false
  /// Mark of the last epoch that is known to be there.
  private var last: String?
  private var pending: String?

  init(
    _ table: ConnectorTable, marks: String, _ environment: Environment
  ) throws(TerraceError) {
    self.table = table
    self.marks = marks
    names = environment.names
  }

  // MARK: What a kind of server says

  /// The table that is written, quoted.
  var target: String { preconditionFailure("a kind of server says which") }

  /// Connects, checks the target, and makes the table of marks.
  func connect() throws(TerraceError) -> Connection {
    preconditionFailure("a kind of server says how")
  }

  /// Buffers a row; sends what is buffered when it is much.
  func add(_ rows: Batch, _ row: Int, isDelete: Bool) throws(TerraceError) {
    preconditionFailure("a kind of server says how")
  }

  /// Sends what is buffered.
  func flush() throws(TerraceError) {}
  /// Throws away what is buffered.
  func forget() {}

  // MARK: Writing

  final func write(_ rows: Batch, kinds: Buffer?) throws(TerraceError) {
    let codes = kinds?.pointer(UInt8.self)
    defer { withExtendedLifetime(kinds) {} }
    for i in 0..<rows.count {
      let kind = codes.map { $0[i] } ?? RowKind.insert.rawValue
      if table.primaryKey.isEmpty, kind != RowKind.insert.rawValue {
        throw TerraceError(
          .invalid, "rows go or change, and the table has no PRIMARY KEY",
          hint: "declare PRIMARY KEY (…) NOT ENFORCED as the target table has it"
        ).with("table", table.name)
      }
      // The row after it says what becomes of the key.
      if kind == RowKind.updateBefore.rawValue { continue }
      try add(rows, i, isDelete: kind == RowKind.delete.rawValue)
    }
  }

  var canClear: Bool { true }

  final func clear() throws(TerraceError) {
    forget()
    // TRUNCATE would end the transaction in MySQL, and wants rights of its own.
    _ = try opened().run("DELETE FROM \(target)")
  }

  /// The connection, in the transaction of the epoch.
  final func opened() throws(TerraceError) -> Connection {
    let connection: Connection
    if let idle = self.connection { connection = idle } else { connection = try connect() }
    self.connection = connection
    if !isOpen { _ = try connection.run("START TRANSACTION") }
    isOpen = true
    return connection
  }

  // MARK: Epochs

  final func prepare(epoch: Int64) throws(TerraceError) -> String {
    try flush()
    guard isOpen, let connection else { return last ?? "" }
    let mark = "\(epoch)-\(names.uuid())"
    _ = try connection.run("INSERT INTO \(marks) (mark) VALUES (\(Connection.literal(mark)))")
    if let last {
      _ = try connection.run("DELETE FROM \(marks) WHERE mark = \(Connection.literal(last))")
    }
    pending = mark
    return mark
  }

  final func publish(_ prepared: String) throws(TerraceError) {
    guard let pending, pending == prepared, let connection else { return }
    self.pending = nil
    isOpen = false
    // When this fails nobody knows whether it was done: recovery looks for the mark.
    _ = try connection.run("COMMIT")
    last = prepared
  }

  final func recover(_ prepared: String?) throws(TerraceError) -> SinkRecovery {
    close()
    guard let prepared, !prepared.isEmpty else { return .complete }
    // The transaction of a process that died a moment ago may still hold its mark: waited for, not passed by.
    let connection = try opened()
    let isThere = try connection.run(Connection.lookup(prepared, in: marks))
    _ = try connection.run("ROLLBACK")
    isOpen = false
    if !isThere { return .redo }
    last = prepared
    return .complete
  }

  final func close() {
    // The server takes an open transaction back when its connection goes.
    connection = nil
    isOpen = false
    pending = nil
    forget()
  }
}
