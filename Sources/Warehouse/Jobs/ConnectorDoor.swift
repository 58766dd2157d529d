import Columns
import Connectors
import Store

/// Where connectors come from, behind a seam so that tests can replace them.
package struct ConnectorDoor: Sendable {
  var source: @Sendable (ConnectorTable, Environment) throws(TerraceError) -> any Source = {
    (table, environment) throws(TerraceError) in try Connectors.source(table, environment)
  }
  var sink: @Sendable (ConnectorTable, Environment) throws(TerraceError) -> any Sink = {
    (table, environment) throws(TerraceError) in try Connectors.sink(table, environment)
  }
  var style: @Sendable (ConnectorTable) throws(TerraceError) -> ChangeStyle = {
    (table) throws(TerraceError) in try Connectors.style(of: table)
  }
  var check: @Sendable (ConnectorTable, Bool, Environment) throws(TerraceError) -> Void = {
    (table, isSource, environment) throws(TerraceError) in
    try Connectors.check(table, isSource: isSource, environment)
  }
  /// Of the name, the options and the project's folder.
  var catalog:
    @Sendable (String, [String: String], String, Environment) throws(TerraceError)
      -> any DatabaseCatalog = {
        (name, options, folder, environment) throws(TerraceError) in
        try DatabaseCatalogs.open(name, options, folder: folder, environment)
      }
}
