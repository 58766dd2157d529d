import Catalog
package import Columns
import SQL
package import Store

/// A session over a project: its warehouse and metastore, its settings, and the views of its layers.
extension SQLSession {
  package convenience init(project: OpenProject) throws(TerraceError) {
    let environment = project.warehouse.environment
    let door = try MetastoreDoor(
      project: project.folder, uri: project.config.values["catalog.uri"], environment.files)
    self.init(
      OpenWarehouse(project.warehouse.location, environment, metastore: door),
      folder: project.folder, defaults: project.config.values)
    layersFolder = project.folder + "/layers"
    self.project = project
  }

  /// Definitions of tables change while no job runs.
  ///
  /// - Throws: `held` with the holder, while another process runs the project.
  func mustRest() throws(TerraceError) { try project?.mustRest() }

  /// Rows of a table that a job keeps are the job's; into all others anybody writes at any time.
  ///
  /// - Throws: `held` with the holder, while another process runs the job.
  func mustRest(toWrite name: TableName) throws(TerraceError) {
    guard let project, try project.isApplied else { return }
    let target = TableName(database: name.database, table: name.table).description
    if try project.metastore().jobs().contains(where: { $0.target == target }) {
      try project.mustRest()
    }
  }

  /// Whether a folder is a project's: it has specs or a configuration.
  package static func isProject(
    _ folder: String, _ files: any FileIO
  ) throws(TerraceError) -> Bool {
    if try files.exists(folder + "/" + ProjectConfig.fileName) { return true }
    return try files.status(folder + "/layers/")?.isDirectory ?? false
  }

  /// A view that a spec of the project defines; nil when there is none.
  func layerView(_ name: TableName) throws(TerraceError) -> StoredView? {
    guard let layersFolder, name.branch == nil else { return nil }
    let folder = layersFolder + "/" + name.database
    let files = warehouse.environment.files
    guard try files.status(folder + "/")?.isDirectory ?? false else { return nil }
    for file in try files.list(folder).sorted() where file.hasSuffix(".sql") {
      guard let bytes = try files.readSmall(folder + "/" + file, limit: SourceText.byteCountMax)
      else { continue }
      let text = SourceText(bytes: bytes, name: "layers/\(name.database)/\(file)")
      // What is wrong with a spec is for “terrace plan” to say.
      for statement in try Parser.statements(text).statements {
        guard case .createView(let create) = statement.kind, !create.isTemporary,
          create.name.last.text == name.table
        else { continue }
        let query = qualified(create.query, text, database: name.database)
        let whole = SourceText(
          SQLSession.viewText(name.table, create.columns.map(\.text), create.comment, query),
          name: "view \(name)")
        guard case .createView(let stored) = try Parser.script(whole).first?.kind else { continue }
        return StoredView(
          query: stored.query, text: whole, columns: create.columns.map(\.text),
          comment: create.comment)
      }
    }
    return nil
  }
}
