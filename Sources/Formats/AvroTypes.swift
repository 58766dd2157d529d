import Columns

/// Our types for a file's schema, when nobody says which are wanted.
struct AvroTypes {
  /// Paimon writes TIMESTAMP as `timestamp-*` and TIMESTAMP_LTZ as `local-timestamp-*`; the Avro
  /// specification means the opposite. Its generated names tell Paimon's files.
  private let isPaimon: Bool
  private var fieldCount = 0

  static func rowType(of schema: AvroSchema) throws(TerraceError) -> RowType {
    guard let record = rootRecord(schema) else {
      throw TerraceError(.unsupported, "an Avro file whose rows are not records")
        .with("type", schema.name)
    }
    var types = AvroTypes(isPaimon: record.name.hasPrefix("org.apache.paimon.avro.generated."))
    return RowType(try types.fields(record, depth: 0))
  }

  private init(isPaimon: Bool) { self.isPaimon = isPaimon }

  /// The record of a row; Java Paimon's data files have it in a union with null.
  static func rootRecord(_ schema: AvroSchema) -> AvroRecord? {
    switch schema {
    case .record(let record): return record
    case .union(let branches):
      let records = branches.compactMap { branch -> AvroRecord? in
        if case .record(let record) = branch { return record }
        return nil
      }
      return records.count == 1 ? records[0] : nil
    default: return nil
    }
  }

  private mutating func fields(_ record: AvroRecord, depth: Int) throws(TerraceError) -> [Field] {
    var fields: [Field] = []
    for field in record.fields {
      fieldCount += 1
      if fieldCount > AvroSchemaParser.typeLimit || depth > AvroSchemaParser.depthLimit {
        throw TerraceError(.unsupported, "an Avro schema that contains itself or is too large")
          .with("record", record.name)
      }
      let id = fieldCount - 1
      let type: DataType
      do throws(TerraceError) {
        type = try self.type(field.schema, depth: depth + 1)
      } catch { throw error.with("field", field.name) }
      fields.append(Field(id: id, name: field.name, type: type))
    }
    return fields
  }

  private mutating func type(_ schema: AvroSchema, depth: Int) throws(TerraceError) -> DataType {
    switch schema {
    case .null: return .string
    case .boolean: return .boolean.notNull
    case .float: return .float.notNull
    case .double: return .double.notNull
    case .string, .enumeration: return .string.notNull
    case .bytes: return .bytes.notNull
    case .int(.date): return .date.notNull
    case .int(.timeMillis): return DataType(.time(3), nullable: false)
    case .int: return .int.notNull
    case .long(let logical): return long(logical)
    case .fixed(let size): return DataType(.binary(max(size, 1)), nullable: false)
    case .decimal(let precision, let scale, _):
      if precision > 38 {
        throw TerraceError(.unsupported, "a decimal of over 38 digits").with("digits", precision)
      }
      return DataType.decimal(precision, scale).notNull
    case .array(let items, let isMap):
      if isMap, case .record(let entry) = items, entry.fields.count == 2 {
        let key = try type(entry.fields[0].schema, depth: depth + 1)
        return DataType.map(key, try type(entry.fields[1].schema, depth: depth + 1)).notNull
      }
      return DataType.array(try type(items, depth: depth + 1)).notNull
    case .map(let values):
      return DataType.map(.string.notNull, try type(values, depth: depth + 1)).notNull
    case .record(let record): return DataType.row(try fields(record, depth: depth)).notNull
    case .union(let branches):
      let others = branches.filter { if case .null = $0 { false } else { true } }
      guard others.count <= 1 else {
        throw TerraceError(.unsupported, "an Avro union of several types")
          .with("branches", branches.map(\.name).joined(separator: ","))
      }
      guard let other = others.first else { return .string }
      let inner = try type(other, depth: depth + 1)
      return others.count == branches.count ? inner : inner.nullable
    }
  }

  private func long(_ logical: AvroLogical) -> DataType {
    let kind: DataType.Kind
    switch logical {
    case .timestampMillis: kind = isPaimon ? .timestamp(3) : .timestampLTZ(3)
    case .timestampMicros: kind = isPaimon ? .timestamp(6) : .timestampLTZ(6)
    case .timestampNanos: kind = isPaimon ? .timestamp(9) : .timestampLTZ(9)
    case .localMillis: kind = isPaimon ? .timestampLTZ(3) : .timestamp(3)
    case .localMicros: kind = isPaimon ? .timestampLTZ(6) : .timestamp(6)
    case .localNanos: kind = isPaimon ? .timestampLTZ(9) : .timestamp(9)
    case .timeMicros: kind = .time(6)
    case .none, .date, .timeMillis: kind = .bigint
    }
    return DataType(kind, nullable: false)
  }
}
