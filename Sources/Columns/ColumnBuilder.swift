/// A growing column. Decoders write through its pointers; nothing is allocated per row.
///
/// Rows are appended one after another: a value, or `appendNull()`. A list or map row is ended by
/// `endList()` after its elements went to the child builders; a ROW row by `endRow()` after each
/// child got its value. Capacity grows by doubling.
public final class ColumnBuilder {
  public let type: DataType
  public let physical: Physical
  @exclusivity(unchecked) @usableFromInline var rows = 0
  @inlinable public var count: Int { rows }
  @exclusivity(unchecked) public private(set) var nullCount = 0
  public let children: [ColumnBuilder]

  @exclusivity(unchecked) @usableFromInline var rowCapacity = 0
  @exclusivity(unchecked) @usableFromInline var data: Buffer
  private var offsetData: Buffer?
  @exclusivity(unchecked) private var validWords: Buffer?
  @exclusivity(unchecked) private var validBase: UnsafeMutablePointer<UInt64>?
  /// Values of a fixed-width builder, or the bytes of a variable-width one.
  @exclusivity(unchecked) @usableFromInline var base: UnsafeMutableRawPointer
  @exclusivity(unchecked) @usableFromInline var offsetBase: UnsafeMutablePointer<Int32>?
  @exclusivity(unchecked) @usableFromInline var byteEnd = 0
  private let width: Int

  public init(_ type: DataType, capacity: Int = 0) {
    self.type = type
    physical = type.physical
    width = physical.width
    switch type.kind {
    case .array(let element): children = [ColumnBuilder(element)]
    case .map(let key, let value): children = [ColumnBuilder(key), ColumnBuilder(value)]
    case .multiset(let key): children = [ColumnBuilder(key), ColumnBuilder(DataType.int.notNull)]
    case .row(let fields): children = fields.map { ColumnBuilder($0.type) }
    default: children = []
    }
    data = Buffer(byteCount: 0)
    base = data.base
    if physical.hasOffsets {
      let first = Buffer(byteCount: 4)
      first.pointer(Int32.self)[0] = 0
      offsetData = first
      offsetBase = first.pointer(Int32.self)
    }
    if capacity > 0 { reserve(capacity) }
  }

  /// Bytes appended so far to a bytes builder.
  public var byteCount: Int { byteEnd }

  /// Bytes held, children included; what a memory budget should count.
  public var allocatedBytes: Int {
    children.reduce(
      data.byteCount + (offsetData?.byteCount ?? 0) + (validWords?.byteCount ?? 0)
    ) { $0 + $1.allocatedBytes }
  }

  /// Room for `extra` more rows.
  @inlinable public func reserve(_ extra: Int) {
    if count &+ extra > rowCapacity { grow(to: count &+ extra) }
  }

  @usableFromInline func grow(to rows: Int) {
    let wanted = max(rows, rowCapacity * 2, 64)
    if width > 0 {
      let next = Buffer(byteCount: wanted * width)
      next.base.copyMemory(from: data.base, byteCount: count * width)
      data = next
      base = next.base
    }
    if let old = offsetData {
      let next = Buffer(byteCount: (wanted + 1) * 4)
      next.base.copyMemory(from: old.base, byteCount: (count + 1) * 4)
      offsetData = next
      offsetBase = next.pointer(Int32.self)
    }
    if let old = validWords {
      let next = Buffer(byteCount: (wanted + 63) / 64 * 8)
      let used = (rowCapacity + 63) / 64 * 8
      next.base.copyMemory(from: old.base, byteCount: used)
      (next.base + used).initializeMemory(
        as: UInt8.self, repeating: 0xff, count: next.byteCount - used)
      validWords = next
      validBase = next.pointer(UInt64.self)
    }
    rowCapacity = wanted
  }

  /// Room for `extra` more bytes of a bytes builder.
  ///
  /// A column holds less than 2 GiB of bytes: batches are far smaller, and readers check before.
  @inlinable public func reserveBytes(_ extra: Int) {
    if byteEnd &+ extra > data.byteCount { growBytes(to: byteEnd &+ extra) }
  }

  @usableFromInline func growBytes(to bytes: Int) {
    precondition(bytes <= Int(Int32.max), "a column of over 2 GiB of bytes")
    let next = Buffer(byteCount: max(bytes, min(data.byteCount * 2, Int(Int32.max)), 256))
    next.base.copyMemory(from: data.base, byteCount: byteEnd)
    data = next
    base = next.base
  }

  @inlinable public func append<T: BitwiseCopyable>(_ value: T) {
    reserve(1)
    base.assumingMemoryBound(to: T.self)[count] = value
    advance(1)
  }

  @inlinable public func append(bytes: UnsafeRawBufferPointer) {
    reserve(1)
    reserveBytes(bytes.count)
    if let source = bytes.baseAddress {
      (base + byteEnd).copyMemory(from: source, byteCount: bytes.count)
    }
    byteEnd &+= bytes.count
    offsetBase.unsafelyUnwrapped[count &+ 1] = Int32(truncatingIfNeeded: byteEnd)
    advance(1)
  }

  public func append(_ text: String) {
    var text = text
    text.withUTF8 { append(bytes: UnsafeRawBufferPointer($0)) }
  }

  public func appendNull() {
    reserve(1)
    if width > 0 {
      (base + count * width).initializeMemory(as: UInt8.self, repeating: 0, count: width)
    }
    if let offsetBase { offsetBase[count + 1] = offsetBase[count] }
    if physical == .row { for child in children { child.appendNull() } }
    markNull(count)
    advance(1)
  }

  /// Ends a list or map row: its elements are those the children got since the last row.
  public func endList() {
    reserve(1)
    offsetBase.unsafelyUnwrapped[count + 1] = Int32(children[0].count)
    advance(1)
  }

  /// Ends a ROW row: each child has got one value.
  public func endRow() {
    reserve(1)
    advance(1)
  }

  /// Room for `rows` values of a fixed-width type, to be filled and then `advance`d over.
  @inlinable public func spare<T: BitwiseCopyable>(_ rows: Int, of type: T.Type)
    -> UnsafeMutablePointer<T>
  {
    reserve(rows)
    return base.assumingMemoryBound(to: type) + count
  }

  /// Room for `rows` offsets after the current one and `bytes` bytes, for bulk decoders.
  ///
  /// Write `rows` end offsets (absolute, from `byteCount`), fill the bytes, then call `advance` and
  /// `advanceBytes`.
  @inlinable public func spareOffsets(_ rows: Int) -> UnsafeMutablePointer<Int32> {
    reserve(rows)
    return offsetBase.unsafelyUnwrapped + (count &+ 1)
  }
  @inlinable public func spareBytes(_ bytes: Int) -> UnsafeMutableRawPointer {
    reserveBytes(bytes)
    return base + byteEnd
  }
  @inlinable public func advanceBytes(_ bytes: Int) { byteEnd &+= bytes }

  /// Counts `rows` rows as written.
  @inlinable public func advance(_ more: Int) { rows &+= more }

  /// Marks a row null, already appended or reserved.
  public func markNull(_ row: Int) {
    if validBase == nil {
      let words = Buffer(byteCount: (max(rowCapacity, row + 1) + 63) / 64 * 8)
      words.base.initializeMemory(as: UInt8.self, repeating: 0xff, count: words.byteCount)
      validWords = words
      validBase = words.pointer(UInt64.self)
    }
    if let words = validBase {
      let mask: UInt64 = 1 << UInt64(row & 63)
      nullCount += Int((words[row >> 6] & mask) >> UInt64(row & 63))
      words[row >> 6] &= ~mask
    }
  }

  /// Appends rows of a column of the same type.
  public func append(_ column: Column, _ range: Range<Int>) {
    precondition(column.physical == physical, "rows of another type")
    let rows = range.count
    reserve(rows)
    if width > 0 {
      (base + count * width).copyMemory(
        from: column.values + range.lowerBound * width, byteCount: rows * width)
    } else if physical.hasOffsets {
      let from = Int(column.offsets[range.lowerBound])
      let to = Int(column.offsets[range.upperBound])
      let start: Int
      if physical == .bytes {
        reserveBytes(to - from)
        (base + byteEnd).copyMemory(from: column.values + from, byteCount: to - from)
        start = byteEnd
        byteEnd += to - from
      } else {
        start = children[0].count
        for (child, source) in zip(children, column.children) { child.append(source, from..<to) }
      }
      let out = offsetBase.unsafelyUnwrapped + count + 1
      let shift = Int32(start - from)
      let offsets = column.offsets + range.lowerBound + 1
      for i in 0..<rows { out[i] = offsets[i] &+ shift }
    } else {
      for (child, source) in zip(children, column.children) { child.append(source, range) }
    }
    if column.validity != nil {
      for row in range where column.isNull(row) { markNull(count + row - range.lowerBound) }
    }
    advance(rows)
  }

  /// Growth by doubling leaves up to half of a buffer unused: rows that wait in memory must not hold
  /// on to it.
  private func trimmed(_ buffer: Buffer, to used: Int) -> Buffer {
    if buffer.byteCount - used <= max(4096, used / 4) { return buffer }
    return Buffer(copying: UnsafeRawBufferPointer(start: buffer.base, count: used))
  }

  /// The rows so far; the builder starts empty again.
  public func finish() -> Column {
    var validity: Bitmap?
    if nullCount > 0, let words = validWords {
      validity = Bitmap(copying: words.pointer(UInt64.self), from: 0, count: count)
    }
    let used = width > 0 ? count * width : byteEnd
    let column = Column(
      type: type, count: count, values: physical == .row ? nil : trimmed(data, to: used),
      offsets: offsetData.map { trimmed($0, to: (count + 1) * 4) }, validity: validity,
      children: children.map { $0.finish() })
    rows = 0
    nullCount = 0
    rowCapacity = 0
    byteEnd = 0
    validWords = nil
    validBase = nil
    data = Buffer(byteCount: 0)
    base = data.base
    if physical.hasOffsets {
      let first = Buffer(byteCount: 4)
      first.pointer(Int32.self)[0] = 0
      offsetData = first
      offsetBase = first.pointer(Int32.self)
    }
    return column
  }
}
