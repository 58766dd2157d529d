import Columns
import Store

/// The first rows of a source's tables, all as they were at one moment of the binary log; read in the order of
/// their keys, a chunk at a time.
struct MySQLSnapshot {
  private let begin: LogBegin<MySQLLog>
  private let connection: MySQLConnection
  private let wants: MySQLSubscription.Wants

  init(_ begin: LogBegin<MySQLLog>, _ connection: MySQLConnection, _ wants: MySQLSubscription.Wants)
  {
    self.begin = begin
    self.connection = connection
    self.wants = wants
  }

  /// - Returns: where the log goes on.
  func read(_ tables: [MySQLTable]) throws(TerraceError) -> MySQLPosition {
    for table in tables where !table.isTransactional {
      throw TerraceError(
        .unsupported, "an initial snapshot of a table without transactions",
        hint: "ALTER TABLE \(table.name.quoted) ENGINE = InnoDB, or "
          + "'scan.startup.mode' = 'latest-offset'"
      ).with("table", table.name.text)
    }
    // A slow job must not make the server give up.
    try connection.query("SET SESSION net_write_timeout = 3600, wait_timeout = 28800")
    let server = MySQLServer(connection: connection)
    let needsLog = wants.options.startup != .snapshotOnly
    let position: MySQLPosition
    var gap: SnapshotGap?
    if needsLog {
      gap = try unlocked(server, tables)
      if let gap { position = gap.position } else { position = try server.beginSnapshot() }
      let schema = MySQLSchema(connection: connection)
      for table in tables {
        if try schema.described(table.name)?.columns == table.columns { continue }
        throw TerraceError(.unavailable, "the columns changed while the snapshot began")
          .with("table", table.name.text)
      }
    } else {
      try connection.query("START TRANSACTION WITH CONSISTENT SNAPSHOT")
      position = MySQLPosition(.file, file: "", offset: 0)
    }
    for table in tables {
      try read(table, gap)
      for batch in gap?.rest(of: table.name) ?? [] { _ = begin.push(batch) }
    }
    try connection.query("COMMIT")
    return position
  }

  /// Begins a snapshot of MySQL without a lock, where the log tells what it must.
  private func unlocked(
    _ server: MySQLServer, _ tables: [MySQLTable]
  ) throws(TerraceError) -> SnapshotGap? {
    guard !connection.isMariaDB, tables.allSatisfy({ SnapshotGap.knows($0, wants.table) }),
      try server.usesGTIDs()
    else { return nil }
    try connection.query("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    var attempt = 0
    while true {
      let start = try server.position()
      try connection.query("START TRANSACTION WITH CONSISTENT SNAPSHOT")
      do throws(TerraceError) {
        return try SnapshotGap(
          wants, tables, from: start, to: try server.position(), begin.time)
      } catch {
        attempt += 1
        if error.kind != .unavailable || attempt == 5 || begin.isEnded { throw error }
        try connection.query("ROLLBACK")
        begin.time.sleep(millis: 200 * attempt)
      }
    }
  }

  private func read(_ table: MySQLTable, _ gap: SnapshotGap?) throws(TerraceError) {
    let rows = try MySQLRows(wants.table)
    guard let zone = MySQLZone(wants.zone) else {
      throw TerraceError(.invalid, "no such time zone").with("server-time-zone", wants.zone)
    }
    var names: [String] = []
    var cells: [MySQLCell] = []
    for (name, place) in rows.physical {
      guard let column = table.columns.first(where: { $0.name == name }) else {
        throw TerraceError(.invalid, "the table has no column \(name)")
          .with("table", table.name.text)
      }
      let cell = try MySQLCell(column, rows.type.fields[place].type, zone)
      names.append(cell.expression)
      cells.append(cell)
    }
    let key = chunkKey(table)
    let list = names + key.map { MySQLConnection.name($0.name) }
    let select =
      "SELECT \(list.isEmpty ? "1" : list.joined(separator: ", ")) FROM \(table.name.quoted)"
    var last: [String] = []
    while true {
      var statement = select
      if !key.isEmpty {
        if !last.isEmpty { statement += " WHERE " + Self.behind(key, last) }
        statement +=
          " ORDER BY " + key.map { MySQLConnection.name($0.name) }.joined(separator: ", ")
        statement += " LIMIT \(wants.options.chunkRows)"
      }
      var count = 0
      try connection.stream(statement) { (row) throws(TerraceError) in
        for (i, cell) in cells.enumerated() {
          guard let bytes = row[i] else {
            rows.appendNull(i)
            continue
          }
          rows.byteCount += bytes.count + 8
          do throws(TextProblem) { try cell.append(bytes, to: rows.target(i)) } catch {
            rows.fail(i, error.reason, Array(bytes))
          }
        }
        rows.end(.insert, table.name, millis: 0)
        count += 1
        if !key.isEmpty {
          if count == wants.options.chunkRows { last = Self.literals(key, row, cells.count) }
        }
        if rows.count >= wants.options.fetchRows || rows.byteCount > 4 << 20 {
          return push(try rows.take(allInserts: true), table, gap)
        }
        return !begin.isEnded
      }
      if begin.isEnded { throw TerraceError(.unavailable, "the snapshot was ended") }
      if key.isEmpty || count < wants.options.chunkRows { break }
    }
    if rows.count > 0 { _ = push(try rows.take(allInserts: true), table, gap) }
  }

  private func push(_ batch: SourceBatch, _ table: MySQLTable, _ gap: SnapshotGap?) -> Bool {
    begin.push(gap?.without(batch, table.name) ?? batch)
  }

  /// The columns by which chunks are cut: the primary key, where it compares with a literal as it is ordered.
  private func chunkKey(_ table: MySQLTable) -> [MySQLColumn] {
    let names = table.primaryKey
    let columns = names.compactMap { name in table.columns.first { $0.name == name } }
    let kinds = [
      "tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "date", "datetime",
      "timestamp", "char", "varchar", "binary", "varbinary",
    ]
    // A column that is no key may hold a value many times: a chunk could end among them.
    guard columns.count == names.count, !table.primaryKey.isEmpty,
      columns.allSatisfy({ kinds.contains($0.base) })
    else { return [] }
    return columns
  }

  private static func literals(
    _ key: [MySQLColumn], _ row: MySQLConnection.Cells, _ from: Int
  ) -> [String] {
    key.enumerated().map { i, column in
      let bytes = row[from + i].map { Array($0) } ?? []
      switch column.base {
      case "binary", "varbinary": return bytes.isEmpty ? "''" : "x'\(MySQLConnection.hex(bytes))'"
      case "char", "varchar": return "_utf8mb4 x'\(MySQLConnection.hex(bytes))'"
      case "date", "datetime", "timestamp":
        return "'" + String(decoding: bytes, as: UTF8.self) + "'"
      default: return String(decoding: bytes, as: UTF8.self)
      }
    }
  }

  /// `a > x OR (a = x AND b > y)`, with a bound on the first column that an index can use.
  private static func behind(_ key: [MySQLColumn], _ last: [String]) -> String {
    var text = ""
    for i in key.indices.reversed() {
      let name = MySQLConnection.name(key[i].name)
      text =
        text.isEmpty
        ? "\(name) > \(last[i])" : "(\(name) > \(last[i]) OR (\(name) = \(last[i]) AND \(text)))"
    }
    return key.count == 1 ? text : "\(MySQLConnection.name(key[0].name)) >= \(last[0]) AND \(text)"
  }
}
