import Columns

/// The Avro schema that Paimon gives a row type (`AvroSchemaConverter` of Paimon 0.9 to 2.x).
///
/// | type | Avro |
/// |---|---|
/// | TINYINT, SMALLINT, INT | int |
/// | BIGINT, FLOAT, DOUBLE, BOOLEAN, STRING, BYTES | long, float, double, boolean, string, bytes |
/// | DECIMAL(p, s) | bytes, decimal: minimal big-endian two's complement |
/// | DATE, TIME(≤ 3) | int, date; int, time-millis |
/// | TIMESTAMP(≤ 3), (≤ 6) | long, timestamp-millis, timestamp-micros; LTZ: local-timestamp-… |
/// | MAP, MULTISET with text keys | map of the values (of int) |
/// | MAP, MULTISET with other keys | array of records (key, value), logical type map |
///
/// A nullable X is `["null", X]`. A nested record is named after its parent and its field.
struct AvroSchemaText {
  private var names: Set<String> = []

  /// - Parameter nullableRow: the row itself is a union with null, as in Java's data files.
  static func schema(
    _ type: RowType, recordName: String, nullableRow: Bool
  ) throws(TerraceError) -> JSONValue {
    var text = AvroSchemaText()
    let space = recordName.lastIndex(of: ".").map { String(recordName[..<$0]) }
    let name = recordName.lastIndex(of: ".").map {
      String(recordName[recordName.index(after: $0)...])
    }
    let record = try text.record(type.fields, name: name ?? recordName, space: space)
    return nullableRow ? .array([.string("null"), record]) : record
  }

  private mutating func record(
    _ fields: [Field], name: String, space: String? = nil
  ) throws(TerraceError) -> JSONValue {
    // Two paths may spell one name (a_b and a.b); readers go by field, so any other name will do.
    var unique = name
    while !names.insert(unique).inserted { unique += "_" }
    var items: [JSONValue] = []
    for field in fields {
      guard Self.isName(field.name) else {
        throw TerraceError(.unsupported, "Avro cannot hold a field of this name")
          .with("field", field.name)
      }
      do throws(TerraceError) {
        items.append(
          .members([
            ("name", .string(field.name)),
            ("type", try schema(field.type, name: name + "_" + field.name)),
            ("default", field.type.isNullable ? .null : nil),
          ]))
      } catch { throw error.with("field", field.name) }
    }
    return .members([
      ("type", .string("record")), ("name", .string(unique)),
      ("namespace", space.map { .string($0) }), ("fields", .array(items)),
    ])
  }

  /// Letters of any script, digits and underscores, not beginning with a digit.
  static func isName(_ name: String) -> Bool {
    guard let first = name.unicodeScalars.first, !("0"..."9").contains(first) else { return false }
    return name.unicodeScalars.allSatisfy {
      $0 == "_" || $0.properties.isAlphabetic || $0.properties.numericType != nil
    }
  }

  private mutating func schema(_ type: DataType, name: String) throws(TerraceError) -> JSONValue {
    let plain = try notNull(type, name: name)
    return type.isNullable ? .array([.string("null"), plain]) : plain
  }

  private mutating func notNull(_ type: DataType, name: String) throws(TerraceError) -> JSONValue {
    switch type.kind {
    case .boolean: return .string("boolean")
    case .tinyint, .smallint, .int: return .string("int")
    case .bigint: return .string("long")
    case .float: return .string("float")
    case .double: return .string("double")
    case .char, .varchar: return .string("string")
    case .binary, .varbinary: return .string("bytes")
    case .date: return logical("int", "date")
    case .time(let precision):
      if precision > 3 { throw tooFine("TIME", precision, 3) }
      return logical("int", "time-millis")
    case .timestamp(let precision):
      if precision > 6 { throw tooFine("TIMESTAMP", precision, 6) }
      return logical("long", precision <= 3 ? "timestamp-millis" : "timestamp-micros")
    case .timestampLTZ(let precision):
      if precision > 6 { throw tooFine("TIMESTAMP_LTZ", precision, 6) }
      return logical("long", precision <= 3 ? "local-timestamp-millis" : "local-timestamp-micros")
    case .decimal(let precision, let scale):
      return .members([
        ("type", .string("bytes")), ("logicalType", .string("decimal")),
        ("precision", .int(Int64(precision))), ("scale", .int(Int64(scale))),
      ])
    case .array(let element):
      return .members([("type", .string("array")), ("items", try schema(element, name: name))])
    case .map(let key, let value): return try map(key, value, name: name)
    case .multiset(let key): return try map(key, DataType.int, name: name)
    case .row(let fields): return try record(fields, name: name)
    }
  }

  private mutating func map(
    _ key: DataType, _ value: DataType, name: String
  ) throws(TerraceError) -> JSONValue {
    if key.isText {
      return .members([("type", .string("map")), ("values", try schema(value, name: name))])
    }
    var unique = name
    while !names.insert(unique).inserted { unique += "_" }
    let keyField: [(String, JSONValue?)] = [
      ("name", .string("key")), ("type", try schema(key, name: name + "_key")),
    ]
    let valueField: [(String, JSONValue?)] = [
      ("name", .string("value")), ("type", try schema(value, name: name + "_value")),
      ("default", value.isNullable ? .null : nil),
    ]
    let entry = JSONValue.members([
      ("type", .string("record")), ("name", .string(unique)),
      ("fields", .array([.members(keyField), .members(valueField)])),
    ])
    return .members([
      ("type", .string("array")), ("items", entry), ("logicalType", .string("map")),
    ])
  }

  private func logical(_ base: String, _ name: String) -> JSONValue {
    .members([("type", .string(base)), ("logicalType", .string(name))])
  }

  private func tooFine(_ type: String, _ precision: Int, _ limit: Int) -> TerraceError {
    TerraceError(.unsupported, "Avro holds \(type) up to precision \(limit)")
      .with("precision", precision)
  }
}
