/// A logical type of Paimon and Flink SQL, with its nullability.
public struct DataType: Hashable, Sendable {
  public indirect enum Kind: Hashable, Sendable {
    case boolean, tinyint, smallint, int, bigint, float, double
    /// Precision 1…38, scale 0…precision.
    case decimal(Int, Int)
    /// Length in code points. `varchar(DataType.unbounded)` is STRING.
    case char(Int), varchar(Int)
    /// Length in bytes. `varbinary(DataType.unbounded)` is BYTES.
    case binary(Int), varbinary(Int)
    case date
    /// Precision 0…9; stored as milliseconds of the day.
    case time(Int)
    /// Precision 0…9.
    case timestamp(Int), timestampLTZ(Int)
    case array(DataType)
    case map(DataType, DataType)
    /// Elements with their counts.
    case multiset(DataType)
    case row([Field])
  }

  public static let unbounded = 2_147_483_647

  public var kind: Kind
  public var isNullable: Bool

  public init(_ kind: Kind, nullable: Bool = true) {
    self.kind = kind
    self.isNullable = nullable
  }

  public static let boolean = DataType(.boolean)
  public static let tinyint = DataType(.tinyint)
  public static let smallint = DataType(.smallint)
  public static let int = DataType(.int)
  public static let bigint = DataType(.bigint)
  public static let float = DataType(.float)
  public static let double = DataType(.double)
  public static let string = DataType(.varchar(unbounded))
  public static let bytes = DataType(.varbinary(unbounded))
  public static let date = DataType(.date)
  public static func decimal(_ precision: Int, _ scale: Int) -> DataType {
    DataType(.decimal(precision, scale))
  }
  public static func timestamp(_ precision: Int) -> DataType { DataType(.timestamp(precision)) }
  public static func array(_ element: DataType) -> DataType { DataType(.array(element)) }
  public static func map(_ key: DataType, _ value: DataType) -> DataType {
    DataType(.map(key, value))
  }
  public static func row(_ fields: [Field]) -> DataType { DataType(.row(fields)) }

  public var notNull: DataType { DataType(kind, nullable: false) }
  public var nullable: DataType { DataType(kind, nullable: true) }

  /// How a column of this type lies in memory.
  public var physical: Physical {
    switch kind {
    case .boolean: .boolean
    case .tinyint: .int8
    case .smallint: .int16
    case .int, .date, .time: .int32
    case .bigint: .int64
    case .float: .float32
    case .double: .float64
    case .decimal(let precision, _): precision <= 18 ? .int64 : .int128
    case .timestamp(let precision), .timestampLTZ(let precision):
      precision <= 6 ? .int64 : .int128
    case .char, .varchar, .binary, .varbinary: .bytes
    case .array: .list
    case .map, .multiset: .map
    case .row: .row
    }
  }

  /// Whether values of one type are values of the other as they are: the same but for what nested fields
  /// are called and numbered, and for nullability.
  public func hasValues(of other: DataType) -> Bool {
    switch (kind, other.kind) {
    case (.array(let a), .array(let b)), (.multiset(let a), .multiset(let b)):
      return a.hasValues(of: b)
    case (.map(let a, let x), .map(let b, let y)): return a.hasValues(of: b) && x.hasValues(of: y)
    case (.row(let a), .row(let b)):
      return a.count == b.count && zip(a, b).allSatisfy { $0.type.hasValues(of: $1.type) }
    default: return kind == other.kind
    }
  }

  public var isText: Bool {
    switch kind {
    case .char, .varchar: true
    default: false
    }
  }
}

/// How a column lies in memory.
///
/// | physical | values |
/// |---|---|
/// | boolean | one byte a row, 0 or 1 |
/// | int8 … float64 | little-endian, one a row |
/// | int64 for TIMESTAMP | p ≤ 3: milliseconds, p 4…6: microseconds since 1970 |
/// | int128 | DECIMAL over 18 digits: unscaled; TIMESTAMP(7…9): nanoseconds since 1970 |
/// | int64 for DECIMAL | unscaled value, up to 18 digits |
/// | bytes | Int32 offsets (count + 1) into bytes |
/// | list, map | Int32 offsets (count + 1) into child 0 (and child 1: the values of a map) |
/// | row | no values of its own, one child a field, each with as many rows |
public enum Physical: UInt8, Sendable {
  case boolean, int8, int16, int32, int64, float32, float64, int128, bytes, list, map, row

  /// Bytes a value of a fixed-width type; 0 for the others.
  @inlinable public var width: Int {
    switch self {
    case .boolean, .int8: 1
    case .int16: 2
    case .int32, .float32: 4
    case .int64, .float64: 8
    case .int128: 16
    case .bytes, .list, .map, .row: 0
    }
  }

  @inlinable public var hasOffsets: Bool {
    switch self {
    case .bytes, .list, .map: true
    default: false
    }
  }
}

/// A named column of a row type. The id stays the same through renames and type changes.
public struct Field: Hashable, Sendable {
  public var id: Int
  public var name: String
  public var type: DataType
  public var comment: String?
  /// Text of the default value, as the schema stores it.
  public var defaultValue: String?

  public init(
    id: Int, name: String, type: DataType, comment: String? = nil, defaultValue: String? = nil
  ) {
    self.id = id
    self.name = name
    self.type = type
    self.comment = comment
    self.defaultValue = defaultValue
  }
}

/// The ordered fields of a table or a file.
public struct RowType: Hashable, Sendable {
  public var fields: [Field]

  public init(_ fields: [Field]) { self.fields = fields }

  /// Fields with ids 0, 1, … in order; for types that no schema file holds.
  public init(_ columns: [(String, DataType)]) {
    fields = columns.enumerated().map {
      Field(id: $0.offset, name: $0.element.0, type: $0.element.1)
    }
  }

  public var count: Int { fields.count }
  public func index(of name: String) -> Int? { fields.firstIndex { $0.name == name } }
  public func index(ofID id: Int) -> Int? { fields.firstIndex { $0.id == id } }
}
