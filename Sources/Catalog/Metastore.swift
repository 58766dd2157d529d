package import Columns
import Foundation

/// The catalog: one SQLite file that knows names, layers, schemas, jobs, lineage, partitions and leases.
///
/// All threads of a process share one connection and take turns; several processes may have the file open.
/// Paimon's JDBC catalog lists the same file's tables. Nothing in it is the only copy of anything that the
/// warehouse cannot give again: see `terrace repair`.
package final class Metastore: @unchecked Sendable {
  package let file: String
  let connection: SQLiteConnection
  // Recursive, so that what makes one row can be part of a transaction that makes many.
  private let turn = NSRecursiveLock()

  /// The `catalog-key` that Paimon's JDBC catalogs have unless it is set.
  static let catalogKey = "jdbc"

  /// Opens a metastore, makes it when it is missing, and brings an older one to this version.
  ///
  /// - Parameter create: false: a missing file is an error.
  /// - Throws: `corrupted` for a damaged file, `unsupported` for one of a newer version, `held` when another
  ///   process keeps it locked, `notFound`.
  package static func open(_ file: String, create: Bool = true) throws(TerraceError) -> Metastore {
    try Metastore(file, create: create, schema: MetastoreSchema())
  }

  init(_ file: String, create: Bool, schema: MetastoreSchema) throws(TerraceError) {
    self.file = file
    if !create, !FileManager.default.fileExists(atPath: file) {
      throw TerraceError(.notFound, "metastore \(file)", hint: "“terrace apply” makes it")
    }
    connection = try SQLiteConnection(file, create: create)
    do {
      try schema.apply(to: connection, file: file)
    } catch {
      connection.close()
      throw error
    }
  }

  package func close() {
    turn.lock()
    defer { turn.unlock() }
    connection.close()
  }

  /// Does all of `body` or nothing. May be nested.
  package func transaction<Result>(
    _ body: () throws(TerraceError) -> Result
  ) throws(TerraceError) -> Result {
    turn.lock()
    defer { turn.unlock() }
    return try connection.transaction(body)
  }

  func rows(_ sql: String, _ values: [SQLiteValue] = []) throws(TerraceError) -> [SQLiteRow] {
    turn.lock()
    defer { turn.unlock() }
    return try connection.rows(sql, values)
  }

  @discardableResult func run(
    _ sql: String, _ values: [SQLiteValue] = []
  ) throws(TerraceError) -> Int {
    turn.lock()
    defer { turn.unlock() }
    return try connection.run(sql, values)
  }

  /// Reads the whole file and its indexes.
  ///
  /// - Throws: `corrupted`, with what is wrong first.
  package func check() throws(TerraceError) {
    let found = try rows("PRAGMA integrity_check(1)").first?.text(0) ?? "nothing"
    if found != "ok" {
      throw TerraceError(
        .corrupted, "the metastore is damaged: \(found)",
        hint: "“terrace repair” makes it anew from the warehouse and the specs"
      ).with("file", file)
    }
  }
}
