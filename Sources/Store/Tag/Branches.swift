package import Columns
import Formats

/// Independent lines of a table's metadata that share its data and manifest folders.
package struct Branches: Sendable {
  /// Of the main line.
  package let path: TablePath
  private let environment: Environment

  package init(_ path: TablePath, _ environment: Environment) {
    self.path = TablePath(path.root)
    self.environment = environment
  }

  private var files: any FileIO { environment.files }

  /// Names of the branches; the main line is not one of them.
  package func list() throws(TerraceError) -> [String] {
    try files.list(path.branches).filter { $0.hasPrefix("branch-") }.map { String($0.dropFirst(7)) }
  }

  /// All lines of the table, the main one first.
  package func paths() throws(TerraceError) -> [TablePath] {
    try [path] + list().map { TablePath(path.root, branch: $0) }
  }

  /// - Throws: kind `notFound`.
  package func branch(_ name: String) throws(TerraceError) -> TablePath {
    try Tag.checkName(name, "branch")
    let branch = TablePath(path.root, branch: name)
    if branch.branch != nil, try !files.exists(branch.home) {
      throw TerraceError(.notFound, "no such branch").with("branch", shown(name))
    }
    return branch
  }

  /// Starts a branch at a tag, or without rows.
  ///
  /// - Throws: kind `conflict` when there is one of this name.
  package func create(_ name: String, tag: String? = nil) throws(TerraceError) {
    try Tag.checkName(name, "branch")
    if name == "main" || name.allSatisfy({ $0.isASCII && $0.isNumber }) {
      throw TerraceError(.invalid, "a branch must not be called main or be a number")
        .with("branch", shown(name))
    }
    let branch = TablePath(path.root, branch: name)
    if try files.exists(branch.home) {
      throw TerraceError(.conflict, "there is a branch of this name").with("branch", shown(name))
    }
    let schemas = SchemaDirectory(path, environment)
    guard let tag else {
      return try copySchemas(try schemas.ids().suffix(1).map { $0 }, to: branch)
    }
    let tags = TagDirectory(path, environment)
    let found = try tags.tag(tag)
    // The schema comes last: with it the branch is a table.
    try tags.holding(found) { () throws(TerraceError) in
      try put(found.json.text(pretty: true), branch.tag(tag), in: branch.tags)
      let snapshot = branch.snapshot(found.snapshot.id)
      try put(found.snapshot.json.text(pretty: true), snapshot, in: branch.snapshots)
    }
    let snapshots = SnapshotDirectory(branch, environment)
    snapshots.hintEarliest(found.snapshot.id)
    snapshots.hintLatest(found.snapshot.id)
    try copySchemas(try schemas.ids().filter { $0 <= found.snapshot.schemaID }, to: branch)
  }

  private func copySchemas(_ ids: [Int], to branch: TablePath) throws(TerraceError) {
    for id in ids {
      guard let bytes = try files.readSmall(path.schema(id)) else { continue }
      try put(String(decoding: bytes, as: UTF8.self), branch.schema(id), in: branch.schemas)
    }
  }

  private func put(_ text: String, _ file: String, in folder: String) throws(TerraceError) {
    try files.makeDirectories(folder)
    _ = try files.publishNew(file, Array(text.utf8), names: environment.names)
  }

  /// Removes a branch's metadata. Data that only it used is left for `terrace orphans`.
  package func delete(_ name: String) throws(TerraceError) {
    let branch = try branch(name)
    guard branch.branch != nil else {
      throw TerraceError(.invalid, "the main line cannot be deleted")
    }
    // Without its schema it is a table no more, should the rest take two tries.
    try files.deleteTree(branch.schemas)
    try files.deleteTree(branch.home)
    try files.syncDirectory(path.branches)
  }
}
