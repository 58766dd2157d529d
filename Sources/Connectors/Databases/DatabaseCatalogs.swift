package import Columns
package import Store

extension ConnectorOptions {
  /// Of CREATE CATALOG, with what references in them stand for.
  init(
    catalog name: String, _ written: [String: String], folder: String, _ environment: Environment
  ) throws(TerraceError) {
    let plain = ConnectorTable(
      name: name, type: RowType([Field]()), options: written, folder: folder)
    self.init(try Secrets.resolved(plain, environment.files))
  }

  /// A table with the options of a catalog.
  func table(of name: String) -> ConnectorTable {
    var made = table
    made.options["type"] = nil
    made.options["table-name"] = name
    made.options["database-name"] = made.options["database-name"] ?? name
    made.type = RowType([("id", .int)])
    made.primaryKey = ["id"]
    return made
  }
}

/// The doors to what CREATE CATALOG names, by the option `type`.
package enum DatabaseCatalogs {
  /// Those that name a database server.
  package static let types = ["postgres-cdc", "mysql-cdc", "mariadb-cdc"]

  /// Opens nothing yet: the first question connects.
  ///
  /// - Parameters:
  ///   - options: as CREATE CATALOG has them; the catalog puts secrets in where it connects.
  ///   - folder: the project's.
  /// - Throws: `invalid` for options that are wrong or unknown, `unsupported` for a type that is not there.
  package static func open(
    _ name: String, _ options: [String: String], folder: String, _ environment: Environment
  ) throws(TerraceError) -> any DatabaseCatalog {
    switch options["type"] {
    case "postgres-cdc":
      return try PostgresCatalog(name: name, options, folder: folder, environment)
    case "mysql-cdc", "mariadb-cdc":
      return try MySQLCatalog(name: name, options, folder: folder, environment)
    default: throw unknown(options["type"])
    }
  }

  /// The right words for a type that is none.
  package static func unknown(_ type: String?) -> TerraceError {
    guard let type, !type.isEmpty else {
      return TerraceError(
        .invalid, "the option 'type' is missing",
        hint: "it is one of \(types.joined(separator: ", "))"
      ).with("option", "type")
    }
    return TerraceError(
      .unsupported, "a catalog of type '\(type)'",
      hint: "there are \(types.joined(separator: ", "))"
    ).with("option", "type")
  }
}
