import Columns

/// What a server says of its binary log.
struct MySQLServer {
  let connection: MySQLConnection
  /// Our number at the server.
  var number: UInt32 = 0

  /// A variable of the server; nil when it has none of that name.
  func variable(_ name: String) throws(TerraceError) -> String? {
    try connection.query("SHOW GLOBAL VARIABLES LIKE \(MySQLConnection.literal(name))")
      .first { $0[0]?.lowercased() == name }?[1]
  }

  /// - Throws: `invalid` with what to set, when the log does not hold whole rows.
  func check() throws(TerraceError) {
    func need(_ name: String, _ wanted: String, _ hint: String) throws(TerraceError) {
      guard let value = try variable(name), value.uppercased() != wanted else { return }
      throw TerraceError(.invalid, "the server has \(name) = \(value)", hint: hint)
        .with("server", connection.settings.place)
    }
    try need("log_bin", "ON", "start the server with log_bin and a server_id")
    try need(
      "binlog_format", "ROW",
      "SET GLOBAL binlog_format = 'ROW' (and in the server's options), and connect the "
        + "applications anew")
    try need(
      "binlog_row_image", "FULL",
      "SET GLOBAL binlog_row_image = 'FULL' (and in the server's options), and connect the "
        + "applications anew")
  }

  /// The zone of TIMESTAMP columns, as the server's sessions see them.
  func zone() throws(TerraceError) -> String {
    var name = try variable("time_zone") ?? "SYSTEM"
    if name == "SYSTEM" { name = try variable("system_time_zone") ?? "" }
    if MySQLZone(name) != nil { return name }
    throw TerraceError(
      .invalid, "the server's time zone '\(name)' is not known here",
      hint: "set 'server-time-zone', as in 'Europe/Paris'")
  }

  func usesGTIDs() throws(TerraceError) -> Bool {
    try variable("gtid_mode")?.uppercased() == "ON"
  }

  /// Behind everything that is committed.
  func position() throws(TerraceError) -> MySQLPosition {
    if connection.isMariaDB {
      let row = try connection.query("SELECT @@GLOBAL.gtid_binlog_pos").first
      let place = try connection.query("SHOW MASTER STATUS").first
      return MySQLPosition(
        .maria(try MariaGTID.list((row?[0] ?? nil) ?? "")), file: (place?[0] ?? nil) ?? "",
        offset: UInt64((place?[1] ?? nil) ?? "") ?? 4)
    }
    return try status()
  }

  private func status() throws(TerraceError) -> MySQLPosition {
    let isNew = connection.version.split(separator: ".").prefix(2).compactMap { Int($0) }
    let statement =
      isNew.lexicographicallyPrecedes([8, 2]) ? "SHOW MASTER STATUS" : "SHOW BINARY LOG STATUS"
    guard let row = try connection.query(statement).first, row.count >= 5, let file = row[0],
      let offset = row[1].flatMap({ UInt64($0) })
    else { throw TerraceError(.invalid, "the server has no binary log") }
    let gtids = (row[4] ?? "").replacing("\n", with: "")
    let state: MySQLPosition.State =
      try usesGTIDs() ? .mysql(try GTIDSet(gtids)) : .file
    return MySQLPosition(state, file: file, offset: offset)
  }

  /// The first transaction that the server still has.
  func earliest() throws(TerraceError) -> MySQLPosition {
    let logs = try connection.query("SHOW BINARY LOGS")
    guard let file = logs.first?[0] else {
      throw TerraceError(.invalid, "the server has no binary log")
    }
    return try position(file: file, 4)
  }

  func position(file: String, _ offset: UInt64) throws(TerraceError) -> MySQLPosition {
    if connection.isMariaDB {
      let rows = try connection.query(
        "SELECT BINLOG_GTID_POS(\(MySQLConnection.literal(file)), \(offset))")
      guard let text = rows.first?[0] else {
        throw TerraceError(.invalid, "the server has no such place in its binary log")
          .with("file", file).with("position", offset)
      }
      return MySQLPosition(.maria(try MariaGTID.list(text)), file: file, offset: offset)
    }
    if try usesGTIDs() {
      return MySQLPosition(
        .mysql(try gtids(before: (file, offset))), file: file, offset: offset)
    }
    return MySQLPosition(.file, file: file, offset: offset)
  }

  /// What MySQL has committed before a place of its log.
  private func gtids(
    before place: (file: String, offset: UInt64)
  ) throws(TerraceError) -> GTIDSet {
    let pass = try LogPass(connection.settings, server: number, from: (place.file, 4))
    let wanted: Set<UInt8> = [
      BinlogType.previousGTIDs, BinlogType.gtidLog, BinlogType.gtidTagged,
    ]
    var set = GTIDSet()
    while let (_, event) = try pass.nextEvent(wanted), pass.place.file == place.file {
      switch event {
      case .previous(let before): set = before
      case .gtidLog(let server, let number):
        if pass.place.offset > place.offset { return set }
        if number > 0 { set.insert(server, number...number) }
      default: break
      }
    }
    if pass.place.file == place.file, pass.place.offset < place.offset {
      throw TerraceError(.invalid, "the server has no such place in its binary log")
        .with("file", place.file).with("position", place.offset)
    }
    return set
  }

  func position(gtids: String) throws(TerraceError) -> MySQLPosition {
    connection.isMariaDB
      ? MySQLPosition(.maria(try MariaGTID.list(gtids)), file: "", offset: 4)
      : MySQLPosition(.mysql(try GTIDSet(gtids)), file: "", offset: 4)
  }

  /// Begins a transaction that sees the tables at one moment, and says which moment of the log that is.
  ///
  /// MariaDB knows the moment without a lock; MySQL's writers are held up while it is asked.
  func beginSnapshot() throws(TerraceError) -> MySQLPosition {
    try connection.query("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    if !connection.isMariaDB {
      try connection.query("FLUSH TABLES WITH READ LOCK")
      try connection.query("START TRANSACTION WITH CONSISTENT SNAPSHOT")
      let position = try status()
      try connection.query("UNLOCK TABLES")
      return position
    }
    try connection.query("START TRANSACTION WITH CONSISTENT SNAPSHOT")
    var found: [String: String] = [:]
    for row in try connection.query("SHOW STATUS LIKE 'binlog_snapshot_%'") {
      found[(row[0] ?? "").lowercased()] = row[1]
    }
    guard let file = found["binlog_snapshot_file"], !file.isEmpty,
      let offset = found["binlog_snapshot_position"].flatMap({ UInt64($0) })
    else {
      throw TerraceError(
        .invalid, "the server does not say where its snapshot lies in the binary log",
        hint: "start the server with log_bin")
    }
    return try position(file: file, offset)
  }
}
