/// Keys of rows as bytes that compare, unsigned, as the rows do.
///
/// The first eight bytes of each key are also held as a number, zero-padded: most comparisons need
/// nothing else. When no key is longer (`isWhole`), the bytes are not kept at all.
public final class NormalizedKeys: @unchecked Sendable {
  public let count: Int
  /// Bytes 0…7 of each key as a big-endian number.
  public let prefixes: UnsafePointer<UInt64>
  /// Equal prefixes are equal keys.
  public let isWhole: Bool
  @usableFromInline let offsets: UnsafePointer<UInt32>
  @usableFromInline let bytes: UnsafePointer<UInt8>
  private let owners: [Buffer]

  init(whole prefixes: Buffer, count: Int) {
    self.count = count
    self.prefixes = UnsafePointer(prefixes.pointer(UInt64.self))
    isWhole = true
    offsets = UnsafePointer(prefixes.pointer(UInt32.self))
    bytes = UnsafePointer(prefixes.pointer(UInt8.self))
    owners = [prefixes]
  }

  init(bytes data: Buffer, offsets offsetBuffer: Buffer, count: Int) {
    self.count = count
    isWhole = false
    let prefixBuffer = Buffer(byteCount: count * 8)
    let out = prefixBuffer.pointer(UInt64.self)
    let ends = offsetBuffer.pointer(UInt32.self)
    for i in 0..<count {
      // The padding of a buffer makes the load safe; bytes of the next key are masked away.
      let start = Int(ends[i])
      let length = Int(ends[i &+ 1]) &- start
      let word = UInt64(
        bigEndian: (data.base + start).loadUnaligned(as: UInt64.self))
      let keep: UInt64 = length >= 8 ? ~0 : length == 0 ? 0 : ~0 << UInt64(64 &- length &* 8)
      out[i] = word & keep
    }
    prefixes = UnsafePointer(out)
    offsets = UnsafePointer(ends)
    bytes = UnsafePointer(data.pointer(UInt8.self))
    owners = [prefixBuffer, data, offsetBuffer]
  }

  /// The whole key of a row; only when the keys are not whole in their prefixes.
  @inlinable public func key(_ row: Int) -> UnsafeRawBufferPointer {
    let start = Int(offsets[row])
    return UnsafeRawBufferPointer(start: bytes + start, count: Int(offsets[row &+ 1]) &- start)
  }

  /// Negative, zero or positive as the key of `row` orders against that of `otherRow`.
  @inlinable @inline(__always) public func compare(
    _ row: Int, _ other: NormalizedKeys, _ otherRow: Int
  ) -> Int {
    let a = prefixes[row]
    let b = other.prefixes[otherRow]
    if a != b { return a < b ? -1 : 1 }
    return isWhole ? 0 : compareTails(row, other, otherRow)
  }

  @usableFromInline func compareTails(_ row: Int, _ other: NormalizedKeys, _ otherRow: Int) -> Int {
    compareBytes(key(row), other.key(otherRow))
  }

  /// Bytes held.
  public var byteCount: Int { owners.reduce(0) { $0 + $1.byteCount } }
}

/// Turns key columns into ``NormalizedKeys``.
///
/// Layout of a key, column after column: a marker byte when the column is nullable (0 = null, so
/// nulls come first), then the value. Numbers are big-endian with the sign flipped, floats as
/// ``orderedBits(_:)``. Text and bytes are copied; unless they end the key, a zero byte becomes
/// 00 FF and 00 00 ends them. A descending column has all its bits flipped. The same types give the
/// same layout for every batch, so keys of different batches compare.
public struct KeyEncoder: Sendable {
  public let types: [DataType]
  let descending: [Bool]
  /// Bytes of a fixed-width column with its marker; nil for the others.
  private let widths: [Int?]

  /// - Parameter descending: one flag a column; empty = all ascending.
  public init(_ types: [DataType], descending: [Bool] = []) {
    self.types = types
    self.descending = descending.isEmpty ? types.map { _ in false } : descending
    precondition(self.descending.count == types.count, "one direction a column")
    widths = types.map {
      $0.physical.width == 0 ? nil : $0.physical.width + ($0.isNullable ? 1 : 0)
    }
  }

  /// Bytes of a key without its columns of text, bytes and nested values.
  public var fixedBytes: Int { widths.reduce(0) { $0 + ($1 ?? 0) } }

  /// Keys of `count` rows.
  public func encode(_ columns: [Column], count: Int) -> NormalizedKeys {
    precondition(columns.count == types.count, "\(columns.count) columns for \(types.count) types")
    let fixed = widths.reduce(0) { $0 + ($1 ?? 1000) }
    if fixed <= 8 { return encodeWhole(columns, count) }

    let offsetBuffer = Buffer(byteCount: (count + 1) * 4)
    let cursors = offsetBuffer.pointer(UInt32.self)
    layOut(columns, count, cursors)
    let data = Buffer(byteCount: Int(cursors[count]))
    // Each column writes at its row's cursor and moves it; afterwards cursor i is the end of key i.
    for (i, column) in columns.enumerated() {
      var writer = KeyColumnWriter(
        column: column, isNullable: types[i].isNullable, descending: descending[i],
        isLast: isOpenEnded(i), out: data.pointer(UInt8.self), cursors: cursors)
      writer.write(count)
    }
    // Ends become starts again.
    var start: UInt32 = 0
    for i in 0..<count { swap(&cursors[i], &start) }
    cursors[count] = start
    return NormalizedKeys(bytes: data, offsets: offsetBuffer, count: count)
  }

  /// The last column needs no end mark, unless flipped bits would put a prefix behind.
  private func isOpenEnded(_ i: Int) -> Bool { i == types.count - 1 && !descending[i] }

  private func encodeWhole(_ columns: [Column], _ count: Int) -> NormalizedKeys {
    let buffer = Buffer(byteCount: count * 8)
    let out = buffer.pointer(UInt64.self)
    if columns.count == 1, types[0].physical == .int64, !types[0].isNullable, !descending[0] {
      let values = columns[0].pointer(UInt64.self)
      for i in 0..<count { out[i] = values[i] ^ 0x8000_0000_0000_0000 }
      return NormalizedKeys(whole: buffer, count: count)
    }
    out.update(repeating: 0, count: count)
    var used = 0
    for (i, column) in columns.enumerated() {
      let width = column.physical.width
      let shift = UInt64(64 - (used + (widths[i] ?? 0)) * 8)
      let mask: UInt64 = width == 8 ? ~0 : (1 << UInt64(width * 8)) - 1
      let marker: UInt64 = types[i].isNullable ? 1 << UInt64(width * 8) : 0
      let flip: UInt64 = descending[i] ? mask | (marker * 0xff) : 0
      for row in 0..<count {
        let bits = column.isNull(row) ? 0 : (column.orderedWord(row) & mask) | marker
        out[row] |= (bits ^ flip) << shift
      }
      used += widths[i] ?? 0
    }
    return NormalizedKeys(whole: buffer, count: count)
  }

  /// Fills `starts[0...count]` with where each key begins.
  private func layOut(_ columns: [Column], _ count: Int, _ starts: UnsafeMutablePointer<UInt32>) {
    let fixed = UInt32(widths.reduce(0) { $0 + ($1 ?? 0) })
    for i in 0..<count { starts[i] = fixed }
    for (i, column) in columns.enumerated() where widths[i] == nil {
      let marker = types[i].isNullable ? 1 : 0
      for row in 0..<count {
        starts[row] &+= UInt32(marker + column.keyLength(row, isLast: isOpenEnded(i)))
      }
    }
    var total = 0
    for i in 0..<count {
      let length = Int(starts[i])
      starts[i] = UInt32(truncatingIfNeeded: total)
      total += length
    }
    precondition(total <= Int(UInt32.max), "keys of over 4 GiB")
    starts[count] = UInt32(total)
  }
}
