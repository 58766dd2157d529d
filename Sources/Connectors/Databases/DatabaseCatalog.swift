package import Columns

/// A table of a database server: where it lies.
package struct DatabaseTable: Hashable, Sendable, Comparable {
  package var database: String
  /// PostgreSQL's; nil where databases have no schemas.
  package var schema: String?
  package var table: String

  package init(database: String, schema: String? = nil, table: String) {
    self.database = database
    self.schema = schema
    self.table = table
  }

  /// As people write it: `shop.public.orders`.
  package var text: String { [database, schema, table].compactMap(\.self).joined(separator: ".") }

  package static func < (a: DatabaseTable, b: DatabaseTable) -> Bool {
    (a.database, a.schema ?? "", a.table) < (b.database, b.schema ?? "", b.table)
  }
}

/// What a server says of one of its tables.
package struct DatabaseTableShape: Hashable, Sendable {
  package var table: DatabaseTable
  /// In the server's order, with comments, as types of the warehouse.
  package var columns: [Field]
  /// Empty for tables without one.
  package var primaryKey: [String]
  package var comment: String?
  /// Changes of it are told with the whole old row (REPLICA IDENTITY FULL, row images FULL).
  package var tellsOldRows: Bool
  /// What does not come along, for people: columns that are left out, changes that the server's log does not
  /// tell.
  package var notes: [String] = []
  /// Why its first rows cannot be read as they were at one moment; nil when they can.
  package var obstacle: String?

  package init(
    table: DatabaseTable, columns: [Field], primaryKey: [String], comment: String? = nil,
    tellsOldRows: Bool
  ) {
    self.table = table
    self.columns = columns
    self.primaryKey = primaryKey
    self.comment = comment
    self.tellsOldRows = tellsOldRows
  }
}

/// What CREATE CATALOG names: a server whose tables can be listed and described. Opens a connection when it
/// is asked first. One thread calls.
package protocol DatabaseCatalog: AnyObject {
  /// - Parameters:
  ///   - database: nil: the one that the options name.
  ///   - schema: nil: all of them.
  /// - Returns: base tables, sorted; no views, none of the system's.
  func tables(database: String?, schema: String?) throws(TerraceError) -> [DatabaseTable]
  /// All databases of the server that the user may see, sorted; for regular expressions over them.
  func databases() throws(TerraceError) -> [String]
  /// - Throws: `notFound`; `unsupported` for a column type that is not there, with fact `column`.
  func shape(of table: DatabaseTable) throws(TerraceError) -> DatabaseTableShape
  /// Options of a table with a connector that reads this table: `connector`, place and credentials as the
  /// catalog has them (secrets unresolved), `database-name`, `schema-name`, `table-name`.
  func options(for table: DatabaseTable) -> [String: String]
  func close()
}

extension DatabaseCatalog {
  /// Servers where a connection sees one database only.
  package func databases() throws(TerraceError) -> [String] {
    throw TerraceError(.unsupported, "a regular expression over the databases of this server")
  }
}
