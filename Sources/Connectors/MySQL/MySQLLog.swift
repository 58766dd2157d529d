import Columns
import Formats
import Store

/// The binary log of one server, for all sources of the process that read from it.
final class MySQLLog: DatabaseLog, LogQuestions {
  typealias Position = MySQLPosition
  typealias Subscription = MySQLSubscription

  private let settings: MySQLConnection.Settings
  private let servers: ClosedRange<UInt32>
  private var server: UInt32
  private let time: any Timekeeper

  let cut = ConnectionCut()
  /// Without a packet for so long the server is taken for gone. A heartbeat comes three times a second, but
  /// none while a server looks in long files for where to begin: doubled each time, until one has come.
  private var quietSeconds = MySQLLog.leastQuietSeconds
  private static let leastQuietSeconds = 30
  private var connection: MySQLConnection?
  /// A second connection, for questions about tables.
  private var asking: MySQLConnection?
  private var ahead = LogAhead()
  private var parser = BinlogParser()
  private var tables: [MySQLSubscription] = []
  private var routes: [UInt64: [(MySQLSubscription, MySQLSubscription.Route)]] = [:]

  private var state = MySQLPosition.State.file
  private var file = ""
  private var offset: UInt64 = 0
  /// Where the transaction in hand began, and what it adds to the state.
  private var transaction: LogTransaction<MySQLPosition>?
  private var adding: (gtid: MariaGTID?, server: [UInt8], number: UInt64)?
  /// What stands in hand has no COMMIT behind it.
  private var isAlone = false
  /// It is the beginning of an ALTER in two steps, or one that failed.
  private var isVoid = false
  /// Tables that have rows of the transaction.
  private var touched: [MySQLSubscription] = []
  /// Its rows count when it is committed.
  private var isPreparing = false
  private var xa = XATransactions()
  /// Where the log must be opened to read on from here, when that is not here.
  private var since: String?
  /// Reads the rows of an XA transaction that is being committed.
  private var branch: LogPass?
  /// The packed transaction that is being read.
  private var packed: PackedTransaction?
  private var number: Int64 = 0
  private var clock: Int64 = 0
  private(set) var readPosition: MySQLPosition?

  init(
    _ settings: MySQLConnection.Settings, servers: ClosedRange<UInt32>, time: any Timekeeper
  ) {
    self.settings = settings
    self.servers = servers
    server = servers.lowerBound
    self.time = time
  }

  var readMillis: Int64 { clock }

  func open(
    behind position: MySQLPosition, _ tables: [MySQLSubscription]
  ) throws(TerraceError) {
    close()
    let connection = try MySQLConnection(settings, readSeconds: quietSeconds, cut: cut)
    try connection.prepareDump()
    var position = position
    if let since = position.since { position = try MySQLPosition(text: since) }
    var dump: [UInt8] = []
    func append(_ value: UInt64, _ width: Int) {
      for i in 0..<width { dump.append(UInt8(truncatingIfNeeded: value >> UInt64(i * 8))) }
    }
    switch position.state {
    case .maria(let list):
      let text = list.map(\.text).joined(separator: ",")
      try connection.query("SET @slave_connect_state = \(MySQLConnection.literal(text))")
      try connection.query("SET @slave_gtid_strict_mode = 0, @slave_gtid_ignore_duplicates = 0")
      try connection.dump("", 4, server: server, waits: true)
    case .mysql(let set):
      append(4, 2)
      append(UInt64(server), 4)
      append(0, 4)
      append(4, 8)
      let encoded = set.encoded
      append(UInt64(encoded.count), 4)
      try connection.send(command: 0x1e, dump + encoded)
    case .file:
      try connection.dump(position.file, position.offset, server: server, waits: true)
    }
    self.connection = connection
    self.tables = tables
    routes = [:]
    parser = BinlogParser()
    (state, file, offset) = (position.state, position.file, position.offset)
    transaction = nil
    adding = nil
    (xa, since, branch, packed) = (XATransactions(), nil, nil, nil)
    readPosition = nil
    // What is read again was committed when it was.
    clock = 0
    ahead = LogAhead()
  }

  func close() {
    if connection?.isQuiet ?? false { quietSeconds = min(quietSeconds * 2, 480) }
    connection = nil
    asking = nil
    tables = []
    routes = [:]
    transaction = nil
    branch = nil
    packed = nil
  }

  /// The server keeps its log by time: it is told nothing.
  func confirm(_ position: MySQLPosition) throws(TerraceError) {}

  func schema() throws(TerraceError) -> MySQLSchema {
    if let asking, !asking.isBroken { return MySQLSchema(connection: asking) }
    let made = try MySQLConnection(settings, readSeconds: 60, cut: cut)
    try made.query("SET SESSION sql_mode = ''")
    asking = made
    return MySQLSchema(connection: made)
  }

  func movesAhead(_ name: MySQLTableName) throws(TerraceError) -> Bool {
    try ahead.movesColumns(
      of: name, behind: (file, offset), server: server, settings)
  }

  // MARK: Reading

  func read(waiting millis: Int) throws(TerraceError) -> Bool {
    guard let connection else { return false }
    let end = time.nowMillis() + 20
    var count = 0
    var isIdle = false
    while count < 8192 {
      guard try step(connection, waiting: count == 0 ? millis : 0) else {
        isIdle = true
        break
      }
      count += 1
      if count & 63 == 0, time.nowMillis() >= end { break }
    }
    let now = time.nowMillis()
    for table in tables { table.flushIfDue(now, isIdle: isIdle) }
    return count > 0
  }

  /// Takes the next event: of the XA transaction that is being committed, of a packed transaction, or of the log.
  ///
  /// - Returns: false when none came.
  private func step(
    _ connection: MySQLConnection, waiting millis: Int
  ) throws(TerraceError) -> Bool {
    if let branch {
      try read(branch)
    } else if let packed {
      if let bytes = try packed.next() {
        try take(bytes, isBare: true)
      } else {
        self.packed = nil
      }
    } else {
      guard try connection.awaitPacket(millis: millis) else { return false }
      try packet(try connection.nextPacket())
    }
    return true
  }

  /// Reads on to a place of the log.
  ///
  /// - Returns: nil when it is not reached yet and nothing came for a while.
  func read(
    upTo place: (file: String, offset: UInt64), waiting millis: Int
  ) throws(TerraceError) -> MySQLPosition? {
    guard let connection else { return nil }
    for _ in 0..<1024 {
      guard try step(connection, waiting: millis) else { return nil }
      guard transaction == nil, branch == nil, packed == nil, readPosition != nil else { continue }
      if file > place.file || (file == place.file && offset >= place.offset) { return here }
    }
    return nil
  }

  private func packet(_ bytes: UnsafeRawBufferPointer) throws(TerraceError) {
    switch bytes.first {
    case 0: break
    default:
      let failure = MySQLFailure.packet(bytes)
      if MySQLFailure.isTaken(failure) {
        server = server < servers.upperBound ? server + 1 : servers.lowerBound
      }
      throw failure.with("server", settings.place)
    }
    try take(UnsafeRawBufferPointer(rebasing: bytes.dropFirst()), isBare: false)
  }

  private func take(_ bytes: UnsafeRawBufferPointer, isBare: Bool) throws(TerraceError) {
    let (header, event) = try parser.parse(bytes, isBare: isBare)
    var before = (file, offset)
    if !header.isArtificial, !isBare {
      // Transactions that the server passed over are not in `offset`.
      if header.next >= header.length { before.1 = header.next - UInt64(header.length) }
      offset = header.next
    }
    switch event {
    case .rotate(let name, let place): (file, offset) = (name, place)
    case .gtid(let gtid, let isAlone, let isPrepared, let isVoid):
      begin(header, before)
      self.isVoid = isVoid
      adding = (gtid, [], 0)
      self.isAlone = isAlone
      isPreparing = isPrepared
    case .gtidLog(let server, let number):
      begin(header, before)
      adding = (nil, server, number)
      isAlone = true
    case .query(let database, let text): try query(database, text, header, before)
    case .commit: try commit()
    case .tableMap(let map): try meet(map)
    case .rows(let rows):
      if transaction == nil { begin(header, before) }
      if !isPreparing { give(rows) }
    case .prepare(let name, let isCommit): try prepared(name, isCommit)
    case .payload(let packed): self.packed = packed
    case .heartbeat:
      quietSeconds = Self.leastQuietSeconds
      if transaction == nil {
        clock = max(clock, time.nowMillis())
        readPosition = here
      }
    case .formatDescription, .gtidList, .previous, .sameTable, .nothing: break
    }
    if transaction == nil, readPosition == nil, header.isArtificial { readPosition = here }
  }

  private func give(_ rows: BinlogRows) {
    guard let transaction else { return }
    for (table, route) in routes[rows.tableID] ?? [] {
      table.take(rows, route, transaction)
      if !touched.contains(where: { $0 === table }) { touched.append(table) }
    }
  }

  private var here: MySQLPosition { position((file, offset)) }

  private func position(_ place: (file: String, offset: UInt64)) -> MySQLPosition {
    var made = MySQLPosition(state, file: place.file, offset: place.offset)
    made.since = since
    return made
  }

  private func begin(_ header: BinlogHeader, _ place: (String, UInt64)) {
    number += 1
    clock = max(clock, Int64(header.seconds) * 1000)
    transaction = LogTransaction(position: position(place), number: number, millis: clock)
    isPreparing = false
    isVoid = false
    touched = []
  }

  /// Rows of a transaction stand in the log and were taken back, as servers leave it where it made a temporary
  /// table or wrote one without transactions. Which of them came before the savepoint is not known here.
  private func takeBack() {
    guard let transaction else { return }
    for table in touched { table.tookBack(transaction) }
  }

  private func commit() throws(TerraceError) {
    if let adding {
      switch state {
      case .maria(var list):
        if let gtid = adding.gtid {
          if let i = list.firstIndex(where: { $0.domain == gtid.domain }) {
            guard list[i].sequence < gtid.sequence else {
              throw TerraceError(
                .invalid, "the GTIDs of the binary log go backwards",
                hint: "SET GLOBAL gtid_strict_mode = ON keeps them in order"
              )
              .with("gtid", gtid.text).with("after", list[i].text)
            }
            list[i] = gtid
          } else {
            list.append(gtid)
            list.sort { $0.domain < $1.domain }
          }
          state = .maria(list)
        }
      case .mysql(var set):
        if !adding.server.isEmpty, adding.number > 0 {
          set.insert(adding.server, adding.number...adding.number)
        }
        state = .mysql(set)
      case .file: break
      }
    }
    adding = nil
    transaction = nil
    isAlone = false
    isPreparing = false
    since = xa.since
    readPosition = here
  }

  private func query(
    _ database: String, _ text: String, _ header: BinlogHeader, _ before: (String, UInt64)
  ) throws(TerraceError) {
    switch text.prefix(9).uppercased() {
    case "BEGIN":
      if transaction == nil { begin(header, before) }
      isAlone = false
      return
    case "COMMIT": return try commit()
    case "SAVEPOINT": return
    case "ROLLBACK":
      takeBack()
      return try commit()
    case "ROLLBACK ": return takeBack()
    default: break
    }
    if isVoid { return try commit() }
    if transaction == nil {
      begin(header, before)
      isAlone = true
    }
    guard let transaction else { return }
    if let statement = XAStatement(text) { return try take(statement, transaction) }
    let isDefinition = MySQLStatement.isDefinition(text)
    if isDefinition {
      forgetTables()
      ahead.pass(database, text)
      for table in tables { try table.changed(text, database, transaction, self) }
      // CREATE TABLE … SELECT: its rows follow, and a COMMIT.
      if text.hasSuffix("START TRANSACTION") { return }
    } else if let written = MySQLStatement.written(text, in: database) {
      for table in tables { table.wrote(written, transaction) }
    } else if MySQLStatement.mayWriteAny(text) {
      for table in tables { table.wroteAnything(transaction) }
    }
    // A statement that stands alone commits itself; those between BEGIN and COMMIT do not, and behind CREATE
    // TABLE … SELECT come its rows.
    if isAlone { try commit() }
  }

  private func forgetTables() {
    routes = [:]
    parser.forgetTables()
  }

  // MARK: XA transactions

  private func take(
    _ statement: XAStatement, _ transaction: LogTransaction<MySQLPosition>
  ) throws(TerraceError) {
    switch statement {
    case .start:
      isAlone = false
      isPreparing = true
    case .end: break
    case .rollback(let name):
      _ = xa.end(name)
      try commit()
    case .commit(let name):
      let start = xa.end(name)
      // What all tables have need not be read again.
      guard tables.contains(where: { !(transaction.position < $0.from.position) }) else {
        return try commit()
      }
      if let start { return try open(branchAt: (start.file, start.offset)) }
      let files = try schema().connection.query("SHOW BINARY LOGS").compactMap { $0[0] }
      let found = try LogPass.start(
        of: name, before: (file, offset), files: files, settings, server: server)
      guard let found else {
        throw TerraceError(
          .invalid,
          "an XA transaction is committed that was prepared before the server's binary log begins",
          hint:
            "which tables it changed is not known; “terrace run --rebuild TABLE” reads them again"
        )
      }
      try open(branchAt: found)
    }
  }

  private func prepared(_ name: XAName, _ isCommit: Bool) throws(TerraceError) {
    guard let transaction else { return }
    let start = transaction.position
    if isCommit { return try open(branchAt: (start.file, start.offset)) }
    xa.prepared(name, at: start)
    try commit()
  }

  private func open(branchAt start: (file: String, offset: UInt64)) throws(TerraceError) {
    forgetTables()
    branch = try LogPass(settings, server: server, from: start)
  }

  private static let ofRows: Set<UInt8> = [
    BinlogType.tableMap, 23, 24, 25, 30, 31, 32, 166, 167, 168, 169, 170, 171,
    BinlogType.partialUpdate, BinlogType.payload, BinlogType.xaPrepare,
  ]

  /// Reads on in the XA transaction that is being committed.
  private func read(_ branch: LogPass) throws(TerraceError) {
    guard let (_, event) = try branch.nextEvent(Self.ofRows) else {
      throw TerraceError(.corrupted, "the binary log has an XA transaction without an end")
    }
    try take(event, of: branch)
  }

  private func take(_ event: BinlogEvent, of branch: LogPass) throws(TerraceError) {
    switch event {
    case .tableMap(let map): try meet(map)
    case .rows(let rows): give(rows)
    case .payload(let packed):
      while let bytes = try packed.next() {
        if Self.ofRows.contains(bytes[4]) {
          try take(try branch.parse(bytes, isBare: true).event, of: branch)
        }
      }
    case .prepare:
      self.branch = nil
      forgetTables()
      try commit()
    default: break
    }
  }

  private func meet(_ map: TableMap) throws(TerraceError) {
    var found: [(MySQLSubscription, MySQLSubscription.Route)] = []
    for table in tables {
      let route = try table.route(map, self)
      if let route { found.append((table, route)) }
    }
    routes[map.id] = found
  }
}
