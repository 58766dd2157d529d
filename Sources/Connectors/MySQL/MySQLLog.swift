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
  private var isAlone = false
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
    // An answer, a heartbeat at least, comes twice a second.
    let connection = try MySQLConnection(settings, readSeconds: 30)
    try connection.query("SET @master_binlog_checksum = @@global.binlog_checksum")
    try connection.query("SET @master_heartbeat_period = 300000000")
    if connection.isMariaDB { try connection.query("SET @mariadb_slave_capability = 4") }
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
    readPosition = nil
    // What is read again was committed when it was.
    clock = 0
    ahead = LogAhead()
  }

  func close() {
    connection = nil
    asking = nil
    tables = []
    routes = [:]
    transaction = nil
  }

  /// The server keeps its log by time: it is told nothing.
  func confirm(_ position: MySQLPosition) throws(TerraceError) {}

  func schema() throws(TerraceError) -> MySQLSchema {
    if let asking, !asking.isBroken { return MySQLSchema(connection: asking) }
    let made = try MySQLConnection(settings)
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
      guard connection.awaitPacket(millis: count == 0 ? millis : 0) else {
        isIdle = true
        break
      }
      try packet(try connection.nextPacket())
      count += 1
      if count & 63 == 0, time.nowMillis() >= end { break }
    }
    let now = time.nowMillis()
    for table in tables { table.flushIfDue(now, isIdle: isIdle) }
    return count > 0
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
    let before = (file, offset)
    if !header.isArtificial, !isBare { offset = header.next }
    switch event {
    case .rotate(let name, let place): (file, offset) = (name, place)
    case .gtid(let gtid, let isAlone):
      begin(header, before)
      adding = (gtid, [], 0)
      self.isAlone = isAlone
    case .gtidLog(let server, let number):
      begin(header, before)
      adding = (nil, server, number)
      isAlone = false
    case .query(let database, let text): try query(database, text, header, before)
    case .commit: try commit()
    case .tableMap(let map): try meet(map)
    case .rows(let rows):
      if transaction == nil { begin(header, before) }
      guard let transaction else { return }
      for (table, route) in routes[rows.tableID] ?? [] { table.take(rows, route, transaction) }
    case .payload(let buffer, let count): try payload(buffer, count)
    case .heartbeat:
      if transaction == nil {
        clock = max(clock, time.nowMillis())
        readPosition = here
      }
    case .formatDescription, .gtidList, .sameTable, .nothing: break
    }
    if transaction == nil, readPosition == nil, header.isArtificial { readPosition = here }
  }

  private var here: MySQLPosition { MySQLPosition(state, file: file, offset: offset) }

  private func begin(_ header: BinlogHeader, _ place: (String, UInt64)) {
    number += 1
    clock = max(clock, Int64(header.seconds) * 1000)
    transaction = LogTransaction(
      position: MySQLPosition(state, file: place.0, offset: place.1), number: number,
      millis: clock)
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
    readPosition = here
  }

  private func query(
    _ database: String, _ text: String, _ header: BinlogHeader, _ before: (String, UInt64)
  ) throws(TerraceError) {
    switch text.prefix(9).uppercased() {
    case "BEGIN":
      if transaction == nil { begin(header, before) }
      return
    case "COMMIT", "ROLLBACK": return try commit()
    default: break
    }
    if text.hasPrefix("SAVEPOINT") || text.hasPrefix("ROLLBACK TO") { return }
    if MySQLStatement.isDefinition(text) {
      routes = [:]
      parser.forgetTables()
      ahead.pass(database, text)
      if transaction == nil { begin(header, before) }
      guard let transaction else { return }
      for table in tables { try table.changed(text, database, transaction, self) }
    } else if let written = MySQLStatement.written(text, in: database) {
      if transaction == nil { begin(header, before) }
      guard let transaction else { return }
      for table in tables { table.wrote(written, transaction) }
    }
    // A statement that stands alone commits itself; those between BEGIN and COMMIT do not.
    if isAlone || MySQLStatement.isDefinition(text) { try commit() }
  }

  private func meet(_ map: TableMap) throws(TerraceError) {
    var found: [(MySQLSubscription, MySQLSubscription.Route)] = []
    for table in tables {
      let route = try table.route(map, self)
      if let route { found.append((table, route)) }
    }
    routes[map.id] = found
  }

  private func payload(_ buffer: Buffer, _ count: Int) throws(TerraceError) {
    var at = 0
    while at < count {
      guard count - at >= BinlogHeader.byteCount else { throw ImageBytes.broken() }
      let length = Int(
        UInt32(littleEndian: buffer.base.loadUnaligned(fromByteOffset: at + 9, as: UInt32.self)))
      guard length >= BinlogHeader.byteCount, length <= count - at else {
        throw ImageBytes.broken()
      }
      try take(
        UnsafeRawBufferPointer(start: buffer.base + at, count: length), isBare: true)
      at += length
    }
    withExtendedLifetime(buffer) {}
  }
}
