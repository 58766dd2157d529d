internal import Columns
internal import Store

/// How a ``StateTable`` lies in a table of the store.
///
/// Its key becomes the primary key. A primary key has no nulls: a null is stored as the least value of
/// its type, and a column of bits says which values are null. A nested value in the key is stored as
/// its normalized bytes, and once more as itself.
final class StateFormat {
  let table: StateTable
  let fields: [Field]
  let primaryKey: [String]
  /// Fields that a lookup gives values for.
  let lookupFields: Int

  private enum Part {
    /// Column of the state table, without nulls when it is in the key.
    case column(Int, inKey: Bool)
    case bytes(Int)
    /// Bits of these columns, from the lowest.
    case nulls([Int])
  }
  private let parts: [Part]
  /// Where each column of the state table is read from.
  private let places: [Int]
  /// The field with the null bit of each key column, and the bit.
  private let nullBits: [Int: (field: Int, bit: Int)]
  private static let bitsMax = 62

  init(_ table: StateTable) {
    self.table = table
    let columns = table.type.fields
    var parts: [Part] = []
    var names: [String] = []
    var seen: Set<String> = []
    func name(_ wanted: String) -> String {
      let safe = wanted.isEmpty || wanted.hasPrefix("_KEY_") ? "c\(wanted)" : wanted
      var name = safe
      var number = 2
      while !seen.insert(name).inserted {
        name = "\(safe)_\(number)"
        number += 1
      }
      return name
    }
    func add(_ part: Part, _ wanted: String) {
      parts.append(part)
      names.append(name(wanted))
    }
    var nullBits: [Int: (field: Int, bit: Int)] = [:]
    let lookupCount = table.lookupCount == 0 ? table.keyCount : table.lookupCount
    for c in 0..<lookupCount {
      let isNested = StateFormat.isNested(columns[c].type)
      add(isNested ? .bytes(c) : .column(c, inKey: true), columns[c].name)
    }
    let nullable = (0..<table.keyCount).filter { columns[$0].type.isNullable }
    if nullable.isEmpty && table.keyCount == 0 { add(.nulls([]), "_nulls") }
    for start in stride(from: 0, to: nullable.count, by: StateFormat.bitsMax) {
      let some = Array(nullable[start..<min(nullable.count, start + StateFormat.bitsMax)])
      for (bit, c) in some.enumerated() { nullBits[c] = (parts.count, bit) }
      add(.nulls(some), "_nulls")
    }
    lookupFields = table.lookupCount == 0 ? 0 : parts.count
    for c in lookupCount..<max(lookupCount, table.keyCount) {
      add(.column(c, inKey: true), columns[c].name)
    }
    primaryKey = names
    for c in 0..<table.keyCount where StateFormat.isNested(columns[c].type) {
      add(.column(c, inKey: false), columns[c].name)
    }
    for c in table.keyCount..<columns.count { add(.column(c, inKey: false), columns[c].name) }
    self.parts = parts
    self.nullBits = nullBits
    var places = Array(repeating: 0, count: columns.count)
    for (i, part) in parts.enumerated() { if case .column(let c, _) = part { places[c] = i } }
    self.places = places
    fields = parts.enumerated().map { i, part in
      let type: DataType
      switch part {
      case .column(let c, let inKey):
        type = inKey ? columns[c].type.notNull : columns[c].type.nullable
      case .bytes: type = DataType.bytes.notNull
      case .nulls: type = DataType.bigint.notNull
      }
      return Field(id: i, name: names[i], type: type)
    }
  }

  private static func isNested(_ type: DataType) -> Bool {
    type.physical.width == 0 && type.physical != .bytes
  }

  /// Rows of the state table as rows of the stored one; without their values, if only keys count.
  func stored(_ rows: Batch) -> Batch {
    Batch(RowType(fields), columns(rows.columns, 0..<parts.count, rows.count), count: rows.count)
  }

  /// The fields that a lookup goes by, from columns of the state table.
  func lookupKeys(_ keys: [Column], count: Int) -> [Column] {
    columns(keys, 0..<lookupFields, count)
  }

  private func columns(_ given: [Column], _ range: Range<Int>, _ n: Int) -> [Column] {
    range.map { i in
      let type = fields[i].type
      switch parts[i] {
      case .column(let c, let inKey):
        return inKey ? StateFormat.withoutNulls(given[c]).retyped(type) : given[c].retyped(type)
      case .bytes(let c):
        let keys = KeyEncoder([given[c].type.nullable]).encode([given[c]], count: n)
        let builder = ColumnBuilder(type, capacity: n)
        for row in 0..<n { builder.append(bytes: keys.key(row)) }
        return builder.finish()
      case .nulls(let columns):
        let bits = Buffer(byteCount: n * 8)
        let p = bits.pointer(Int64.self)
        p.update(repeating: 0, count: n)
        for (bit, c) in columns.enumerated() where given[c].validity != nil {
          for row in 0..<n where given[c].isNull(row) { p[row] |= 1 << Int64(bit) }
        }
        return Column(type: type, count: n, values: bits)
      }
    }
  }

  /// Rows as they were given to `stored`.
  func loaded(_ rows: Batch) -> Batch {
    let columns = table.type.fields.enumerated().map { c, field -> Column in
      let column = rows.columns[places[c]]
      guard let (place, bit) = nullBits[c], places[c] < primaryKey.count else {
        return column.retyped(field.type)
      }
      let bits = rows.columns[place].pointer(Int64.self)
      let valid = Bitmap(count: rows.count, filled: true)
      var nulls = 0
      for row in 0..<rows.count where (bits[row] >> Int64(bit)) & 1 != 0 {
        valid.clear(row)
        nulls += 1
      }
      return nulls == 0 ? column.retyped(field.type) : column.withValidity(valid, field.type)
    }
    return Batch(table.type, columns, count: rows.count)
  }

  /// The column with the least value of its type in the place of nulls.
  private static func withoutNulls(_ column: Column) -> Column {
    guard column.validity != nil, column.nullCount > 0 else {
      return column.withValidity(nil, column.type.notNull)
    }
    let builder = ColumnBuilder(column.type.notNull, capacity: 1)
    switch column.physical {
    case .boolean: builder.append(Scalar.boolean(false))
    case .int128: builder.append(Scalar.int128(0))
    case .float32: builder.append(Scalar.float(0))
    case .float64: builder.append(Scalar.double(0))
    case .bytes: builder.append(Scalar.bytes([]))
    default: builder.append(Scalar.int(0))
    }
    let sources = Buffer(byteCount: column.count * 2)
    let rows = Buffer(byteCount: column.count * 4)
    for i in 0..<column.count {
      sources.pointer(UInt16.self)[i] = column.isNull(i) ? 1 : 0
      rows.pointer(Int32.self)[i] = column.isNull(i) ? 0 : Int32(i)
    }
    return Column.interleave(
      [column, builder.finish()], sources: sources.pointer(UInt16.self),
      rows: rows.pointer(Int32.self), count: column.count
    ).withValidity(nil, column.type.notNull)
  }
}
