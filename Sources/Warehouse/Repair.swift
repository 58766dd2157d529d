package import Catalog
package import Columns
import Foundation
package import Store

/// Makes a project's metastore anew from what else there is: the warehouse's tables and tags, and the specs.
///
/// What the warehouse knows decides. Jobs' positions are in their targets' snapshots, so a deleted metastore
/// costs nothing but the counters that were shown last.
package struct Repair {
  /// One thing that was put right.
  package struct Change: Hashable, Sendable {
    /// `metastore`, `database`, `table`, `partition`, `layer`, `job`, `lease`.
    package var kind: String
    /// `made`, `added`, `removed`, `set aside`.
    package var action: String
    package var name: String

    package init(_ kind: String, _ action: String, _ name: String) {
      self.kind = kind
      self.action = action
      self.name = name
    }
  }

  private let file: String
  private let location: WarehouseLocation
  private let environment: Environment
  /// Puts layers, specs, jobs and lineage into a metastore.
  private let specs: (Metastore) throws(TerraceError) -> [Change]

  /// - Parameters:
  ///   - file: the metastore; it need not exist.
  ///   - specs: registers what the project's specs say; the tables of the warehouse are registered already.
  package init(
    file: String, _ location: WarehouseLocation, _ environment: Environment,
    specs: @escaping (Metastore) throws(TerraceError) -> [Change] = { _ in [] }
  ) {
    self.file = file
    self.location = location
    self.environment = environment
    self.specs = specs
  }

  /// Thrown to take a dry run back.
  private static let dryRun = TerraceError(.held, "dry run")

  /// - Parameter isDry: tell what would be done, and do nothing.
  /// - Throws: `unsupported` for a metastore of a newer version, which is left as it is.
  package func run(isDry: Bool) throws(TerraceError) -> [Change] {
    try location.mustExist(environment.files)
    var (store, changes) = try open(isDry: isDry)
    defer { store.close() }
    do throws(TerraceError) {
      try store.transaction { () throws(TerraceError) in
        changes += try repair(store)
        if isDry { throw Repair.dryRun }
      }
    } catch {
      if !isDry || error.description != Repair.dryRun.description { throw error }
    }
    return changes
  }

  /// The metastore as it is, or an empty one in its place.
  private func open(isDry: Bool) throws(TerraceError) -> (Metastore, [Change]) {
    if try environment.files.exists(file) {
      do throws(TerraceError) {
        let store = try Metastore.open(file, create: false)
        try store.check()
        return (store, [])
      } catch {
        if error.kind != .corrupted { throw error }
      }
      let aside = "\(file).damaged-\(environment.time.nowMillis())"
      let changes = [Change("metastore", "set aside", aside), Change("metastore", "made", file)]
      if isDry { return (try Metastore.open(":memory:"), changes) }
      for suffix in ["", "-wal", "-shm"] where try environment.files.exists(file + suffix) {
        try environment.files.rename(file + suffix, to: aside + suffix)
      }
      return (try Metastore.open(file), changes)
    }
    let changes = [Change("metastore", "made", file)]
    if isDry { return (try Metastore.open(":memory:"), changes) }
    let folder = URL(fileURLWithPath: file).deletingLastPathComponent().path
    try environment.files.makeDirectories(folder)
    // What a deleted file left behind would be taken for its newest pages.
    for suffix in ["-wal", "-shm"] { try environment.files.delete(file + suffix) }
    return (try Metastore.open(file), changes)
  }

  private func repair(_ store: Metastore) throws(TerraceError) -> [Change] {
    let warehouse = OpenWarehouse(location, environment, metastore: MetastoreDoor(store))
    var changes = try names(store, warehouse)
    for name in try warehouse.allTables() {
      let partitions = try warehouse.tagPartitions(of: name)
      let column = partitions.column ?? "dt"
      let (added, removed) = try partitions.reconcile()
      changes += added.map { Change("partition", "added", "\(name) \(column)=\($0)") }
      changes += removed.map { Change("partition", "removed", "\(name) \(column)=\($0)") }
    }
    changes += try specs(store)
    for lease in try store.leases() where lease.untilMillis < environment.time.nowMillis() {
      try store.release(lease)
      changes.append(Change("lease", "removed", "\(lease.name) of process \(lease.pid)"))
    }
    return changes
  }

  /// Databases and tables: those that are there and no others.
  private func names(
    _ store: Metastore, _ warehouse: OpenWarehouse
  ) throws(TerraceError) -> [Change] {
    var changes: [Change] = []
    let (known, there) = (try store.databases(), try warehouse.databases())
    for database in known where !there.contains(database) {
      try store.forget(database: database)
      changes.append(Change("database", "removed", database))
    }
    for database in there {
      let before = try store.properties(ofDatabase: database)["location"]
      try warehouse.register(database: database)
      if before == nil {
        changes.append(Change("database", "added", database))
      } else if try before != store.properties(ofDatabase: database)["location"] {
        changes.append(Change("database", "moved", database))
      }
      let (knownTables, tables) = (
        try store.tables(in: database), try warehouse.tables(in: database)
      )
      for table in knownTables where !tables.contains(table) {
        try store.forget(database: database, table: table)
        changes.append(Change("table", "removed", "\(database).\(table)"))
      }
      for table in tables where !knownTables.contains(table) {
        try store.register(database: database, table: table)
        changes.append(Change("table", "added", "\(database).\(table)"))
      }
    }
    // Partitions of tables that neither the catalog nor the warehouse knows.
    let tables = Set(try warehouse.allTables().map(\.description))
    for table in Set(try store.partitions().map(\.table)).sorted() where !tables.contains(table) {
      let (_, removed) = try store.reconcile(table: table, with: [])
      changes += removed.map { Change("partition", "removed", "\(table) \($0)") }
    }
    return changes
  }
}
