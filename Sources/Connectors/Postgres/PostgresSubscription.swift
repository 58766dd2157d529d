import Columns
import Formats
import Store

/// One source's share of the log: rows of its tables, decoded as the log tells them.
final class PostgresSubscription: LogSubscription<PostgresPosition>, @unchecked Sendable {
  /// How the columns of a table in the log become those of the source.
  struct Route {
    var relation: ReplicationRelation
    /// Column of the log of each physical column; -1: the log has none.
    var order: [Int]
    /// Columns of the log that are the declared primary key.
    var key: [Int]
    /// The table is another one than declared: told before its next row.
    var drift: SchemaDrift?
  }

  /// The end of a table of which the log does not tell.
  struct Fate {
    /// Everything of the table lies before.
    var position: PostgresPosition
    var drift: SchemaDrift
  }

  struct Wants {
    var table: ConnectorTable
    var options: PostgresOptions
    /// Names that the table itself may have.
    var roots: Set<PostgresTableName>
    /// Names in the log: those and its partitions'.
    var names: Set<PostgresTableName>
    /// The one table that is followed; nil where the options name several.
    var followed: UInt32?
    /// Of the table that is followed.
    var partitions: [UInt32: PostgresTableName] = [:]
    var fate: Fate?
    var checksText: Bool
  }

  let wanted: Wants
  /// What the initial snapshot has seen already, until the log has passed it.
  private let seen: PostgresVisibility?
  private let rows: PostgresRows
  private var saidMissing = false
  // MARK: Of the reader's thread
  private(set) var fate: Fate?
  private var isEnded = false
  private(set) var partitions: [UInt32: PostgresTableName]

  init(
    _ wanted: Wants, from place: LogPlace<PostgresPosition>, seen: PostgresVisibility?
  ) throws(TerraceError) {
    self.wanted = wanted
    self.seen = seen
    fate = wanted.fate
    partitions = wanted.partitions
    rows = try PostgresRows(
      wanted.table, database: wanted.options.server.database,
      tellsUnchanged: !wanted.options.tellsOldRows,
      checksText: wanted.checksText)
    super.init(wanted.table.reader, from: place)
  }

  override func drain() throws(TerraceError) -> SourceBatch { rows.take(allInserts: false) }
  override func reset() {
    _ = rows.take(allInserts: false)
    isEnded = false
  }

  override var isFull: Bool { pending >= 8192 || rows.textBytes > 4 << 20 }

  // MARK: Tables

  /// How a table of the log is read; nil when it is none of this source's.
  func route(_ relation: ReplicationRelation) -> Route? {
    guard wanted.names.contains(relation.name) || relation.id == wanted.followed else { return nil }
    let order = rows.physical.map { column in
      relation.columns.firstIndex { $0.name == column.name } ?? -1
    }
    let key = wanted.table.primaryKey.compactMap { name in
      relation.columns.firstIndex { $0.name == name }
    }
    if order.contains(-1), !wanted.options.followsSchema, !saidMissing {
      saidMissing = true
      let missing = zip(order, rows.physical).filter { $0.0 < 0 }.map(\.1.name)
      say(
        "\(relation.name.text) has no column \(missing.joined(separator: ", ")) any more: "
          + "it is null from here on")
    }
    return Route(relation: relation, order: order, key: key)
  }

  /// Why rows under this description are none of the table that is followed; nil when they are.
  func stray(_ relation: ReplicationRelation) -> SchemaDrift? {
    guard let followed = wanted.followed else { return nil }
    let isOfRoot = wanted.roots.contains(relation.name)
    if (relation.id == followed) == isOfRoot { return nil }
    return PostgresTables.gone(
      wanted.roots.min()?.text ?? "",
      isOfRoot ? "another table has its name now" : "it is called \(relation.name.text) now")
  }

  /// The table is gone; what lies before `position` is still given.
  func end(_ drift: SchemaDrift, at position: PostgresPosition) {
    if fate == nil { fate = Fate(position: position, drift: drift) }
  }

  /// Ends the table when everything before its end was read.
  func passed(_ position: PostgresPosition) {
    guard let fate, fate.position <= position, !isEnded else { return }
    isEnded = true
    flush(drift: fate.drift)
    halt()
  }

  /// Says which partitions are gone: their rows leave without a word in the log.
  func compare(_ now: [UInt32: PostgresTableName]) {
    let gone = partitions.filter { now[$0.key] == nil }.map(\.value.text).sorted()
    partitions = now
    if gone.isEmpty { return }
    say(
      "\(wanted.roots.min()?.text ?? ""): the partition \(gone.joined(separator: ", ")) is gone; "
        + "its rows stay here, as the log does not tell of them")
  }

  // MARK: Rows

  private func takes(
    _ route: Route, _ transaction: LogTransaction<PostgresPosition>, _ xid: UInt32
  ) -> Bool {
    guard wants(transaction) else { return false }
    if seen?.sees(xid) ?? false { return false }
    guard let drift = route.drift else { return true }
    flush(drift: drift)
    halt()
    return false
  }

  func insert(
    _ route: Route, _ new: ReplicationTuple, _ bytes: UnsafeRawBufferPointer,
    _ transaction: LogTransaction<PostgresPosition>, _ xid: UInt32
  ) {
    guard takes(route, transaction, xid) else { return }
    fill(route, new, nil, bytes)
    end(.insert, route, new, bytes, transaction)
    took(1)
  }

  func update(
    _ route: Route, _ held: ReplicationMessage.Old, _ old: ReplicationTuple,
    _ new: ReplicationTuple, _ bytes: UnsafeRawBufferPointer,
    _ transaction: LogTransaction<PostgresPosition>, _ xid: UInt32
  ) {
    guard takes(route, transaction, xid) else { return }
    var count = 1
    if wanted.options.tellsOldRows {
      guard case .whole = held else { return lacksOldRows(route) }
      fill(route, old, nil, bytes)
      end(.updateBefore, route, old, bytes, transaction)
      count = 2
    } else if isOtherKey(route, held, old, new, bytes) {
      fill(route, old, nil, bytes)
      rows.noteOtherKey()
      end(.delete, route, old, bytes, transaction, isKeyOnly: true)
      count = 2
    }
    var whole: ReplicationTuple?
    if case .whole = held { whole = old }
    fill(route, new, whole, bytes)
    let bad = end(.updateAfter, route, new, bytes, transaction)
    if let bad, !wanted.options.tellsOldRows, !route.key.contains(route.order[bad]) {
      // The row that was there is none of the table's any more.
      for (i, c) in route.order.enumerated() {
        if c >= 0, c < new.count, route.key.contains(c), new.values[c] == .text {
          rows.append(i, UnsafeRawBufferPointer(rebasing: bytes[new.ranges[c]]))
        } else {
          rows.appendNull(i)
        }
      }
      end(.delete, route, new, bytes, transaction, isKeyOnly: true)
      count += 1
    }
    took(count)
  }

  func delete(
    _ route: Route, _ held: ReplicationMessage.Old, _ old: ReplicationTuple,
    _ bytes: UnsafeRawBufferPointer, _ transaction: LogTransaction<PostgresPosition>,
    _ xid: UInt32
  ) {
    guard takes(route, transaction, xid) else { return }
    if wanted.options.tellsOldRows {
      guard case .whole = held else { return lacksOldRows(route) }
    }
    fill(route, old, nil, bytes)
    end(.delete, route, old, bytes, transaction, isKeyOnly: !wanted.options.tellsOldRows)
    took(1)
  }

  /// All rows go: the source cannot name them.
  func truncate(
    _ route: Route, _ transaction: LogTransaction<PostgresPosition>, _ xid: UInt32
  ) {
    guard takes(route, transaction, xid) else { return }
    flush(restart: "TRUNCATE emptied \(route.relation.name.text)")
    halt()
  }

  private func lacksOldRows(_ route: Route) {
    flush(
      failure: TerraceError(
        .invalid, "the log does not hold the old rows of \(route.relation.name.text)",
        hint: "ALTER TABLE \(route.relation.name.quoted) REPLICA IDENTITY FULL, then "
          + "“terrace run --rebuild TABLE”; or declare a PRIMARY KEY and 'changelog-mode' = 'upsert'"
      ))
    halt()
  }

  private func isOtherKey(
    _ route: Route, _ held: ReplicationMessage.Old, _ old: ReplicationTuple,
    _ new: ReplicationTuple, _ bytes: UnsafeRawBufferPointer
  ) -> Bool {
    if case .none = held { return false }
    for c in route.key where c < old.count && c < new.count {
      if new.values[c] == .unchanged { continue }
      if old.values[c] != new.values[c] { return true }
      let (a, b) = (bytes[old.ranges[c]], bytes[new.ranges[c]])
      if !a.elementsEqual(b) { return true }
    }
    return false
  }

  private func fill(
    _ route: Route, _ tuple: ReplicationTuple, _ old: ReplicationTuple?,
    _ bytes: UnsafeRawBufferPointer
  ) {
    for (i, c) in route.order.enumerated() {
      guard c >= 0, c < tuple.count else {
        rows.appendNull(i)
        continue
      }
      switch tuple.values[c] {
      case .null: rows.appendNull(i)
      case .text: rows.append(i, UnsafeRawBufferPointer(rebasing: bytes[tuple.ranges[c]]))
      case .unchanged:
        if let old, c < old.count, old.values[c] != .unchanged {
          if old.values[c] == .null {
            rows.appendNull(i)
          } else {
            rows.append(i, UnsafeRawBufferPointer(rebasing: bytes[old.ranges[c]]))
          }
        } else {
          rows.appendUnchanged(i)
        }
      }
    }
  }

  @discardableResult
  private func end(
    _ kind: RowKind, _ route: Route, _ tuple: ReplicationTuple, _ bytes: UnsafeRawBufferPointer,
    _ transaction: LogTransaction<PostgresPosition>, isKeyOnly: Bool = false
  ) -> Int? {
    rows.end(
      kind, from: route.relation.name, millis: transaction.millis, isKeyOnly: isKeyOnly,
      place: { "\(route.relation.name.text) \(transaction.position.text)" },
      raw: { PostgresSubscription.json(route.relation, tuple, bytes) })
  }

  /// `{"column":"text",…}`, for a dead letter.
  private static func json(
    _ relation: ReplicationRelation, _ tuple: ReplicationTuple, _ bytes: UnsafeRawBufferPointer
  ) -> [UInt8] {
    let out = ByteWriter()
    out.append(UInt8(ascii: "{"))
    for (c, column) in relation.columns.enumerated() where c < tuple.count {
      if tuple.values[c] == .unchanged { continue }
      if out.count > 1 { out.append(UInt8(ascii: ",")) }
      var name = column.name
      name.withUTF8 { JSONText.appendQuoted(UnsafeRawBufferPointer($0), to: out) }
      out.append(UInt8(ascii: ":"))
      if tuple.values[c] == .null {
        out.append("null" as StaticString)
      } else {
        JSONText.appendQuoted(UnsafeRawBufferPointer(rebasing: bytes[tuple.ranges[c]]), to: out)
      }
    }
    out.append(UInt8(ascii: "}"))
    return Array(out.bytes)
  }
}
