import Columns
import Formats

/// A metadata column that the format's records have themselves.
struct FormatMetadata {
  var column: Field
  /// Members from the envelope down.
  var path: [String]
  /// As it is read.
  var type: DataType
  /// Seconds, unless so large that they are milliseconds.
  var isSeconds = false

  /// By Flink's names; nil when the format has no such metadata.
  init?(_ field: Field, key: String, _ kind: RecordFormat.Kind) {
    column = field
    guard let known = Self.known(kind).first(where: { $0.key == key }) else { return nil }
    path = known.path
    type = known.type
    isSeconds = kind == .maxwell && known.path == ["ts"]
    // Texts of times are read as what the column is.
    if kind == .ogg, case .timestampLTZ = type.kind, case .timestampLTZ = field.type.kind {
      type = field.type.nullable
    }
  }

  static func names(_ kind: RecordFormat.Kind) -> [String] { known(kind).map(\.key) }

  private static func known(
    _ kind: RecordFormat.Kind
  ) -> [(key: String, path: [String], type: DataType)] {
    let texts = DataType.array(.string)
    switch kind {
    case .debezium:
      return [
        ("schema", ["schema"], .string), ("ingestion-timestamp", ["ts_ms"], .bigint),
        ("source.timestamp", ["source", "ts_ms"], .bigint),
        ("source.database", ["source", "db"], .string),
        ("source.schema", ["source", "schema"], .string),
        ("source.table", ["source", "table"], .string),
        ("source.properties", ["source"], .map(.string, .string)),
      ]
    case .canal:
      return [
        ("database", ["database"], .string), ("table", ["table"], .string),
        ("sql-type", ["sqlType"], .map(.string, .int)), ("pk-names", ["pkNames"], texts),
        ("ingestion-timestamp", ["ts"], .bigint), ("event-timestamp", ["es"], .bigint),
      ]
    case .maxwell:
      return [
        ("database", ["database"], .string), ("table", ["table"], .string),
        ("primary-key-columns", ["primary_key_columns"], texts),
        ("ingestion-timestamp", ["ts"], .bigint),
      ]
    case .ogg:
      return [
        ("table", ["table"], .string), ("primary-keys", ["primary_keys"], texts),
        ("ingestion-timestamp", ["current_ts"], DataType(.timestampLTZ(6))),
        ("event-timestamp", ["op_ts"], DataType(.timestampLTZ(6))),
      ]
    case .json, .csv, .raw, .parquet, .avro: return []
    }
  }

  /// Whether the column's declared type can hold it as it is.
  var fits: Bool {
    if type.kind == DataType.bigint.kind {
      switch column.type.kind {
      case .timestampLTZ(3), .bigint: return true
      default: return false
      }
    }
    return Self.nullableThroughout(column.type) == Self.nullableThroughout(type)
  }

  private static func nullableThroughout(_ type: DataType) -> DataType {
    switch type.kind {
    case .array(let item): .array(nullableThroughout(item))
    case .map(let key, let value): .map(nullableThroughout(key), nullableThroughout(value))
    default: type.nullable
    }
  }

  /// The members of the envelope that the columns lie in, beside those that are there already.
  static func members(
    _ metadata: [FormatMetadata], beside known: [(String, DataType)]
  ) -> [(String, DataType)] {
    var members: [(String, DataType)] = []
    let hasMap = metadata.contains { $0.path == ["source"] }
    for one in metadata where one.path != ["schema"] {
      let name = one.path[0]
      if known.contains(where: { $0.0 == name }) || members.contains(where: { $0.0 == name }) {
        continue
      }
      if one.path.count == 1 || hasMap {
        members.append((name, hasMap && name == "source" ? .map(.string, .string) : one.type))
        continue
      }
      var inner: [(String, DataType)] = []
      for other in metadata where other.path.count == 2 && other.path[0] == name {
        if !inner.contains(where: { $0.0 == other.path[1] }) {
          inner.append((other.path[1], other.type))
        }
      }
      members.append((name, .row(RowType(inner).fields)))
    }
    return members
  }

  /// The column of an envelope's columns.
  func column(_ columns: [Column], _ fields: [Field]) -> Column {
    guard let index = fields.firstIndex(where: { $0.name == path[0] }) else {
      preconditionFailure("the envelope lacks \(path)")
    }
    let found = columns[index]
    if path.count == 1 { return (isSeconds ? millis(found) : found).retyped(column.type) }
    if case .row(let inner) = fields[index].type.kind,
      let child = inner.firstIndex(where: { $0.name == path[1] })
    {
      return child < found.children.count
        ? found.children[child].retyped(column.type)
        : Column.repeating(.null, type: column.type, count: found.count)
    }
    return property(found, path[1])
  }

  /// A value of a map of texts.
  private func property(_ map: Column, _ name: String) -> Column {
    let builder = ColumnBuilder(column.type)
    let parser = ValueParser(type)
    let wanted = Array(name.utf8)
    let (keys, values) = (map.children[0], map.children[1])
    for row in 0..<map.count {
      let items = map.isNull(row) ? 0..<0 : Int(map.offsets[row])..<Int(map.offsets[row + 1])
      let item = items.first { keys.bytes($0).elementsEqual(wanted) && !values.isNull($0) }
      let before = builder.count
      if let item {
        // What is no number is no time; the properties themselves show it.
        try? parser.append(values.bytes(item), to: builder)
      }
      if builder.count == before { builder.appendNull() }
    }
    return builder.finish()
  }

  /// Maxwell counts seconds; its tools, and Flink, milliseconds. Up to the year 5138 they do not meet.
  private func millis(_ seconds: Column) -> Column {
    let builder = ColumnBuilder(seconds.type, capacity: seconds.count)
    for row in 0..<seconds.count {
      if seconds.isNull(row) {
        builder.appendNull()
        continue
      }
      let value = seconds.pointer(Int64.self)[row]
      builder.append(value.magnitude < 100_000_000_000 ? value * 1000 : value)
    }
    return builder.finish()
  }
}
