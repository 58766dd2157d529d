import Columns
import Store

/// Switches between types of the server and of the warehouse, by Paimon's names.
struct MySQLTypeSwitches: Hashable, Sendable {
  var tinyintIsBoolean = true
  var allNullable = false
  var allStrings = false
  var charIsString = false
  var longtextIsBytes = false
  var unsignedBigintIsBigint = false

  init() {}

  init(_ options: inout ConnectorOptions) throws(TerraceError) {
    for word in (options.text("type-mapping") ?? "").split(separator: ",") {
      switch word.trimmed.lowercased() {
      case "tinyint1-not-bool": tinyintIsBoolean = false
      case "to-nullable": allNullable = true
      case "to-string": allStrings = true
      case "char-to-string": charIsString = true
      case "longtext-to-bytes": longtextIsBytes = true
      case "bigint-unsigned-to-bigint": unsignedBigintIsBigint = true
      case "decimal-no-change", "allow-non-string-to-string", "": break
      default:
        throw options.wrong(
          "type-mapping",
          "tinyint1-not-bool, to-nullable, to-string, char-to-string, longtext-to-bytes, "
            + "bigint-unsigned-to-bigint")
      }
    }
  }
}

/// A column as information_schema tells it.
struct MySQLColumn: Hashable, Sendable {
  var name: String
  /// `int`, `varchar`, `enum` …
  var base: String
  /// `int(10) unsigned`, `enum('a','b')`.
  var full: String
  var charset: String?
  var isNullable: Bool
  var length: Int
  var precision: Int
  var scale: Int
  var fraction: Int
  var isGenerated: Bool
  var comment: String?

  var isUnsigned: Bool { full.lowercased().contains("unsigned") || base == "serial" }

  /// Of ENUM and SET, in order.
  var members: [String] {
    guard let open = full.firstIndex(of: "("), let close = full.lastIndex(of: ")") else {
      return []
    }
    var found: [String] = []
    var text = ""
    var inside = false
    var rest = full[full.index(after: open)..<close]
    while let c = rest.popFirst() {
      if c != "'" {
        if inside { text.append(c) }
      } else if inside, rest.first == "'" {
        text.append("'")
        rest.removeFirst()
      } else {
        if inside { found.append(text) }
        text = ""
        inside.toggle()
      }
    }
    return found
  }

  private var width: Int {
    guard let open = full.firstIndex(of: "("), let close = full[open...].firstIndex(of: ")") else {
      return 0
    }
    return Int(full[full.index(after: open)..<close]) ?? 0
  }

  /// The column's type in the warehouse; nil when there is none.
  func type(_ switches: MySQLTypeSwitches) -> DataType? {
    guard let plain = plainType(switches) else { return nil }
    let type = switches.allStrings ? DataType.string : plain
    return isNullable || switches.allNullable ? type : type.notNull
  }

  /// Packed by the server: its log has the packed bytes.
  private var isCompressed: Bool { isText && full.contains("COMPRESSED") }
  private var hasCharset: Bool { charset.map(MySQLCharset.isKnown) ?? true }

  /// What is said of a column without a type in the warehouse.
  var refusal: String {
    if !hasCharset { return "the character set \(charset ?? "") of column \(name)" }
    return isCompressed ? "compressed columns: \(name)" : "columns of type \(full)"
  }

  private func plainType(_ switches: MySQLTypeSwitches) -> DataType? {
    if isCompressed || !hasCharset { return nil }
    switch base {
    case "tinyint":
      if width == 1, !isUnsigned, switches.tinyintIsBoolean { return .boolean }
      return isUnsigned ? .smallint : .tinyint
    case "smallint": return isUnsigned ? .int : .smallint
    case "mediumint", "year": return .int
    case "int": return isUnsigned ? .bigint : .int
    case "bigint":
      return isUnsigned && !switches.unsignedBigintIsBigint ? .decimal(20, 0) : .bigint
    case "float": return .float
    case "double": return .double
    case "decimal": return precision <= 38 ? .decimal(precision, scale) : .string
    case "date": return .date
    case "time": return DataType(.time(fraction))
    case "datetime", "timestamp": return .timestamp(fraction)
    case "char", "varchar":
      if switches.charIsString || length == 0 { return .string }
      return DataType(base == "char" ? .char(length) : .varchar(length))
    case "tinytext", "text", "mediumtext", "json", "enum":
      return .string
    case "longtext": return switches.longtextIsBytes ? .bytes : .string
    case "set": return .array(.string)
    case "vector": return .array(.float)
    case "binary", "varbinary": return DataType(.varbinary(max(length, 1)))
    case "tinyblob", "blob", "mediumblob", "longblob": return .bytes
    case "bit": return precision <= 1 ? .boolean : DataType(.binary((precision + 7) / 8))
    case "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring",
      "multipolygon", "geometrycollection", "geomcollection":
      return .string
    default: return nil
    }
  }

  /// A column of variable length: whether a value is too long is told by the value.
  var isText: Bool {
    ["char", "varchar", "binary", "varbinary"].contains(base) || base.hasSuffix("text")
      || base.hasSuffix("blob")
  }

  /// Whether a declared column can hold each value.
  func fits(_ declared: DataType) -> Bool {
    if case .varchar(DataType.unbounded) = declared.kind { return type(MySQLTypeSwitches()) != nil }
    var loose = MySQLTypeSwitches()
    loose.tinyintIsBoolean = false
    guard let own = type(MySQLTypeSwitches()), let number = type(loose) else { return false }
    if declared.kind == own.kind { return true }
    switch (declared.kind, base) {
    case (.bigint, "bigint"), (.binary, "bit"), (.varbinary, "bit"), (.bigint, "bit"),
      (.varbinary(DataType.unbounded), "binary"), (.timestampLTZ, "timestamp"),
      (.binary, "binary"), (.boolean, "tinyint"), (.bigint, "year"):
      return true
    case (.varbinary(DataType.unbounded), _):
      return ["varbinary", "longtext"].contains(base) || base.hasSuffix("blob")
    case (.timestamp(let p), "datetime"), (.timestamp(let p), "timestamp"): return p >= fraction
    case (.time(let p), "time"): return p >= min(fraction, 3)
    default: return PostgresDrift.holds(declared, number)
    }
  }

  /// Types that the log may have from before the column was widened: the log's own type says how a value is
  /// read, this one only what it means.
  func wasLogged(as type: UInt8) -> Bool {
    if isLogged(as: type) { return true }
    switch base {
    case "tinyint", "smallint", "mediumint", "int", "bigint": return [1, 2, 3, 8, 9].contains(type)
    case "float", "double": return [4, 5].contains(type)
    case "char", "varchar", "binary", "varbinary", "tinytext", "text", "mediumtext", "longtext",
      "tinyblob", "blob", "mediumblob", "longblob":
      return [15, 252, 253, 254].contains(type)
    default: return false
    }
  }

  /// Types that the log has for it.
  func isLogged(as type: UInt8) -> Bool {
    switch base {
    case "tinyint": type == 1
    case "smallint": type == 2
    case "mediumint": type == 9
    case "int": type == 3
    case "bigint": type == 8
    case "year": type == 13
    case "float": type == 4
    case "double": type == 5
    case "decimal": type == 246
    case "date": type == 10 || type == 14
    case "time": type == 19 || type == 11
    case "datetime": type == 18 || type == 12
    case "timestamp": type == 17 || type == 7
    case "char", "binary": type == 254
    case "varchar", "varbinary": type == 15 || type == 253
    case "enum": type == 247
    case "set": type == 248
    case "bit": type == 16
    case "json": type == 245 || type == 252
    case "vector": type == 242
    case "tinytext", "text", "mediumtext", "longtext", "tinyblob", "blob", "mediumblob",
      "longblob":
      type == 252
    default: type == 255 || type == 252
    }
  }
}

struct MySQLTableName: Hashable, Sendable, Comparable {
  var database: String
  var table: String

  var quoted: String { MySQLConnection.name(database) + "." + MySQLConnection.name(table) }
  var text: String { database + "." + table }

  static func < (a: MySQLTableName, b: MySQLTableName) -> Bool {
    (a.database, a.table) < (b.database, b.table)
  }
}

/// A table as information_schema tells it.
struct MySQLTable: Hashable, Sendable {
  var name: MySQLTableName
  var columns: [MySQLColumn]
  var primaryKey: [String]
  var comment: String?
  /// Has transactions: a consistent snapshot sees it at one moment.
  var isTransactional: Bool
  /// WITH SYSTEM VERSIONING: its log has old rows too.
  var isVersioned = false
  var engine = ""
}

/// Asks a server for its tables.
struct MySQLSchema {
  let connection: MySQLConnection
  private static let own = "('mysql','information_schema','performance_schema','sys')"

  /// Those that the user may see, without the server's own.
  func databases() throws(TerraceError) -> [String] {
    try connection.query(
      "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN \(Self.own)"
    ).compactMap { $0[0] }.sorted()
  }

  func tableNames(
    database: String?, table: String?
  ) throws(TerraceError) -> [MySQLTableName] {
    var text =
      "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES "
      + "WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND TABLE_SCHEMA NOT IN \(Self.own)"
    if let database { text += " AND TABLE_SCHEMA = \(MySQLConnection.literal(database))" }
    if let table { text += " AND TABLE_NAME = \(MySQLConnection.literal(table))" }
    return try connection.query(text).map {
      MySQLTableName(database: $0[0] ?? "", table: $0[1] ?? "")
    }.sorted()
  }

  /// Nil when there is no such table.
  func described(_ name: MySQLTableName) throws(TerraceError) -> MySQLTable? {
    let place =
      " WHERE TABLE_SCHEMA = \(MySQLConnection.literal(name.database)) "
      + "AND TABLE_NAME = \(MySQLConnection.literal(name.table))"
    let tables = try connection.query(
      "SELECT TABLE_COMMENT, ENGINE, TABLE_TYPE FROM information_schema.TABLES" + place)
    guard let found = tables.first else { return nil }
    let rows = try connection.query(
      "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, CHARACTER_SET_NAME, IS_NULLABLE, "
        + "CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION, EXTRA, "
        + "COLUMN_COMMENT, GENERATION_EXPRESSION FROM information_schema.COLUMNS"
        + place + " ORDER BY ORDINAL_POSITION")
    let columns = rows.map { row in
      let base = (row[1] ?? "").lowercased()
      return MySQLColumn(
        name: row[0] ?? "", base: base == "integer" ? "int" : base, full: row[2] ?? "",
        charset: row[3], isNullable: row[4] == "YES", length: row[5].flatMap { Int($0) } ?? 0,
        precision: row[6].flatMap { Int($0) } ?? 0, scale: row[7].flatMap { Int($0) } ?? 0,
        fraction: row[8].flatMap { Int($0) } ?? 0,
        isGenerated: !(row[11] ?? "").isEmpty && !(row[9] ?? "").contains("DEFAULT_GENERATED"),
        comment: row[10].flatMap { $0.isEmpty ? nil : $0 })
    }
    let keys = try connection.query(
      "SELECT COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE" + place
        + " AND CONSTRAINT_NAME = 'PRIMARY' ORDER BY ORDINAL_POSITION")
    let comment = found[0].flatMap { $0.isEmpty ? nil : $0 }
    return MySQLTable(
      name: name, columns: columns, primaryKey: keys.compactMap { $0[0] }, comment: comment,
      isTransactional: ["INNODB", "ROCKSDB", "TOKUDB"].contains((found[1] ?? "").uppercased()),
      isVersioned: found[2] == "SYSTEM VERSIONED", engine: found[1] ?? "")
  }

  /// Foreign keys by which the server changes rows of a table without a word in its log: the table they refer
  /// to, and the rules.
  func cascades(
    _ name: MySQLTableName
  ) throws(TerraceError) -> [(table: String, rules: String)] {
    // Since MySQL 9.6 the log has the rows, unless the server is told to leave this to InnoDB.
    let native = try connection.query("SHOW GLOBAL VARIABLES LIKE 'innodb_native_foreign_keys'")
    if native.first?[1] == "OFF" { return [] }
    let rows = try connection.query(
      "SELECT REFERENCED_TABLE_NAME, DELETE_RULE, UPDATE_RULE "
        + "FROM information_schema.REFERENTIAL_CONSTRAINTS "
        + "WHERE CONSTRAINT_SCHEMA = \(MySQLConnection.literal(name.database)) "
        + "AND TABLE_NAME = \(MySQLConnection.literal(name.table)) ORDER BY CONSTRAINT_NAME")
    let silent = ["CASCADE", "SET NULL", "SET DEFAULT"]
    var found: [(table: String, rules: String)] = []
    for row in rows {
      var rules: [String] = []
      for (i, verb) in ["DELETE", "UPDATE"].enumerated() {
        if let rule = row[i + 1], silent.contains(rule) { rules.append("ON \(verb) \(rule)") }
      }
      if !rules.isEmpty { found.append((row[0] ?? "", rules.joined(separator: ", "))) }
    }
    return found
  }

  /// Names of character sets by the numbers of their collations.
  func collations() throws(TerraceError) -> [Int: String] {
    if let known = connection.collations { return known }
    // Since 10.10 MariaDB has collations whose numbers only the second table tells.
    let tables = try connection.query(
      "SELECT TABLE_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'information_schema' "
        + "AND COLUMN_NAME = 'ID' AND TABLE_NAME IN "
        + "('COLLATIONS', 'COLLATION_CHARACTER_SET_APPLICABILITY')")
    var found: [Int: String] = [:]
    for table in tables.compactMap({ $0[0] }) {
      let rows = try connection.query(
        "SELECT ID, CHARACTER_SET_NAME FROM information_schema.\(table) WHERE ID IS NOT NULL")
      for row in rows {
        if let id = row[0].flatMap({ Int($0) }), let name = row[1] { found[id] = name }
      }
    }
    connection.collations = found
    return found
  }
}
