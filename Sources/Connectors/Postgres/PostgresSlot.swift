import Columns

/// The publication and the replication slot that a table is read through.
struct PostgresSlot {
  let connection: PostgresConnection
  let options: PostgresOptions

  /// Makes sure that the log tells of these tables.
  ///
  /// - Returns: whether the publication was made or changed: transactions that began before are decoded
  ///   without the new tables.
  func publish(_ tables: [PostgresTable]) throws(TerraceError) -> Bool {
    let name = PostgresText.name(options.publication)
    // Tables that inherit from these have a name of their own in the log.
    let list = tables.map { "ONLY " + $0.name.quoted }.joined(separator: ", ")
    let found = try connection.query(
      "SELECT pubinsert, pubupdate, pubdelete, pubviaroot FROM pg_publication WHERE pubname = $1",
      [options.publication])
    if found.rowCount == 0 {
      try permitted("CREATE PUBLICATION \(name) FOR TABLE \(list)")
      do throws(TerraceError) {
        try connection.query(
          "CREATE PUBLICATION \(name) FOR TABLE \(list) WITH (publish_via_partition_root = true)")
      } catch {
        // Another process was first: its publication is looked at again.
        if !Self.has(error, "42710", "23505") { throw error }
        return try publish(tables)
      }
      return true
    }
    for (column, word) in [(0, "INSERT"), (1, "UPDATE"), (2, "DELETE")] where !found.flag(0, column)
    {
      throw TerraceError(
        .invalid, "the publication \(options.publication) leaves out \(word)",
        hint: "ALTER PUBLICATION \(name) SET (publish = 'insert, update, delete, truncate')")
    }
    var missing: [PostgresTable] = []
    for table in tables where try !isPublished(table) { missing.append(table) }
    for table in missing {
      let sql = "ALTER PUBLICATION \(name) ADD TABLE ONLY \(table.name.quoted)"
      try permitted(sql)
      do throws(TerraceError) { try connection.query(sql) } catch {
        // Another process may have added it just now.
        let isThere = Self.has(error, "42710") ? try isPublished(table) : false
        if !isThere { throw error.with("table", table.name.text) }
      }
    }
    return !missing.isEmpty
  }

  private func permitted(_ sql: String) throws(TerraceError) {
    if options.makesPublication { return }
    throw TerraceError(
      .invalid, "the publication \(options.publication) does not tell of this table",
      hint: "as its owner: \(sql)")
  }

  private static func has(_ error: TerraceError, _ states: String...) -> Bool {
    error.facts.contains { $0.name == "sqlstate" && states.contains($0.value) }
  }

  /// Whether the log tells of a table: by itself, or by all its partitions.
  private func isPublished(_ table: PostgresTable) throws(TerraceError) -> Bool {
    let result = try connection.query(
      """
      WITH shown AS (
        SELECT c.oid AS id FROM pg_publication_tables t
          JOIN pg_namespace n ON n.nspname = t.schemaname
          JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename
        WHERE t.pubname = $1)
      SELECT $2::oid IN (SELECT id FROM shown) OR EXISTS (
        SELECT 1 FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
        WHERE p.pubname = $1 AND r.prrelid = $2::oid)
        OR coalesce((
          SELECT bool_and(p.relid IN (SELECT id FROM shown))
          FROM pg_partition_tree($2::oid::regclass) p WHERE p.isleaf AND p.relid <> $2::oid), false)
      """, [options.publication, String(table.id)])
    return result.flag(0, 0)
  }

  /// That the log of a table that is gone on with still tells of it.
  ///
  /// - Throws: `invalid` when it was taken out of the publication, `notFound` when that is gone.
  func checkPublished(_ table: PostgresTable) throws(TerraceError) {
    try Self.check(publication: options.publication, slot: options.slot, connection)
    if try isPublished(table) { return }
    throw TerraceError(
      .invalid,
      "the publication \(options.publication) does not tell of \(table.name.text) any more: "
        + "changes are missing",
      hint: "“terrace run --rebuild TABLE” adds the table again and reads it anew")
  }

  /// That there is a publication: from version 18 on the log passes over those that are gone.
  static func check(
    publication: String, slot: String, _ connection: PostgresConnection
  ) throws(TerraceError) {
    let found = try connection.query(
      "SELECT 1 FROM pg_publication WHERE pubname = $1", [publication])
    if found.rowCount > 0 { return }
    throw TerraceError(
      .notFound, "the publication \(publication) is gone: changes are missing",
      hint: "make it again, drop the slot (SELECT pg_drop_replication_slot('\(slot)')), and "
        + "“terrace run --rebuild TABLE” reads the tables anew")
  }

  /// What a publication shows of a table: a condition on its rows, and its columns; nil: all.
  func filter(
    _ table: PostgresTableName
  ) throws(TerraceError) -> (rows: String?, columns: Set<String>?) {
    if connection.serverVersion < 150_000 { return (nil, nil) }
    let result = try connection.query(
      """
      SELECT rowfilter, unnest(attnames) FROM pg_publication_tables
      WHERE pubname = $1 AND schemaname = $2 AND tablename = $3
      """, [options.publication, table.schema, table.table])
    if result.rowCount == 0 { return (nil, nil) }
    let columns = Set((0..<result.rowCount).compactMap { result.text($0, 1) })
    return (result.text(0, 0), columns)
  }

  // MARK: The slot

  /// Where the log begins that the slot holds; makes the slot when it is missing.
  ///
  /// - Parameter makes: false when something was read through it before: then it must be there.
  /// - Returns: the place, and whether the slot was made just now.
  func begin(
    makes: Bool, _ patience: PostgresPatience
  ) throws(TerraceError) -> (held: PostgresPosition, isMade: Bool) {
    let sql = """
      SELECT plugin, database, confirmed_flush_lsn, wal_status, slot_type
      FROM pg_replication_slots WHERE slot_name = $1
      """
    var found = try connection.query(sql, [options.slot])
    var isMade = false
    if found.rowCount == 0 {
      if !makes { throw Self.lost(options.slot, "is gone") }
      try checkLevel()
      do throws(TerraceError) {
        try connection.query(
          "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [options.slot], patience)
        isMade = true
      } catch { if !Self.has(error, "42710") { throw error } }
      found = try connection.query(sql, [options.slot])
    }
    if found.text(0, 4) != "logical" || found.text(0, 0) != "pgoutput"
      || found.text(0, 1) != options.server.database
    {
      throw TerraceError(
        .invalid,
        "the slot \(options.slot) is one of \(found.text(0, 0) ?? "physical replication") "
          + "in the database \(found.text(0, 1) ?? "-")",
        hint: "name another one: 'slot.name'")
    }
    if found.text(0, 3) == "lost" { throw Self.lost(options.slot, "has lost its part of the log") }
    guard let text = found.text(0, 2) else { throw Self.lost(options.slot, "holds nothing") }
    return (try PostgresPosition(text: text), isMade)
  }

  private func checkLevel() throws(TerraceError) {
    let level = try connection.query("SHOW wal_level").text(0, 0) ?? ""
    if level != "logical" {
      throw TerraceError(
        .invalid, "the server's wal_level is '\(level)': its log does not tell rows",
        hint: "set wal_level = logical in postgresql.conf and restart the server")
    }
  }

  static func lost(_ slot: String, _ what: String) -> TerraceError {
    TerraceError(
      .invalid, "the replication slot \(slot) \(what): changes are missing",
      hint: "“terrace run --rebuild TABLE” reads the tables anew (drop what is left of the slot "
        + "first: SELECT pg_drop_replication_slot('\(slot)')); raise max_slot_wal_keep_size")
  }

  /// What opening a slot's stream went wrong with, in words that help.
  static func told(_ error: TerraceError, _ slot: String) -> TerraceError {
    if has(error, "42704"), error.message.contains("slot") { return lost(slot, "is gone") }
    if has(error, "55000") || error.message.contains("invalidated") {
      return lost(slot, "has lost its part of the log")
    }
    return error.with("slot", slot)
  }

  /// Waits until all transactions that run now are over, also for those who read.
  ///
  /// A commit is in the log, and so may lie before what is asked of it, some time before others see its
  /// rows; a snapshot taken in between would miss what the log does not give any more.
  func awaitRunning(_ patience: PostgresPatience) throws(TerraceError) {
    // A number of our own is greater than all that are given away; `xmax` only than those that are over.
    let next = try connection.query(
      "SELECT CASE WHEN pg_is_in_recovery() THEN pg_snapshot_xmax(pg_current_snapshot()) "
        + "ELSE pg_current_xact_id() END"
    ).text(0, 0)
    while true {
      let over = try connection.query(
        "SELECT pg_snapshot_xmin(pg_current_snapshot()) >= $1::xid8", [next])
      if over.flag(0, 0) { return patience.isOver() }
      try patience.look(behind: connection)
      patience.rest()
    }
  }
}
