package import Columns
import Formats
package import Store

/// A replication slot that jobs of the project have used and none does any more: its server keeps the log for
/// it, for ever.
package struct UnusedSlot: Sendable {
  package let slot: String
  /// Host, port and database.
  package let place: String
  /// Terrace made it.
  private let isOurs: Bool
  /// The ledger that reminds of it.
  private let path: String

  package var text: String {
    "no job uses the replication slot \(slot) of \(place) any more, and the server keeps its log for it: "
      + "SELECT pg_drop_replication_slot('\(slot)') there, and delete \(path)"
  }

  /// - Parameter tables: all that jobs read from outside.
  package static func all(
    _ tables: [ConnectorTable], folder: String, _ files: any FileIO
  ) throws(TerraceError) -> [UnusedSlot] {
    var used: Set<[String]> = []
    for table in tables where table.options["connector"] == "postgres-cdc" {
      guard let options = options(of: table, files) else { return [] }
      used.insert([options.server.place, options.slot])
    }
    var found: [UnusedSlot] = []
    let logs = folder + "/catalog/logs"
    for name in try files.list(logs).sorted() where name.hasSuffix(".json") {
      let path = "\(logs)/\(name)"
      guard let bytes = try files.readSmall(path, limit: 16 << 20) else { continue }
      let ledger: JSONValue
      do throws(TerraceError) { ledger = try parseJSON(bytes) } catch {
        throw error.with("file", path)
      }
      // Ledgers of other servers, and of older versions, do not name one.
      guard let slot = try ledger.optionalString("@slot"),
        let place = try ledger.optionalString("@place"), !used.contains([place, slot])
      else { continue }
      found.append(
        UnusedSlot(
          slot: slot, place: place, isOurs: try ledger.optionalString("@made") != nil, path: path))
    }
    return found
  }

  /// Nil where it is not known which slot a table uses: no slot is unused then, as far as we know.
  private static func options(of table: ConnectorTable, _ files: any FileIO) -> PostgresOptions? {
    // What is wrong with it is told where it is opened.
    try? PostgresOptions(Secrets.resolved(table, files))
  }

  /// Drops the slot, if it was made here, nobody reads it, and one of these tables knows a login to its server.
  ///
  /// - Returns: what was done, or is to be done by hand; nil when the slot is gone already.
  package func settle(
    _ tables: [ConnectorTable], _ files: any FileIO
  ) throws(TerraceError) -> String? {
    let known = tables.lazy.filter { $0.options["connector"] == "postgres-cdc" }
      .compactMap { Self.options(of: $0, files)?.server }.first { $0.place == place }
    guard let known else { return text }
    do throws(TerraceError) {
      let connection = try PostgresConnection(known)
      let result = try connection.query(
        """
        SELECT active_pid, pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn))
        FROM pg_replication_slots WHERE slot_name = $1
        """, [slot])
      if result.rowCount == 0 {
        try files.delete(path)
        return nil
      }
      let held = result.text(0, 1) ?? "nothing"
      if let process = result.text(0, 0) {
        return "\(text) (process \(process) reads it, and it holds \(held))"
      }
      if !isOurs { return "\(text) (it holds \(held), and was not made by Terrace)" }
      try connection.query("SELECT pg_drop_replication_slot($1)", [slot])
      try files.delete(path)
      return
        "the replication slot \(slot) of \(place), which no job uses any more, is dropped: it held "
        + held
    } catch { return "\(text) (\(error.message))" }
  }
}
