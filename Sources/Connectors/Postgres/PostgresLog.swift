import Columns
import Store

/// The stream of pgoutput from one replication slot, for all sources of the process that use it.
final class PostgresLog: DatabaseLog {
  typealias Position = PostgresPosition
  typealias Subscription = PostgresSubscription

  private let settings: PostgresConnection.Settings
  private let slot: String
  private let time: any Timekeeper
  private let heartbeat: (query: String, millis: Int64)?

  private var connection: PostgresConnection?
  private var tables: [PostgresSubscription] = []
  private var routes: [UInt32: [(PostgresSubscription, PostgresSubscription.Route)]] = [:]
  /// A second connection, for questions about tables and the heartbeat.
  private var asking: (connection: PostgresConnection, schema: PostgresSchema)?
  private let old = ReplicationTuple()
  private let new = ReplicationTuple()

  private var transaction: LogTransaction<PostgresPosition>?
  private var xid: UInt32 = 0
  private var number: Int64 = 0
  /// Greatest time seen, of commits and of the server's own messages: later transactions count as later.
  private var clock: Int64 = 0
  private(set) var readPosition: PostgresPosition?
  private var confirmed = PostgresPosition(0)
  private var lastAsked: Int64 = 0
  private var lastBeat: Int64 = 0
  private var lastLook: Int64 = 0
  private static let lookMillis: Int64 = 3_000

  let cut = ConnectionCut()
  /// Without a byte for so long, though a reply is asked for twice a second, the server is taken for gone.
  /// Doubled each time, until the log goes on: servers before version 15 say nothing while they pass over a
  /// long transaction that has nothing for us, and would never come to its end.
  private var quietSeconds = PostgresLog.leastQuietSeconds
  /// What was committed last when the server fell silent.
  private var stuck: PostgresPosition?
  private static let leastQuietSeconds = 60

  init(
    _ settings: PostgresConnection.Settings, slot: String,
    heartbeat: (query: String, millis: Int64)?, time: any Timekeeper
  ) {
    self.settings = settings
    self.slot = slot
    self.heartbeat = heartbeat
    self.time = time
  }

  var readMillis: Int64 { clock }

  func open(
    behind position: PostgresPosition, _ tables: [PostgresSubscription]
  ) throws(TerraceError) {
    close()
    let names = Set(tables.map(\.wanted.options.publication)).sorted()
    let list = names.map { PostgresText.name($0) }.joined(separator: ", ")
    let connection = try PostgresConnection(settings, isReplication: true, cut: cut)
    do throws(TerraceError) {
      try connection.query(
        "START_REPLICATION SLOT \(PostgresText.name(slot)) LOGICAL \(position.text) "
          + "(proto_version '1', publication_names \(PostgresText.literal(list)))")
    } catch { throw PostgresSlot.told(error, slot) }
    self.connection = connection
    self.tables = tables
    routes = [:]
    transaction = nil
    readPosition = nil
  }

  func close() {
    connection = nil
    asking = nil
    tables = []
    routes = [:]
    transaction = nil
  }

  // MARK: Reading

  func read(waiting millis: Int) throws(TerraceError) -> Bool {
    guard let connection else { return false }
    var count = 0
    let end = time.nowMillis() + 20
    var isIdle = false
    while count < 4096 {
      let came = try connection.nextMessage {
        (bytes) throws(TerraceError) in try take(bytes)
      }
      if came {
        count += 1
        if count & 255 == 0, time.nowMillis() >= end { break }
        continue
      }
      if count > 0 {
        // What the socket holds already is taken along.
        try connection.wait(millis: 0)
        if try connection.nextMessage({ (bytes) throws(TerraceError) in try take(bytes) }) {
          count += 1
          continue
        }
        isIdle = true
        break
      }
      try connection.wait(millis: millis)
      if try !connection.nextMessage({ (bytes) throws(TerraceError) in try take(bytes) }) {
        isIdle = true
        break
      }
      count += 1
    }
    let now = time.nowMillis()
    for table in tables { table.flushIfDue(now, isIdle: isIdle) }
    if isIdle, connection.quietMillis >= quietSeconds * 1000 {
      let failure = connection.silence(quietSeconds)
      quietSeconds = min(quietSeconds * 2, 960)
      stuck = max(stuck ?? confirmed, readPosition ?? confirmed)
      throw failure
    }
    try look(now)
    if transaction == nil, let readPosition {
      for table in tables { table.passed(readPosition) }
    }
    if isIdle { try ask(now) }
    return count > 0
  }

  /// Asks where the server stands when nothing comes: an idle slot must move on, and so must time.
  private func ask(_ now: Int64) throws(TerraceError) {
    if now - lastAsked < 500, now >= lastAsked { return }
    lastAsked = now
    try tell(wantsReply: true)
  }

  private func take(_ bytes: UnsafeRawBufferPointer) throws(TerraceError) {
    var cursor = WireCursor(bytes)
    switch try cursor.number(UInt8.self) {
    case UInt8(ascii: "w"):
      _ = try cursor.take(24)
      try change(UnsafeRawBufferPointer(rebasing: bytes[cursor.at...]))
    case UInt8(ascii: "k"):
      let position = PostgresPosition(try cursor.number(UInt64.self))
      let micros = try cursor.number(Int64.self)
      if transaction == nil {
        if readPosition.map({ $0 < position }) ?? true { readPosition = position }
        clock = max(clock, Self.millis(micros))
      }
      if try cursor.number(UInt8.self) != 0 { try tell(wantsReply: false) }
    default: break
    }
  }

  /// Since 1970, of microseconds since 2000.
  static func millis(_ micros: Int64) -> Int64 { micros / 1000 &+ 946_684_800_000 }

  private func change(_ bytes: UnsafeRawBufferPointer) throws(TerraceError) {
    switch try ReplicationMessage(bytes, old: old, new: new) {
    case .begin(let position, let micros, let xid):
      number += 1
      clock = max(clock, Self.millis(micros))
      self.xid = xid
      transaction = LogTransaction(
        position: PostgresPosition(position), number: number, millis: clock)
    case .commit(let end):
      transaction = nil
      readPosition = PostgresPosition(end)
      if let stuck, stuck < PostgresPosition(end) {
        self.stuck = nil
        quietSeconds = Self.leastQuietSeconds
      }
    case .relation(let relation): try meet(relation)
    case .insert(let id):
      guard let transaction else { throw WireCursor.broken("a row outside transactions") }
      for (table, route) in routes[id] ?? [] {
        table.insert(route, new, bytes, transaction, xid)
        if table.isFull { table.flush() }
      }
    case .update(let id, let held):
      guard let transaction else { throw WireCursor.broken("a row outside transactions") }
      for (table, route) in routes[id] ?? [] {
        table.update(route, held, old, new, bytes, transaction, xid)
        if table.isFull { table.flush() }
      }
    case .delete(let id, let held):
      guard let transaction else { throw WireCursor.broken("a row outside transactions") }
      for (table, route) in routes[id] ?? [] {
        table.delete(route, held, old, bytes, transaction, xid)
        if table.isFull { table.flush() }
      }
    case .truncate(let ids):
      guard let transaction else { throw WireCursor.broken("a row outside transactions") }
      for id in ids {
        for (table, route) in routes[id] ?? [] { table.truncate(route, transaction, xid) }
      }
    case .other: break
    }
  }

  /// A table as it is from here on.
  private func meet(_ relation: ReplicationRelation) throws(TerraceError) {
    var found: [(PostgresSubscription, PostgresSubscription.Route)] = []
    for table in tables {
      guard var route = table.route(relation) else { continue }
      route.drift = table.stray(relation)
      if route.drift == nil { route.drift = try drift(relation, table) }
      found.append((table, route))
    }
    routes[relation.id] = found
  }

  /// The columns are those of the log at this place; the server may be further.
  private func drift(
    _ relation: ReplicationRelation, _ table: PostgresSubscription
  ) throws(TerraceError) -> SchemaDrift? {
    let (table, options) = (table.wanted.table, table.wanted.options)
    let (_, schema) = try ordinary()
    var columns: [PostgresDrift.Column] = []
    for column in relation.columns {
      let type = try schema.type(column.type, column.modifier)
      columns.append(PostgresDrift.Column(name: column.name, type: type))
    }
    func described() throws(TerraceError) -> PostgresTable? {
      guard let now = try schema.tables([relation.id])[relation.id] else { return nil }
      return try schema.described(now)
    }
    let key = try PostgresDrift.key(relation, table, options) { () throws(TerraceError) in
      try described()?.primaryKey
    }
    guard
      var found = PostgresDrift.drift(relation.name, columns, key: key, table, options)
    else { return nil }
    if let now = try described() { found.take(now) }
    return found
  }

  /// Tables that were dropped, renamed or made anew leave no word in the log, nor do partitions that go.
  private func look(_ now: Int64) throws(TerraceError) {
    if now - lastLook < Self.lookMillis, now >= lastLook { return }
    lastLook = now
    let followed = tables.filter { $0.fate == nil && $0.wanted.followed != nil }
    if followed.isEmpty { return }
    let (connection, schema) = try ordinary()
    for name in Set(tables.map(\.wanted.options.publication)) {
      try PostgresSlot.check(publication: name, slot: slot, connection)
    }
    let found = try schema.tables(Set(followed.compactMap(\.wanted.followed)))
    for table in followed {
      guard let id = table.wanted.followed else { continue }
      if let name = found[id]?.name, table.wanted.roots.contains(name) {
        if !table.partitions.isEmpty { table.compare(try schema.partitions(id)) }
      } else if let drift = try PostgresTables.stray(id, table.wanted.roots, schema) {
        // Its last row was in the log before it went.
        let text = try connection.query("SELECT pg_current_wal_flush_lsn()").text(0, 0) ?? ""
        table.end(drift, at: try PostgresPosition(text: text))
      }
    }
  }

  private func ordinary() throws(TerraceError) -> (
    connection: PostgresConnection, schema: PostgresSchema
  ) {
    if let asking, !asking.connection.isBroken { return asking }
    let connection = try PostgresConnection(settings, cut: cut)
    // What the server would still wait for when nobody listens any more.
    try connection.query("SET statement_timeout = '50s'")
    let made = (connection, PostgresSchema(connection))
    asking = made
    return made
  }

  // MARK: Telling the server

  func confirm(_ position: PostgresPosition) throws(TerraceError) {
    confirmed = max(confirmed, position)
    try tell(wantsReply: false)
    guard let heartbeat else { return }
    let now = time.nowMillis()
    if now - lastBeat < heartbeat.millis, now >= lastBeat { return }
    lastBeat = now
    try ordinary().connection.query(heartbeat.query)
  }

  private func tell(wantsReply: Bool) throws(TerraceError) {
    guard let connection else { return }
    let received = max(readPosition ?? confirmed, confirmed)
    var message: [UInt8] = [UInt8(ascii: "r")]
    func append(_ value: UInt64) {
      for shift in stride(from: UInt64(56), through: 0, by: -8) {
        message.append(UInt8(truncatingIfNeeded: value >> shift))
      }
    }
    append(received.lsn)
    append(confirmed.lsn)
    append(confirmed.lsn)
    append(UInt64(bitPattern: (time.nowMillis() - 946_684_800_000) &* 1000))
    message.append(wantsReply ? 1 : 0)
    try connection.send(message)
  }
}
