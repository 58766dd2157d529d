package import Catalog
package import Columns
import Foundation
package import Store

/// A project folder with what belongs to it: its configuration, its warehouse, its metastore.
package struct OpenProject: Sendable {
  package let folder: String
  package let config: ProjectConfig
  package let warehouse: OpenWarehouse
  package let metastoreFile: String
  var connectors = ConnectorDoor()

  /// - Parameter folder: as named by the user; `.` for the current one.
  package init(
    folder: String, _ environment: Environment,
    variables: [String: String] = ProcessInfo.processInfo.environment
  ) throws(TerraceError) {
    guard try environment.files.status(folder + "/")?.isDirectory ?? false else {
      throw TerraceError(.notFound, "project folder \(folder)")
    }
    // Other engines find tables by absolute paths.
    let absolute = URL(fileURLWithPath: folder).standardizedFileURL.path
    self.folder = absolute
    config = try ProjectConfig.read(folder: absolute, environment, variables: variables)
    let path = config.values["warehouse"] ?? "warehouse"
    let location = try WarehouseLocation.find(
      path: path.hasPrefix("/") || path.contains(":/") ? path : absolute + "/" + path,
      config: nil, project: nil, environment.files)
    var bounded = environment
    bounded.aheadBytes = min(environment.aheadBytes, try config.memoryLimitBytes / 16)
    warehouse = OpenWarehouse(location, bounded)
    metastoreFile = try MetastoreDoor.path(project: absolute, uri: config.values["catalog.uri"])
  }

  /// Throws while another process runs the jobs.
  package static func mustRest(
    folder: String, _ environment: Environment
  ) throws(TerraceError) {
    let files = environment.files
    guard try files.exists(folder + "/" + ProjectConfig.fileName) else { return }
    try OpenProject(folder: folder, environment).mustRest()
  }

  /// Throws, kind `held`, while another process runs the jobs.
  func mustRest() throws(TerraceError) {
    guard try warehouse.environment.files.exists(lockFile) else { return }
    let now = warehouse.environment.time.nowMillis()
    try ProjectLock.take(lockFile, command: "terrace", nowMillis: now).release()
  }

  /// Whether it was ever applied.
  package var isApplied: Bool {
    get throws(TerraceError) { try warehouse.environment.files.exists(metastoreFile) }
  }

  /// The metastore; made when it is missing.
  package func metastore() throws(TerraceError) -> Metastore {
    try warehouse.environment.files.makeDirectories(
      URL(fileURLWithPath: metastoreFile).deletingLastPathComponent().path)
    return try Metastore.open(metastoreFile)
  }

  /// Where the lock of those who run it lies: beside the metastore.
  package var lockFile: String { metastoreFile + ".lock" }

  /// Tables that follow those of servers, now or until now, and those that could not be made when they were
  /// asked for: they come and change without being asked for again.
  package func followed(
    _ project: Project, _ metastore: Metastore
  ) throws(TerraceError) -> Set<String> {
    var names = Set(project.synced.map(\.name.description))
    names.formUnion(try metastore.synced().map(\.table))
    for job in try metastore.jobs() where job.fingerprint == AbsentJob.fingerprint {
      names.insert(job.name)
    }
    return names
  }

  /// Names of the catalogs that CREATE CATALOG makes, sorted.
  func catalogNames() throws(TerraceError) -> [String] {
    let files = warehouse.environment
    let layers = try SpecFile.readAll(folder: folder, layers: try config.layers, files)
    let found = try CatalogDefinition.readAll(folder: folder, files).found
    return (layers.flatMap(\.catalogs) + found).map(\.name).sorted()
  }

  /// Reads the specs.
  ///
  /// - Parameters:
  ///   - asksServers: of tables that are synced; else what they said last counts, where it is known.
  ///   - leavesOutWrong: synced tables that cannot be made are warned of and left out.
  ///   - rebuilds: synced tables that are to be made anew, as their servers have them now.
  package func load(
    asksServers: Bool = true, leavesOutWrong: Bool = false, rebuilds: Set<String> = []
  ) throws(TerraceError) -> (project: Project?, problems: [TerraceError]) {
    try Project.load(folder: folder, config: config, warehouse, connectors) {
      (statements, definitions) throws(TerraceError) in
      let memory = try isApplied && !statements.isEmpty ? SyncMemory(metastore()) : SyncMemory()
      let catalogs = SyncCatalogs(
        definitions, connectors, config, folder: folder, warehouse.environment)
      defer { catalogs.close() }
      if asksServers { try catalogs.check() }
      var expansion = SyncExpansion(
        asksServers ? .servers : .memory, memory, catalogs, warehouse, rebuilds: rebuilds)
      expansion.leavesOutWrong = leavesOutWrong
      for statement in statements { expansion.add(statement) }
      return expansion
    }
  }
}
