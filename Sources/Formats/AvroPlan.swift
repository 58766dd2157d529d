import Columns

/// What to do with the next bytes of a row.
enum AvroOp: UInt8 {
  // Passing over.
  case skipNothing, skipByte, skipVarint, skipFixed, skipBytes, skipItems, skipMap, skipRecord
  case skipUnion
  // A value for the builder.
  case null, boolean, int8, int16, int32, int64, intToFloat, intToDouble, float, floatToDouble
  case double, bytes, fixedBytes, symbol, decimal, fixedDecimal
  /// A long times or (negative) divided by `extra`, as Int64, Int128 or Int32.
  case scaled64, scaled128, scaled32
  // Values of children.
  case list, map, entries, record, union
  // The same, checked: text in UTF-8, a time of day.
  case text, timeOfDay
  /// A branch that the wanted type has no room for.
  case refuse
}

/// One instruction; children are `count` step numbers from `links[first]` on.
struct AvroStep {
  var op: AvroOp
  /// Nil when passing over. The builders are kept alive by the plan.
  var builder: Unmanaged<ColumnBuilder>?
  var first: Int32 = 0
  var count: Int32 = 0
  /// Bytes of a fixed, factor of a scaled, precision of a decimal.
  var extra: Int = 0
}

/// A file's schema resolved against the wanted type, by name, into steps.
///
/// int → long → float → double and string ↔ bytes are promoted, integers narrowed with a check; a
/// missing nullable field becomes null; an unknown field is passed over.
final class AvroPlan {
  private(set) var steps: [AvroStep] = []
  private(set) var links: [Int32] = []
  /// Symbols of enums, by `extra` of the step.
  private(set) var symbols: [[[UInt8]]] = []
  private(set) var root: Int32 = 0
  let builders: [ColumnBuilder]
  private static let stepLimit = 1 << 20
  /// Whether values are checked that a file's writer is trusted with.
  let isStrict: Bool
  private var skippedRecords: [ObjectIdentifier: Int32] = [:]
  private var depth = 0
  /// Named types may refer to each other: their depth is not that of the schema's text.
  private static let depthLimit = 256

  init(_ schema: AvroSchema, wanted: RowType, isStrict: Bool = false) throws(TerraceError) {
    self.isStrict = isStrict
    builders = wanted.fields.map { ColumnBuilder($0.type) }
    guard let record = AvroTypes.rootRecord(schema) else {
      throw TerraceError(.corrupted, "the rows of this Avro file are not records")
        .with("type", schema.name)
    }
    let body = try fields(record, wanted.fields, builders, owner: nil)
    if case .union(let branches) = schema {
      var links: [Int32] = []
      for branch in branches {
        if case .record = branch { links.append(body) } else { links.append(add(.refuse)) }
      }
      root = add(.union, children: links)
    } else {
      root = body
    }
  }

  private func add(
    _ op: AvroOp, _ builder: ColumnBuilder? = nil, children: [Int32] = [], extra: Int = 0
  ) -> Int32 {
    steps.append(
      AvroStep(
        op: op, builder: builder.map { Unmanaged.passUnretained($0) }, first: Int32(links.count),
        count: Int32(children.count), extra: extra))
    links.append(contentsOf: children)
    return Int32(steps.count - 1)
  }

  private func fields(
    _ record: AvroRecord, _ wanted: [Field], _ builders: [ColumnBuilder], owner: ColumnBuilder?
  ) throws(TerraceError) -> Int32 {
    var children: [Int32] = []
    var places: [String: Int] = [:]
    for (index, field) in wanted.enumerated() { places[field.name] = index }
    var isSet = [Bool](repeating: false, count: wanted.count)
    for field in record.fields {
      guard let place = places[field.name], !isSet[place] else {
        let passed = try skip(field.schema)
        if steps[Int(passed)].op != .skipNothing { children.append(passed) }
        continue
      }
      isSet[place] = true
      do throws(TerraceError) {
        children.append(try step(field.schema, wanted[place].type, builders[place]))
      } catch { throw error.with("field", field.name) }
    }
    for (index, field) in wanted.enumerated() where !isSet[index] {
      guard field.type.isNullable else {
        throw TerraceError(.corrupted, "the Avro file lacks a field that may not be null")
          .with("field", field.name).with("record", record.name)
      }
      children.append(add(.null, builders[index]))
    }
    return add(.record, owner, children: children)
  }

  private func descend() throws(TerraceError) {
    depth += 1
    if depth > Self.depthLimit {
      throw TerraceError(.corrupted, "the types of the Avro schema are nested too deep")
    }
  }

  private func step(
    _ schema: AvroSchema, _ type: DataType, _ builder: ColumnBuilder
  ) throws(TerraceError) -> Int32 {
    defer { depth -= 1 }
    try descend()
    if steps.count > Self.stepLimit {
      throw TerraceError(.corrupted, "the unions of the Avro schema multiply without end")
    }
    if case .union(let branches) = schema {
      var children: [Int32] = []
      var fits = false
      for branch in branches {
        if case .null = branch {
          children.append(type.isNullable ? add(.null, builder) : add(.refuse))
          fits = fits || type.isNullable
          continue
        }
        do throws(TerraceError) {
          children.append(try step(branch, type, builder))
          fits = true
        } catch {
          if branches.count <= 2 { throw error }
          children.append(add(.refuse))
        }
      }
      if !fits { throw mismatch(schema, type) }
      return add(.union, children: children)
    }
    if case .null = schema, type.isNullable { return add(.null, builder) }
    switch type.kind {
    case .array, .map, .multiset, .row: return try nested(schema, type, builder)
    default: return try scalar(schema, type, builder)
    }
  }

  private func nested(
    _ schema: AvroSchema, _ type: DataType, _ builder: ColumnBuilder
  ) throws(TerraceError) -> Int32 {
    let inner = builder.children
    switch (type.kind, schema) {
    case (.row(let wanted), .record(let record)):
      return try fields(record, wanted, inner, owner: builder)
    case (.array(let element), .array(let items, _)):
      return add(.list, builder, children: [try step(items, element, inner[0])])
    case (.map(let key, let value), .map(let values)) where key.isText:
      return add(.map, builder, children: [try step(values, value, inner[1])])
    case (.multiset(let key), .map(let values)) where key.isText:
      return add(.map, builder, children: [try step(values, inner[1].type, inner[1])])
    case (.map(let key, let value), .array(.record(let entry), _)):
      return try entries(entry, key, value, builder)
    case (.multiset(let key), .array(.record(let entry), _)):
      return try entries(entry, key, inner[1].type, builder)
    default: throw mismatch(schema, type)
    }
  }

  /// A map with other than text keys: an array of records of a key and a value.
  private func entries(
    _ entry: AvroRecord, _ key: DataType, _ value: DataType, _ builder: ColumnBuilder
  ) throws(TerraceError) -> Int32 {
    let wanted = [Field(id: 0, name: "key", type: key), Field(id: 1, name: "value", type: value)]
    let body = try fields(entry, wanted, builder.children, owner: nil)
    return add(.entries, builder, children: [body])
  }

  private func scalar(
    _ schema: AvroSchema, _ type: DataType, _ builder: ColumnBuilder
  ) throws(TerraceError) -> Int32 {
    switch (type.kind, schema) {
    case (.boolean, .boolean): return add(.boolean, builder)
    case (.tinyint, .int), (.tinyint, .long): return add(.int8, builder)
    case (.smallint, .int), (.smallint, .long): return add(.int16, builder)
    case (.int, .int), (.int, .long), (.date, .int): return add(.int32, builder)
    case (.bigint, .int), (.bigint, .long): return add(.int64, builder)
    case (.float, .int), (.float, .long): return add(.intToFloat, builder)
    case (.double, .int), (.double, .long): return add(.intToDouble, builder)
    case (.float, .float): return add(.float, builder)
    case (.double, .float): return add(.floatToDouble, builder)
    case (.double, .double): return add(.double, builder)
    case (.char, _), (.varchar, _), (.binary, _), (.varbinary, _):
      return try text(schema, type, builder)
    case (.time, .int(let logical)) where logical != .date:
      return add(isStrict ? .timeOfDay : .int32, builder)
    case (.time, .long(.timeMicros)): return add(.scaled32, builder, extra: -1000)
    case (.decimal(let precision, let scale), .decimal(_, let fileScale, let fixed)):
      if scale != fileScale { throw mismatch(schema, type).with("scale", fileScale) }
      return decimal(fixed, precision, builder)
    case (.decimal(let precision, _), .bytes): return decimal(nil, precision, builder)
    case (.decimal(let precision, _), .fixed(let size)): return decimal(size, precision, builder)
    case (.timestamp(let precision), .long(let logical)),
      (.timestampLTZ(let precision), .long(let logical)):
      return timestamp(logical, precision, builder)
    default: throw mismatch(schema, type)
    }
  }

  private func text(
    _ schema: AvroSchema, _ type: DataType, _ builder: ColumnBuilder
  ) throws(TerraceError) -> Int32 {
    switch schema {
    case .string, .bytes, .decimal(_, _, nil):
      if !isStrict { return add(.bytes, builder) }
      switch type.kind {
      case .char, .varchar: return add(.text, builder)
      default: return add(.bytes, builder)
      }
    case .fixed(let size), .decimal(_, _, .some(let size)):
      return add(.fixedBytes, builder, extra: size)
    case .enumeration(let names):
      symbols.append(names.map { Array($0.utf8) })
      return add(.symbol, builder, extra: symbols.count - 1)
    default: throw mismatch(schema, type)
    }
  }

  private func decimal(_ fixed: Int?, _ precision: Int, _ builder: ColumnBuilder) -> Int32 {
    // The size of a fixed and the precision travel in one number.
    guard let fixed else { return add(.decimal, builder, extra: precision) }
    return add(.fixedDecimal, builder, extra: fixed << 8 | precision)
  }

  /// `extra` brings the file's unit to the column's: milli-, micro- or nanoseconds.
  private func timestamp(
    _ logical: AvroLogical, _ precision: Int, _ builder: ColumnBuilder
  ) -> Int32 {
    let target = precision <= 3 ? 1_000 : precision <= 6 ? 1_000_000 : 1_000_000_000
    let source: Int
    switch logical {
    case .timestampMillis, .localMillis: source = 1_000
    case .timestampMicros, .localMicros: source = 1_000_000
    case .timestampNanos, .localNanos: source = 1_000_000_000
    default: source = min(target, 1_000_000)
    }
    let factor = target >= source ? target / source : -(source / target)
    if precision > 6 { return add(.scaled128, builder, extra: factor) }
    return factor == 1 ? add(.int64, builder) : add(.scaled64, builder, extra: factor)
  }

  private func mismatch(_ schema: AvroSchema, _ type: DataType) -> TerraceError {
    TerraceError(.corrupted, "the Avro type cannot become the wanted one")
      .with("avro", schema.name).with("wanted", "\(type.kind)")
  }

  /// Steps that pass over a value; a record that contains itself links back.
  private func skip(_ schema: AvroSchema) throws(TerraceError) -> Int32 {
    defer { depth -= 1 }
    try descend()
    switch schema {
    case .null: return add(.skipNothing)
    case .boolean: return add(.skipByte)
    case .int, .long, .enumeration: return add(.skipVarint)
    case .float: return add(.skipFixed, extra: 4)
    case .double: return add(.skipFixed, extra: 8)
    case .fixed(let size), .decimal(_, _, .some(let size)):
      return size == 0 ? add(.skipNothing) : add(.skipFixed, extra: size)
    case .string, .bytes, .decimal(_, _, nil): return add(.skipBytes)
    case .array(let items, _): return add(.skipItems, children: [try skip(items)])
    case .map(let values): return add(.skipMap, children: [try skip(values)])
    case .union(let branches):
      var children: [Int32] = []
      for branch in branches { children.append(try skip(branch)) }
      return add(.skipUnion, children: children)
    case .record(let record):
      if let known = skippedRecords[ObjectIdentifier(record)] { return known }
      let place = add(.skipRecord)
      skippedRecords[ObjectIdentifier(record)] = place
      var children: [Int32] = []
      for field in record.fields {
        let child = try skip(field.schema)
        if steps[Int(child)].op != .skipNothing { children.append(child) }
      }
      // Without a byte to pass over, it is no step: a few such records could hold 2⁵⁰ of each other.
      if children.isEmpty { steps[Int(place)].op = .skipNothing }
      steps[Int(place)].first = Int32(links.count)
      steps[Int(place)].count = Int32(children.count)
      links.append(contentsOf: children)
      return place
    }
  }
}
