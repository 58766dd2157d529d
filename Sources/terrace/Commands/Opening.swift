import Columns
import Store
import Warehouse

/// What every command on a warehouse has to find first.
extension Arguments {
  /// - Parameter workers: threads for what is written.
  func warehouse(
    workers: Workers = Workers(count: 0)
  ) throws(TerraceError) -> OpenWarehouse {
    let environment = Environment(workers: workers)
    try atMostOne(of: "--warehouse", "--project", "--config")
    // A folder named by its path alone is opened without its project.
    let isOfProject = text("--warehouse") == nil && text("--config") == nil
    let folder = text("--project") ?? "."
    if isOfProject, try environment.files.exists(folder + "/" + ProjectConfig.fileName) {
      let project = try OpenProject(folder: folder, environment)
      return OpenWarehouse(
        project.warehouse.location, environment,
        metastore: try MetastoreDoor(
          project: project.folder, uri: project.config.values["catalog.uri"], environment.files))
    }
    let location = try WarehouseLocation.find(
      path: text("--warehouse"), config: text("--config"), project: text("--project"),
      environment.files)
    let door = isOfProject ? try MetastoreDoor(project: folder, environment.files) : .none
    return OpenWarehouse(location, environment, metastore: door)
  }

  /// Throws, kind `held`, while another process runs the jobs of the project: what they own is theirs.
  func mustRest() throws(TerraceError) {
    if has("--warehouse") || has("--config") { return }
    try OpenProject.mustRest(folder: text("--project") ?? ".", Environment())
  }

  /// The operand TABLE, on the branch of `--branch` when that is given.
  func tableName() throws(TerraceError) -> TableName {
    let name = try TableName(operand("TABLE"))
    guard let branch = text("--branch") else { return name }
    if let other = name.branch, other != branch {
      throw TerraceError(.invalid, "\(operand("TABLE")) is on another branch than \(branch)")
    }
    try TableName.check(branch, "branch")
    return TableName(database: name.database, table: name.table, branch: branch)
  }

  var printFormat: PrintFormat { text("--format").flatMap { PrintFormat(rawValue: $0) } ?? .table }
}

extension Console {
  /// Prints a list; `nothing` says on standard error that a table format has no rows.
  func show(_ listing: Listing, _ format: PrintFormat, nothing: String) throws(TerraceError) {
    if listing.isEmpty, format == .table {
      note(nothing)
      return
    }
    try output.write(listing.text(format, terminalWidth: width, isStyled: styledOutput))
  }
}

extension Operand {
  static let table = Operand("TABLE", "DATABASE.TABLE, or DATABASE.TABLE$branch_NAME")
  static let database = Operand("DATABASE", "its name")
}

extension Flag {
  static let branch = Flag("--branch", "-b", "NAME", "a branch of the table instead of main")
  static let ifExists = Flag(
    "--ignore-if-not-exists", "-i", nil, "do nothing when there is none")
  static let ifNotExists = Flag("--ignore-if-exists", "-i", nil, "do nothing when it is there")
}
