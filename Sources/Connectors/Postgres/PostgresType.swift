import Columns

/// A type of PostgreSQL as far as its values are told apart, domains resolved to what they stand on.
struct PostgresType: Hashable, Sendable {
  enum Kind: Hashable, Sendable {
    case boolean, int2, int4, int8, oid, float4, float8
    /// Precision and scale; nil when it was declared without.
    case numeric(precision: Int?, scale: Int)
    /// Greatest length in characters; nil: none.
    case char(Int?), varchar(Int?)
    case bytea, date, hstore
    /// Digits of fractions of a second.
    case time(Int), timestamp(Int), timestamptz(Int)
    /// Everything whose text is the value: text, json, enums, uuid, intervals, addresses, shapes.
    case text
    indirect case array(PostgresType)
  }

  var kind: Kind
  /// As the server writes it; for messages.
  var name: String
  /// Object id of a type that every server has; 0 for others.
  private(set) var builtIn: UInt32 = 0

  /// From a type's object id and modifier; nil for types that are none of the built-in ones.
  init?(oid: UInt32, modifier: Int32, name: String) {
    self.name = name
    builtIn = oid
    let digits = modifier >= 0 ? Int(min(modifier, 6)) : 6
    let length = modifier >= 5 ? Int(modifier - 4) : nil
    switch oid {
    case 16: kind = .boolean
    case 17: kind = .bytea
    case 20: kind = .int8
    case 21: kind = .int2
    case 23: kind = .int4
    case 26: kind = .oid
    case 700: kind = .float4
    case 701: kind = .float8
    case 1042: kind = .char(length)
    case 1043: kind = .varchar(length)
    case 1082: kind = .date
    case 1083: kind = .time(digits)
    case 1114: kind = .timestamp(digits)
    case 1184: kind = .timestamptz(digits)
    case 1700: kind = PostgresType.numeric(modifier)
    // "char", name, text, json, xml, money, interval, timetz, bit, varbit, uuid, jsonb
    case 18, 19, 25, 114, 142, 790, 1186, 1266, 1560, 1562, 2950, 3802: kind = .text
    default: return nil
    }
  }

  init(_ kind: Kind, name: String) {
    self.kind = kind
    self.name = name
  }

  /// Precision in the upper half, scale in eleven bits with a sign, both after 4 is taken away.
  private static func numeric(_ modifier: Int32) -> Kind {
    guard modifier >= 4 else { return .numeric(precision: nil, scale: 0) }
    let packed = modifier - 4
    let scale = Int((packed & 0x7ff) ^ 1024) - 1024
    return .numeric(precision: Int(packed >> 16) & 0xffff, scale: scale)
  }

  /// What a column of it is here: Flink's and Paimon's map.
  var columnType: DataType {
    switch kind {
    case .boolean: .boolean
    case .int2: .smallint
    case .int4: .int
    case .int8, .oid: .bigint
    case .float4: .float
    case .float8: .double
    case .numeric(nil, _): .decimal(38, 18)
    case .numeric(let precision?, let scale): PostgresType.decimal(precision, scale)
    case .char(let length?): DataType(.char(length))
    case .varchar(let length?): DataType(.varchar(length))
    case .bytea: .bytes
    case .date: .date
    case .time(let digits): DataType(.time(digits))
    case .timestamp(let digits): .timestamp(digits)
    case .timestamptz(let digits): DataType(.timestampLTZ(digits))
    case .array(let element): .array(element.columnType)
    case .char, .varchar, .text, .hstore: .string
    }
  }

  private static func decimal(_ precision: Int, _ scale: Int) -> DataType {
    // A negative scale counts zeros before the point; one over the precision, zeros behind it.
    let wide = scale < 0 ? precision - scale : max(precision, scale)
    return wide <= 38 ? .decimal(max(1, wide), max(0, scale)) : .string
  }

  /// Whether its values can stand in a column that was declared so.
  func fits(_ declared: DataType) -> Bool {
    switch (kind, declared.kind) {
    case (_, .varchar), (_, .char): return true
    case (.boolean, .boolean): return true
    case (.int2, .tinyint), (.int2, .smallint), (.int2, .int), (.int2, .bigint): return true
    case (.int4, .smallint), (.int4, .int), (.int4, .bigint): return true
    case (.int8, .int), (.int8, .bigint), (.oid, .bigint), (.oid, .int): return true
    case (.int2, .decimal), (.int4, .decimal), (.int8, .decimal), (.oid, .decimal): return true
    case (.int2, .double), (.int4, .double), (.int2, .float): return true
    case (.float4, .float), (.float4, .double), (.float8, .double): return true
    case (.numeric, .decimal), (.numeric, .double), (.numeric, .bigint), (.numeric, .int):
      return true
    case (.bytea, .binary), (.bytea, .varbinary), (.date, .date), (.time, .time): return true
    case (.timestamp, .timestamp), (.timestamptz, .timestampLTZ), (.timestamptz, .timestamp),
      (.timestamp, .timestampLTZ):
      return true
    case (.hstore, .map(let key, let value)): return key.isText && value.isText
    case (.array(let element), .array(let inner)): return element.fits(inner)
    default: return false
    }
  }
}
