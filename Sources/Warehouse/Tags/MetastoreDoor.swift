package import Catalog
package import Columns
package import Store
import Synchronization

/// The metastore of a warehouse, opened when it is first needed: reading a table does without.
package final class MetastoreDoor: Sendable {
  /// Nil when there is none.
  package let file: String?
  private let opened: Mutex<Metastore?>

  /// For a warehouse that belongs to no project.
  package static let none = MetastoreDoor(file: nil)

  /// Where a project keeps it unless `catalog.uri` says otherwise.
  package static let standardPath = "catalog/metastore.db"

  private init(file: String?, _ store: Metastore? = nil) {
    self.file = file
    opened = Mutex(store)
  }

  /// One that is open already.
  package convenience init(_ store: Metastore) { self.init(file: store.file, store) }

  /// The metastore of a project, if it was made.
  ///
  /// - Parameters:
  ///   - project: the folder.
  ///   - uri: of `catalog.uri`: `jdbc:sqlite:FILE`, `sqlite:FILE` or a file, relative to the project.
  package convenience init(
    project: String, uri: String? = nil, _ files: any FileIO
  ) throws(TerraceError) {
    let file = try MetastoreDoor.path(project: project, uri: uri)
    self.init(file: try files.exists(file) ? file : nil)
  }

  /// The file that a project's `catalog.uri` means.
  package static func path(project: String, uri: String?) throws(TerraceError) -> String {
    var path = uri ?? standardPath
    for scheme in ["jdbc:sqlite:", "sqlite:", "file:"] where path.hasPrefix(scheme) {
      path = String(path.dropFirst(scheme.count))
      break
    }
    let scheme = path.prefix { $0.isLetter || $0.isNumber || $0 == "+" }
    if path[scheme.endIndex...].first == ":", scheme.count > 1 {
      throw TerraceError(
        .unsupported, "a metastore at \(scheme):…", hint: "catalog.uri names an SQLite file"
      ).with("option", "catalog.uri")
    }
    if path.isEmpty || path.utf8.contains(0) {
      throw TerraceError(.invalid, "catalog.uri names no file").with("option", "catalog.uri")
    }
    return path.hasPrefix("/") ? path : project + "/" + path
  }

  /// Opens it the first time. Nil when there is none.
  package var metastore: Metastore? {
    get throws(TerraceError) {
      guard let file else { return nil }
      return try opened.withLock { (store) throws(TerraceError) -> Metastore? in
        if let store { return store }
        store = try Metastore.open(file, create: false)
        return store
      }
    }
  }
}
