package import Columns

/// Folders of partitions: `dt=2026-01-01/hh=07/`.
///
/// Values are never read back from a path: the manifest holds them, and '' and NULL share a folder.
package enum PartitionPath {
  /// The path of a partition below the table's folder, with a slash at its end; "" when there are no
  /// partition columns.
  ///
  /// - Parameter partition: a BinaryRow with its arity before it.
  package static func text(
    _ partition: [UInt8], _ schema: TableSchema
  ) throws(TerraceError) -> String {
    try values(partition, schema).reduce(into: "") { path, pair in
      path += escaped(pair.name) + "=" + escaped(pair.text) + "/"
    }
  }

  /// Names and texts of the partition columns, in order, not escaped; NULL and blank text become
  /// `partition.default-name`.
  package static func values(
    _ partition: [UInt8], _ schema: TableSchema
  ) throws(TerraceError) -> [(name: String, text: String)] {
    let fields = schema.partitionType.fields
    let scalars = try decodeRow(partition, fields.map(\.type))
    let legacy = try schema.options.partitionLegacyName
    var result: [(String, String)] = []
    for (field, value) in zip(fields, scalars) {
      var text = value.isNull ? "" : try valueText(value, field.type, legacy: legacy)
      if text.allSatisfy(\.isWhitespace) { text = schema.options.partitionDefaultName }
      result.append((field.name, text))
    }
    return result
  }

  /// Text of a value as Java Paimon names folders: with `partition.legacy-name` (the default) by
  /// `toString` of its internal form, else by the cast to STRING.
  private static func valueText(
    _ value: Scalar, _ type: DataType, legacy: Bool
  ) throws(TerraceError) -> String {
    if case .binary = type.kind { throw unsupported(type) }
    if case .varbinary = type.kind { throw unsupported(type) }
    if type.isNested { throw unsupported(type) }
    switch (type.kind, value) {
    case (.date, .int(let days)) where legacy, (.time, .int(let days)) where legacy:
      return String(days)
    case (.timestamp, _) where legacy, (.timestampLTZ, _) where legacy:
      return localDateTime(value, type)
    default:
      let column = Cast.formatText(Column.repeating(value, type: type, count: 1))
      return String(decoding: column.bytes(0), as: UTF8.self)
    }
  }

  private static func unsupported(_ type: DataType) -> TerraceError {
    TerraceError(.unsupported, "a partition column of type \(type.text)")
  }

  /// Java's `LocalDateTime.toString`: no seconds when they are zero, else 0, 3, 6 or 9 decimals.
  private static func localDateTime(_ value: Scalar, _ type: DataType) -> String {
    var nanos: Int128 = 0
    switch value {
    case .int(let v):
      nanos = Int128(v) * (type.timestampPrecision <= 3 ? 1_000_000 : 1000)
    case .int128(let v): nanos = v
    default: break
    }
    let seconds = floorDivide(nanos, 1_000_000_000)
    let fraction = Int(nanos - seconds * 1_000_000_000)
    let days = floorDivide(seconds, 86400)
    let clock = Int(seconds - days * 86400)
    let date = Cast.dateText(Int(truncatingIfNeeded: days))
    var text = date + "T" + two(clock / 3600) + ":" + two(clock / 60 % 60)
    if clock % 60 != 0 || fraction != 0 { text += ":" + two(clock % 60) }
    if fraction != 0 {
      let digits = String(String(1_000_000_000 + fraction).dropFirst())
      let length = fraction % 1_000_000 == 0 ? 3 : fraction % 1000 == 0 ? 6 : 9
      text += "." + digits.prefix(length)
    }
    return text
  }

  private static func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }

  /// Hive's escaping: `%XX` for what file systems or the layout cannot bear.
  package static func escaped(_ text: String) -> String {
    var out: [UInt8] = []
    for byte in text.utf8 {
      if byte < 0x20 || byte == 0x7f || special.contains(byte) {
        out.append(UInt8(ascii: "%"))
        out.append(hexDigit(byte >> 4))
        out.append(hexDigit(byte & 15))
      } else {
        out.append(byte)
      }
    }
    return String(decoding: out, as: UTF8.self)
  }

  private static let special = Set("\"#%'*/:=?\\{}[]^".utf8)

  private static func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 48 + value : 55 + value }
}

extension DataType {
  /// Digits after the second of a timestamp; 0 for other types.
  package var timestampPrecision: Int {
    switch kind {
    case .timestamp(let precision), .timestampLTZ(let precision): precision
    default: 0
    }
  }
}
