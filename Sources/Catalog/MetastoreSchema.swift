import Columns

/// The migrations of the metastore, compiled into the binary from `catalog/schema.sql`.
struct MetastoreSchema {
  /// One step: run once, in one transaction, when the file is older.
  struct Migration {
    var version: Int
    var sql: String
  }

  /// In order of their versions, which count from 1 without a gap.
  let migrations: [Migration]

  static var text: String { String(decoding: PackageResources.schema_sql, as: UTF8.self) }

  /// Splits the file at its `-- version N` lines.
  init(_ text: String = MetastoreSchema.text) {
    var found: [Migration] = []
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix("-- version ") {
        let number = Int(line.dropFirst("-- version ".count)) ?? -1
        precondition(number == found.count + 1, "migrations count 1, 2, 3 …: \(line)")
        found.append(Migration(version: number, sql: ""))
      } else if !found.isEmpty {
        found[found.count - 1].sql += line + "\n"
      }
    }
    migrations = found
  }

  /// What a file of this program has in the end.
  var newest: Int { migrations.count }

  /// Brings a file to the newest version. Several processes may do so at once.
  func apply(to connection: SQLiteConnection, file: String) throws(TerraceError) {
    // Looked at without a lock first: nearly every opening finds nothing to do.
    if try version(connection, file) == newest { return }
    try connection.transaction { () throws(TerraceError) in
      let old = try version(connection, file)
      for migration in migrations.dropFirst(old) {
        do throws(TerraceError) {
          try connection.script(migration.sql)
        } catch {
          throw error.with("migration", migration.version)
        }
      }
      try connection.run(
        "INSERT OR REPLACE INTO terrace_meta(name, value) VALUES ('version', ?)",
        [.text(String(newest))])
    }
  }

  /// 0 for a file without our tables.
  private func version(
    _ connection: SQLiteConnection, _ file: String
  ) throws(TerraceError) -> Int {
    let known = try connection.rows(
      "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'terrace_meta'")
    if known.isEmpty { return 0 }
    let rows = try connection.rows("SELECT value FROM terrace_meta WHERE name = 'version'")
    guard let text = rows.first?.text(0), let version = Int(text), version > 0 else {
      throw TerraceError(.corrupted, "the metastore does not say its version").with("file", file)
        .hint("“terrace repair” makes it anew from the warehouse and the specs")
    }
    if version > newest {
      throw TerraceError(
        .unsupported, "a metastore of version \(version); this terrace knows up to \(newest)",
        hint: "use the newer terrace that made it"
      ).with("file", file)
    }
    return version
  }
}
