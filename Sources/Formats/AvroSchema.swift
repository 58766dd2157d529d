import Columns

/// A schema of Avro 1.11, as a container's header holds it. Names are resolved.
indirect enum AvroSchema {
  case null, boolean, float, double, string, bytes
  case int(AvroLogical)
  case long(AvroLogical)
  case decimal(precision: Int, scale: Int, fixed: Int?)
  case fixed(Int)
  case enumeration([String])
  /// `isMap`: an array of key-value records that stands for a map with other than string keys.
  case array(AvroSchema, isMap: Bool)
  case map(AvroSchema)
  case union([AvroSchema])
  case record(AvroRecord)

  /// What it is, for errors.
  var name: String {
    switch self {
    case .null: "null"
    case .boolean: "boolean"
    case .float: "float"
    case .double: "double"
    case .string: "string"
    case .bytes: "bytes"
    case .int: "int"
    case .long: "long"
    case .decimal: "decimal"
    case .fixed: "fixed"
    case .enumeration: "enum"
    case .array: "array"
    case .map: "map"
    case .union: "union"
    case .record: "record"
    }
  }
}

/// What an int or long counts.
enum AvroLogical: String {
  case none, date
  case timeMillis = "time-millis"
  case timeMicros = "time-micros"
  case timestampMillis = "timestamp-millis"
  case timestampMicros = "timestamp-micros"
  case timestampNanos = "timestamp-nanos"
  case localMillis = "local-timestamp-millis"
  case localMicros = "local-timestamp-micros"
  case localNanos = "local-timestamp-nanos"
}

/// A record may contain itself, so it is an object; its fields are set once, by the parser.
final class AvroRecord {
  let name: String
  fileprivate(set) var fields: [(name: String, schema: AvroSchema)] = []
  init(name: String) { self.name = name }
}

/// A schema with all its records, which may refer to themselves: the owner undoes such circles when
/// it goes, or they would stay in memory for ever.
final class AvroSchemaOwner {
  fileprivate(set) var root = AvroSchema.null
  fileprivate var records: [AvroRecord] = []

  deinit { for record in records { record.fields = [] } }
}

/// Reads the JSON of a schema; hostile schemas are bounded by depth and by the count of types.
struct AvroSchemaParser {
  static let depthLimit = 64
  static let typeLimit = 100_000
  /// A fixed longer than this cannot be a value of ours.
  static let fixedLimit = 1 << 20

  private var named: [String: AvroSchema] = [:]
  private var types = 0
  private let owner = AvroSchemaOwner()

  /// - Throws: kind `corrupted`, naming the type that is wrong.
  static func parse(_ text: UnsafeRawBufferPointer) throws(TerraceError) -> AvroSchemaOwner {
    let json = try JSONValue.parse(text, limit: 16 << 20)
    var parser = AvroSchemaParser()
    parser.owner.root = try parser.schema(json, space: "", depth: 0)
    return parser.owner
  }

  private func wrong(_ what: String) -> TerraceError {
    TerraceError(.corrupted, "Avro schema: \(what)")
  }

  private mutating func schema(
    _ json: JSONValue, space: String, depth: Int
  ) throws(TerraceError) -> AvroSchema {
    types += 1
    if depth > Self.depthLimit { throw wrong("nested deeper than \(Self.depthLimit)") }
    if types > Self.typeLimit { throw wrong("more than \(Self.typeLimit) types") }
    switch json {
    case .string(let name): return try byName(name, json: nil, space: space)
    case .array(let branches):
      var schemas: [AvroSchema] = []
      for branch in branches {
        let inner = try schema(branch, space: space, depth: depth + 1)
        if case .union = inner { throw wrong("a union directly inside a union") }
        schemas.append(inner)
      }
      if schemas.isEmpty { throw wrong("a union of nothing") }
      return .union(schemas)
    case .object:
      guard let type = json["type"] else { throw wrong("a type without a name") }
      guard case .string(let name) = type else {
        return try schema(type, space: space, depth: depth + 1)
      }
      return try complex(name, json, space: space, depth: depth)
    default: throw wrong("\(json.kind) where a type should be")
    }
  }

  private mutating func complex(
    _ name: String, _ json: JSONValue, space: String, depth: Int
  ) throws(TerraceError) -> AvroSchema {
    switch name {
    case "array":
      guard let items = json["items"] else { throw wrong("an array without items") }
      let isMap = json["logicalType"]?.asString == "map"
      return .array(try schema(items, space: space, depth: depth + 1), isMap: isMap)
    case "map":
      guard let values = json["values"] else { throw wrong("a map without values") }
      return .map(try schema(values, space: space, depth: depth + 1))
    case "record", "error": return try record(json, space: space, depth: depth)
    case "enum":
      let symbols = try json.strings("symbols")
      let made = AvroSchema.enumeration(symbols)
      try define(fullName(json, space: space).full, made)
      return made
    case "fixed":
      let size = try json.int("size")
      guard size >= 0, size <= Int64(Self.fixedLimit) else {
        throw wrong("a fixed of \(size) bytes")
      }
      let made = decimal(json, fixed: Int(size)) ?? .fixed(Int(size))
      try define(fullName(json, space: space).full, made)
      return made
    default: return try byName(name, json: json, space: space)
    }
  }

  private mutating func record(
    _ json: JSONValue, space: String, depth: Int
  ) throws(TerraceError) -> AvroSchema {
    let name = try fullName(json, space: space)
    let record = AvroRecord(name: name.full)
    owner.records.append(record)
    try define(name.full, .record(record))
    var fields: [(name: String, schema: AvroSchema)] = []
    for field in try json.array("fields") {
      guard let type = field["type"] else { throw wrong("a field without a type") }
      fields.append(
        (try field.string("name"), try schema(type, space: name.space, depth: depth + 1)))
    }
    record.fields = fields
    return .record(record)
  }

  private mutating func define(_ name: String, _ schema: AvroSchema) throws(TerraceError) {
    if named.updateValue(schema, forKey: name) != nil { throw wrong("two types named \(name)") }
  }

  private func fullName(
    _ json: JSONValue, space: String
  ) throws(TerraceError) -> (full: String, space: String) {
    let name = try json.string("name")
    if let dot = name.lastIndex(of: ".") { return (name, String(name[..<dot])) }
    let own = try json.optionalString("namespace") ?? space
    return (own.isEmpty ? name : own + "." + name, own)
  }

  /// A primitive with its logical type, or a named type.
  private func byName(
    _ name: String, json: JSONValue?, space: String
  ) throws(TerraceError) -> AvroSchema {
    let logical = json?["logicalType"]?.asString.flatMap { AvroLogical(rawValue: $0) } ?? .none
    switch name {
    case "null": return .null
    case "boolean": return .boolean
    case "int": return .int(logical == .date || logical == .timeMillis ? logical : .none)
    case "long": return .long(logical == .date || logical == .timeMillis ? .none : logical)
    case "float": return .float
    case "double": return .double
    case "string": return .string
    case "bytes": return json.flatMap { decimal($0, fixed: nil) } ?? .bytes
    default:
      let full = space.isEmpty || name.contains(".") ? name : space + "." + name
      guard let found = named[full] ?? named[name] else { throw wrong("unknown type \(name)") }
      return found
    }
  }

  /// Nil when it is no decimal, or one that makes no sense: such a logical type is to be ignored.
  private func decimal(_ json: JSONValue, fixed: Int?) -> AvroSchema? {
    guard json["logicalType"]?.asString == "decimal", let precision = json["precision"]?.asInt
    else { return nil }
    let scale = json["scale"]?.asInt ?? 0
    guard precision > 0, precision < 10_000, scale >= 0, scale <= precision else { return nil }
    return .decimal(precision: Int(precision), scale: Int(scale), fixed: fixed)
  }
}
