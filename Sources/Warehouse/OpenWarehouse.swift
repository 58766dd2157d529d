package import Catalog
package import Columns
import Foundation
package import Store

/// A warehouse folder: databases are folders `NAME.db`, tables folders inside them (Paimon's
/// filesystem catalog). With a metastore the names are rows there too, as Paimon's JDBC catalog wants it.
package struct OpenWarehouse: Sendable {
  package let location: WarehouseLocation
  package let environment: Environment
  private let door: MetastoreDoor

  /// - Parameter metastore: of the project that the warehouse belongs to.
  package init(
    _ location: WarehouseLocation, _ environment: Environment, metastore: MetastoreDoor = .none
  ) {
    self.location = location
    self.environment = environment
    door = metastore
  }

  /// Nil for a warehouse without one.
  package var metastore: Metastore? { get throws(TerraceError) { try door.metastore } }

  private var files: any FileIO { environment.files }

  // MARK: Databases

  /// Without the hidden ones, whose names begin with `_`: they hold what the jobs remember.
  package func databases() throws(TerraceError) -> [String] {
    try allDatabases().filter { !$0.hasPrefix("_") }
  }

  package func allDatabases() throws(TerraceError) -> [String] {
    try location.mustExist(files)
    var names: [String] = []
    for name in try files.list(location.path) where name.hasSuffix(".db") && name.count > 3 {
      if try isFolder(location.path + "/" + name) { names.append(String(name.dropLast(3))) }
    }
    return names
  }

  private func folder(ofDatabase name: String) throws(TerraceError) -> String {
    try TableName.check(name, "database")
    return location.path + "/" + name + ".db"
  }

  private func isFolder(_ path: String) throws(TerraceError) -> Bool {
    try files.status(path + "/")?.isDirectory ?? false
  }

  /// Throws unless the database is there.
  package func mustHave(database name: String) throws(TerraceError) {
    let folder = try folder(ofDatabase: name)
    if try isFolder(folder) { return }
    throw TerraceError(
      .notFound, "database \(name)",
      hint: NearestName.hint(name, among: try databases(), else: "there are ")
    ).with("warehouse", location.path)
  }

  /// - Returns: false when it was there already.
  package func create(database name: String) throws(TerraceError) -> Bool {
    let folder = try folder(ofDatabase: name)
    if !location.isNamed { try location.mustExist(files) }
    if try isFolder(folder) { return false }
    try files.makeDirectories(folder)
    try register(database: name)
    return true
  }

  /// Removes a database, and all tables in it when `cascade` is set.
  package func drop(database name: String, cascade: Bool) throws(TerraceError) {
    try mustHave(database: name)
    let tables = try tables(in: name)
    if !cascade, !tables.isEmpty {
      throw TerraceError(
        .invalid,
        "database \(name) has tables: \(tables.prefix(5).joined(separator: ", "))"
          + (tables.count > 5 ? ", …" : ""), hint: "--cascade drops them too")
    }
    try metastore?.forget(database: name)
    try files.deleteTree(try folder(ofDatabase: name))
  }

  /// Makes a database known to the metastore, with its folder as others see it. Hidden ones stay so.
  package func register(database name: String) throws(TerraceError) {
    guard !name.hasPrefix("_"), let metastore = try metastore else { return }
    let folder = URL(fileURLWithPath: try folder(ofDatabase: name)).standardizedFileURL.path
    try metastore.register(database: name, location: folder)
  }

  /// Makes a table known to the metastore.
  package func register(_ name: TableName) throws(TerraceError) {
    guard !name.database.hasPrefix("_"), let metastore = try metastore else { return }
    try metastore.register(database: name.database, table: name.table)
  }

  // MARK: Tables

  /// Names of the folders of a database that have a schema.
  package func tables(in database: String) throws(TerraceError) -> [String] {
    try mustHave(database: database)
    let folder = try folder(ofDatabase: database)
    var names: [String] = []
    for name in try files.list(folder) {
      let schemas = SchemaDirectory(TablePath(folder + "/" + name), environment)
      if try isFolder(folder + "/" + name), try !schemas.ids().isEmpty { names.append(name) }
    }
    return names
  }

  /// Tables of all databases, without hidden ones.
  package func allTables() throws(TerraceError) -> [TableName] {
    var found: [TableName] = []
    for database in try databases() {
      found += try tables(in: database).map { TableName(database: database, table: $0) }
    }
    return found
  }

  package func path(of name: TableName) throws(TerraceError) -> TablePath {
    TablePath(try folder(ofDatabase: name.database) + "/" + name.table, branch: name.branch)
  }

  package func has(_ name: TableName) throws(TerraceError) -> Bool {
    try !SchemaDirectory(try path(of: name), environment).ids().isEmpty
  }

  /// Whether the newest snapshot of a table has any.
  func holdsRows(_ name: TableName) throws(TerraceError) -> Bool {
    let latest = try SnapshotDirectory(try path(of: name), environment).latest()
    return (latest?.totalRecordCount ?? 0) > 0
  }

  /// Throws unless the table is there.
  package func mustHave(_ name: TableName) throws(TerraceError) {
    try location.mustExist(files)
    try mustHave(database: name.database)
    let main = TableName(database: name.database, table: name.table)
    guard try has(main) else {
      throw TerraceError(
        .notFound, "table \(main)",
        hint: NearestName.hint(
          name.table, among: try tables(in: name.database), else: "\(name.database) has ")
      ).with("warehouse", location.path)
    }
    if let branch = name.branch, try !has(name) {
      throw TerraceError(
        .notFound, "branch \(branch) of \(main)",
        hint: NearestName.hint(branch, among: try branches(of: main), else: "there are "))
    }
  }

  /// The newest schema of a table.
  package func schema(of name: TableName) throws(TerraceError) -> TableSchema {
    try mustHave(name)
    return try SchemaDirectory(try path(of: name), environment).latest()
  }

  /// - Returns: false when the table was there already.
  package func create(_ name: TableName, _ schema: TableSchema) throws(TerraceError) -> Bool {
    try mustHave(database: name.database)
    guard name.branch == nil else {
      throw TerraceError(
        .invalid, "a branch is not made by table create", hint: "see “branch create”")
    }
    if try has(name) { return false }
    guard try SchemaDirectory(try path(of: name), environment).publish(schema) else { return false }
    try register(name)
    return true
  }

  package func drop(_ name: TableName) throws(TerraceError) {
    try mustHave(name)
    guard name.branch == nil else {
      throw TerraceError(.invalid, "a branch is not a table", hint: "see “branch delete”")
    }
    try metastore?.forget(database: name.database, table: name.table)
    try files.deleteTree(try path(of: name).root)
  }

  package func rename(_ name: TableName, to new: TableName) throws(TerraceError) {
    try mustHave(name)
    guard name.branch == nil, new.branch == nil else {
      throw TerraceError(.invalid, "a branch is not renamed here", hint: "see “branch rename”")
    }
    try mustHave(database: new.database)
    let target = try path(of: new).root
    if try files.exists(target) {
      throw TerraceError(.invalid, "table \(new) is there already")
    }
    let root = try path(of: name).root
    guard let metastore = try metastore else { return try files.rename(root, to: target) }
    try metastore.transaction { () throws(TerraceError) in
      try metastore.rename(
        database: name.database, table: name.table, to: (new.database, new.table))
      try files.rename(root, to: target)
    }
  }

  package func branches(of name: TableName) throws(TerraceError) -> [String] {
    try Branches(try path(of: name), environment).list()
  }

  /// Gives a branch another name; its content stays where it is.
  package func rename(
    branch: String, of name: TableName, to target: String
  ) throws(TerraceError) {
    try TableName.check(target, "branch")
    if target == "main" || target.allSatisfy(\.isNumber) {
      throw TerraceError(.invalid, "a branch must not be called main or be a number")
    }
    let root = try path(of: name).root
    try files.rename(
      TablePath(root, branch: branch).home, to: TablePath(root, branch: target).home)
  }
}
