import Columns

/// A column as the server has it.
struct PostgresColumn: Hashable, Sendable {
  var name: String
  var type: PostgresType
  var isNullable: Bool
  var comment: String?
  /// Computed by the server: the log does not hold it.
  var isGenerated: Bool
}

/// A table as the server has it.
struct PostgresTable: Hashable, Sendable {
  var id: UInt32
  var name: PostgresTableName
  /// Made of partitions.
  var isPartitioned: Bool
  /// The log does not hold its rows.
  var isUnlogged = false
  /// What the log tells of old rows: d(efault: the primary key), f(ull), n(othing), i(ndex).
  var identity: Character
  var comment: String?
  var columns: [PostgresColumn] = []
  var primaryKey: [String] = []
  /// Columns of old rows that the log holds; empty: none.
  var identityColumns: [String] = []

  var tellsOldRows: Bool { identity == "f" }

  func column(_ name: String) -> PostgresColumn? { columns.first { $0.name == name } }
}

/// Reads tables and types from the server's catalog. One thread at a time.
final class PostgresSchema {
  private let connection: PostgresConnection
  private var types: [UInt32: PostgresType] = [:]

  init(_ connection: PostgresConnection) { self.connection = connection }

  private static let listing = """
    SELECT c.oid, n.nspname, c.relname, c.relkind = 'p', c.relreplident,
      obj_description(c.oid, 'pg_class'), c.relpersistence = 'u'
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_'
    """

  /// Base tables, sorted, without their columns.
  ///
  /// - Parameters: names, or patterns that whole names match; nil: all. An exact name wins over a pattern.
  func tables(
    schema: String?, table: String?
  ) throws(TerraceError) -> [PostgresTable] {
    var sql = PostgresSchema.listing
    var values: [String?] = []
    for (column, pattern) in [("n.nspname", schema), ("c.relname", table)] {
      guard let pattern else { continue }
      values.append(pattern)
      let n = values.count
      sql += " AND (\(column) = $\(n) OR \(column) ~ ('^(' || $\(n) || ')$'))"
    }
    let result: PostgresResult
    do throws(TerraceError) { result = try connection.query(sql, values) } catch {
      let isPattern = error.facts.contains { $0.name == "sqlstate" && $0.value == "2201B" }
      if !isPattern { throw error }
      // A name that is no pattern is a name.
      let plain = sql.replacing(" ~ ('^(' ||", with: " = (").replacing("|| ')$')", with: ")")
      result = try connection.query(plain, values)
    }
    var found = PostgresSchema.listed(result)
    if let schema, found.contains(where: { $0.name.schema == schema }) {
      found.removeAll { $0.name.schema != schema }
    }
    if let table, found.contains(where: { $0.name.table == table }) {
      found.removeAll { $0.name.table != table }
    }
    return found.sorted { $0.name < $1.name }
  }

  /// Base tables by their object ids, without their columns.
  func tables(_ ids: Set<UInt32>) throws(TerraceError) -> [UInt32: PostgresTable] {
    let list = ids.sorted().map { String($0) }.joined(separator: ",")
    let sql = PostgresSchema.listing + " AND c.oid = ANY ($1::oid[])"
    let found = PostgresSchema.listed(try connection.query(sql, ["{\(list)}"]))
    return Dictionary(found.map { ($0.id, $0) }) { first, _ in first }
  }

  private static func listed(_ result: PostgresResult) -> [PostgresTable] {
    (0..<result.rowCount).map { row in
      PostgresTable(
        id: UInt32(result.text(row, 0) ?? "") ?? 0,
        name: PostgresTableName(
          schema: result.text(row, 1) ?? "", table: result.text(row, 2) ?? ""),
        isPartitioned: result.flag(row, 3), isUnlogged: result.flag(row, 6),
        identity: result.text(row, 4)?.first ?? "d", comment: result.text(row, 5))
    }
  }

  /// The table with its columns and keys. A key that is checked only at the end of a transaction is none:
  /// the log may hold two rows of it at a time.
  func described(_ table: PostgresTable) throws(TerraceError) -> PostgresTable {
    var table = table
    let id = String(table.id)
    let columns = try connection.query(
      """
      SELECT a.attname, a.atttypid, a.atttypmod, a.attnotnull,
        col_description(a.attrelid, a.attnum), a.attgenerated <> ''
      FROM pg_attribute a
      WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
      """, [id])
    for row in 0..<columns.rowCount {
      let type = try type(
        UInt32(columns.text(row, 1) ?? "") ?? 0, Int32(columns.text(row, 2) ?? "") ?? -1)
      table.columns.append(
        PostgresColumn(
          name: columns.text(row, 0) ?? "", type: type, isNullable: !columns.flag(row, 3),
          comment: columns.text(row, 4), isGenerated: columns.flag(row, 5)))
    }
    let keys = try connection.query(
      """
      SELECT a.attname, i.indisprimary, i.indisreplident
      FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY k(number, place)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
      WHERE i.indrelid = $1::oid AND (i.indisprimary OR i.indisreplident)
        AND i.indimmediate AND i.indisvalid AND k.place <= i.indnkeyatts
      ORDER BY k.place
      """, [id])
    for row in 0..<keys.rowCount {
      let name = keys.text(row, 0) ?? ""
      if keys.flag(row, 1) { table.primaryKey.append(name) }
      let identifies = table.identity == "i" ? keys.flag(row, 2) : keys.flag(row, 1)
      if identifies, table.identity == "d" || table.identity == "i" {
        table.identityColumns.append(name)
      }
    }
    if table.identity == "f" { table.identityColumns = table.columns.map(\.name) }
    return table
  }

  /// A type by its object id; domains as what they stand on.
  func type(_ oid: UInt32, _ modifier: Int32, depth: Int = 0) throws(TerraceError) -> PostgresType {
    if let plain = PostgresType(oid: oid, modifier: modifier, name: String(oid)) {
      var named = plain
      named.name = try name(oid, modifier)
      return named
    }
    if modifier < 0, let known = types[oid] { return known }
    let result = try connection.query(
      """
      SELECT typname, typtype, typbasetype, typtypmod, typelem, typcategory, typdelim
      FROM pg_type WHERE oid = $1::oid
      """, [String(oid)])
    let word = result.text(0, 0) ?? String(oid)
    var found = PostgresType(.text, name: word)
    if depth < 16, result.rowCount == 1 {
      if result.text(0, 1) == "d", let base = result.text(0, 2).flatMap({ UInt32($0) }) {
        found = try type(base, Int32(result.text(0, 3) ?? "") ?? -1, depth: depth + 1)
      } else if result.text(0, 5) == "A", let element = result.text(0, 4).flatMap({ UInt32($0) }),
        element != 0, result.text(0, 6) == ","
      {
        let inner = try type(element, modifier, depth: depth + 1)
        found = PostgresType(.array(inner), name: inner.name + "[]")
      } else if word == "hstore" {
        found = PostgresType(.hstore, name: word)
      }
    }
    if modifier < 0 { types[oid] = found }
    return found
  }

  private var names: [String: String] = [:]

  private func name(_ oid: UInt32, _ modifier: Int32) throws(TerraceError) -> String {
    let key = "\(oid) \(modifier)"
    if let known = names[key] { return known }
    let result = try connection.query(
      "SELECT format_type($1::oid, $2::int4)", [String(oid), String(modifier)])
    let name = result.text(0, 0) ?? String(oid)
    names[key] = name
    return name
  }

  /// The leaves of a table made of partitions, and the table itself when it is none.
  func leaves(_ table: PostgresTable) throws(TerraceError) -> [PostgresTableName] {
    if !table.isPartitioned { return [table.name] }
    return try partitions(table.id).values.sorted()
  }

  /// The leaves of a table made of partitions, by their object ids.
  func partitions(_ id: UInt32) throws(TerraceError) -> [UInt32: PostgresTableName] {
    let result = try connection.query(
      """
      SELECT c.oid, n.nspname, c.relname FROM pg_partition_tree($1::oid::regclass) p
        JOIN pg_class c ON c.oid = p.relid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE p.isleaf AND c.relkind = 'r'
      """, [String(id)])
    var found: [UInt32: PostgresTableName] = [:]
    for row in 0..<result.rowCount {
      found[UInt32(result.text(row, 0) ?? "") ?? 0] = PostgresTableName(
        schema: result.text(row, 1) ?? "", table: result.text(row, 2) ?? "")
    }
    return found
  }
}
