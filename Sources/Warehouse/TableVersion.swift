package import Columns
package import Store

/// A table opened at the version that somebody asked for.
package struct TableVersion: Sendable {
  /// With the columns of that version.
  package let table: Table
  /// Nil for a table without a commit.
  package let snapshot: Snapshot?
}

extension OpenWarehouse {
  /// Opens a table, or the branch that its name names, with its newest columns.
  package func open(_ name: TableName) throws(TerraceError) -> Table {
    try mustHave(name)
    let path = try path(of: name)
    return try Table.open(environment, path.root, branch: path.branch)
  }

  /// Opens a table as it was. An old version has the columns of its time.
  package func open(_ name: TableName, at travel: TimeTravel) throws(TerraceError) -> TableVersion {
    let table = try open(name)
    let snapshot = try travel.resolve(
      table.path, environment, snapshots: table.snapshots)
    guard travel != .latest, let snapshot else {
      return TableVersion(table: table, snapshot: snapshot)
    }
    return TableVersion(table: try table.at(snapshot), snapshot: snapshot)
  }
}
