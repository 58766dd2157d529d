/// Writes rows of columns as Paimon's binary rows, one after another into one scratch buffer.
///
/// Layouts, all little-endian, all parts padded with zeros to 8 bytes; offsets count from the start
/// of the row or array that holds them:
///
///     ROW    as ``BinaryRow``
///     ARRAY  [Int32 count][null bits, 4 bytes per 32][elements at their width or 8-byte slots][variable]
///     MAP    [Int32 bytes of the key array][key array][value array]
///
/// A null wide decimal or fine timestamp keeps its place in the variable part of a top-level row, as
/// in the rows that Paimon hashes keys of; inside nested values it does not.
public struct BinaryRowEncoder {
  private let columns: [Column]
  private var buffer = Buffer(byteCount: 256)
  private var end = 0

  public init(_ columns: [Column]) { self.columns = columns }

  /// The binary row of row `index`, without arity prefix; valid until the next call.
  public mutating func row(_ index: Int) -> UnsafeRawBufferPointer {
    end = 0
    writeRow(columns, index, keepsNullPlaces: true)
    return UnsafeRawBufferPointer(start: buffer.base, count: end)
  }

  private mutating func writeRow(_ columns: [Column], _ row: Int, keepsNullPlaces: Bool) {
    let start = end
    let slots = start + BinaryRow.nullBytes(columns.count)
    extend(BinaryRow.nullBytes(columns.count) + columns.count * 8)
    for (i, column) in columns.enumerated() {
      let isNull = column.isNull(row)
      if isNull { buffer.pointer(UInt8.self)[start + (i + 8) / 8] |= 1 << UInt8((i + 8) % 8) }
      if isNull {
        if keepsNullPlaces { keepPlace(column.type, start, slots + i * 8) }
      } else {
        writeValue(column, row, start, slots + i * 8)
      }
    }
  }

  private mutating func writeArray(_ elements: Column, _ rows: Range<Int>) {
    let start = end
    let header = 4 + (rows.count + 31) / 32 * 4
    let width = BinaryRowEncoder.slotWidth(elements.type)
    extend((header + width * rows.count + 7) / 8 * 8)
    store(Int32(rows.count), at: start)
    for (i, row) in rows.enumerated() {
      if elements.isNull(row) {
        buffer.pointer(UInt8.self)[start + 4 + i / 8] |= 1 << UInt8(i % 8)
      } else {
        writeValue(elements, row, start, start + header + i * width)
      }
    }
  }

  /// Writes a valid value into its slot, and what does not fit behind everything else.
  private mutating func writeValue(_ column: Column, _ row: Int, _ start: Int, _ slot: Int) {
    switch column.type.kind {
    case .decimal(let precision, _) where precision > 18:
      let digits = minimalBigEndian(column.pointer(Int128.self)[row])
      point(slot, to: end - start, low: digits.count)
      digits.withUnsafeBytes { append($0, padded: 16) }
    case .timestamp(let precision) where precision > 3,
      .timestampLTZ(let precision) where precision > 3:
      let (millis, nanos) = column.millisAndNanos(row, precision)
      point(slot, to: end - start, low: nanos)
      withUnsafeBytes(of: millis) { append($0, padded: 8) }
    case .char, .varchar, .binary, .varbinary: writeBytes(column.bytes(row), start, slot)
    case .array:
      let from = end
      writeArray(column.children[0], column.listRange(row))
      point(slot, to: from - start, low: end - from)
    case .map, .multiset:
      let from = end
      extend(4)
      writeArray(column.children[0], column.listRange(row))
      store(Int32(end - from - 4), at: from)
      writeArray(column.children[1], column.listRange(row))
      point(slot, to: from - start, low: end - from)
      extend((8 - (end - from) % 8) % 8)
    case .row:
      let from = end
      writeRow(column.children, row, keepsNullPlaces: false)
      point(slot, to: from - start, low: end - from)
    default: writeFixed(column, row, slot)
    }
  }

  private func writeFixed(_ column: Column, _ row: Int, _ slot: Int) {
    let target = buffer.base + slot
    switch column.physical {
    case .float32:
      let value = column.pointer(Float.self)[row]
      target.storeBytes(of: value.isNaN ? 0x7fc0_0000 : value.bitPattern, as: UInt32.self)
    case .float64:
      let value = column.pointer(Double.self)[row]
      target.storeBytes(of: value.isNaN ? 0x7ff8_0000_0000_0000 : value.bitPattern, as: UInt64.self)
    default:
      let width = column.physical.width
      target.copyMemory(from: column.values + row * width, byteCount: width)
    }
  }

  private mutating func writeBytes(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ slot: Int) {
    if bytes.count > 7 {
      point(slot, to: end - start, low: bytes.count)
      append(bytes, padded: (bytes.count + 7) / 8 * 8)
      return
    }
    if let from = bytes.baseAddress {
      (buffer.base + slot).copyMemory(from: from, byteCount: bytes.count)
    }
    buffer.pointer(UInt8.self)[slot + 7] = 0x80 | UInt8(bytes.count)
  }

  private mutating func keepPlace(_ type: DataType, _ start: Int, _ slot: Int) {
    switch type.kind {
    case .decimal(let precision, _) where precision > 18:
      point(slot, to: end - start, low: 0)
      extend(16)
    case .timestamp(let precision) where precision > 3,
      .timestampLTZ(let precision) where precision > 3:
      point(slot, to: end - start, low: 0)
      extend(8)
    default: break
    }
  }

  private static func slotWidth(_ type: DataType) -> Int {
    let width = type.physical.width
    return width == 0 || width > 8 ? 8 : width
  }

  /// Adds `count` zero bytes.
  private mutating func extend(_ count: Int) {
    if end + count > buffer.byteCount {
      let next = Buffer(byteCount: (end + count) * 2)
      next.base.copyMemory(from: buffer.base, byteCount: end)
      buffer = next
    }
    (buffer.base + end).initializeMemory(as: UInt8.self, repeating: 0, count: count)
    end += count
  }

  private mutating func append(_ bytes: UnsafeRawBufferPointer, padded: Int) {
    let from = end
    extend(padded)
    if let source = bytes.baseAddress {
      (buffer.base + from).copyMemory(from: source, byteCount: bytes.count)
    }
  }

  private func point(_ slot: Int, to offset: Int, low: Int) {
    buffer.base.storeBytes(
      of: Int64(offset) << 32 | Int64(low), toByteOffset: slot, as: Int64.self)
  }

  private func store(_ value: Int32, at offset: Int) {
    buffer.base.storeBytes(of: value, toByteOffset: offset, as: Int32.self)
  }
}

extension Column {
  /// Elements of a list or map row.
  @inlinable public func listRange(_ row: Int) -> Range<Int> {
    Int(offsets[row])..<Int(offsets[row &+ 1])
  }

  /// A timestamp as whole milliseconds since 1970 and nanoseconds of the millisecond.
  func millisAndNanos(_ row: Int, _ precision: Int) -> (Int64, Int) {
    if precision <= 6 {
      let micros = pointer(Int64.self)[row]
      let millis = floorDivide(micros, 1000)
      return (millis, Int(micros &- millis &* 1000) * 1000)
    }
    let total = pointer(Int128.self)[row]
    let millis = floorDivide(total, 1_000_000)
    return (Int64(truncatingIfNeeded: millis), Int(total &- millis &* 1_000_000))
  }
}
