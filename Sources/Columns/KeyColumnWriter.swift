/// Writes one column's part of each key at the key's cursor.
struct KeyColumnWriter {
  let column: Column
  let isNullable: Bool
  let descending: Bool
  let isLast: Bool
  let out: UnsafeMutablePointer<UInt8>
  let cursors: UnsafeMutablePointer<UInt32>

  mutating func write(_ count: Int) {
    let flip: UInt8 = descending ? 0xff : 0
    for row in 0..<count {
      let start = Int(cursors[row])
      var at = start
      if isNullable {
        out[at] = column.isNull(row) ? 0 : 1
        at += 1
      }
      if column.physical.width > 0 {
        let width = column.physical.width
        if column.isNull(row) {
          (out + at).update(repeating: 0, count: width)
        } else {
          column.writeOrdered(row, out + at)
        }
        at += width
      } else if !column.isNull(row) {
        at = column.writeKey(row, isLast: isLast, out, at)
      }
      if descending { for i in start..<at { out[i] ^= flip } }
      cursors[row] = UInt32(truncatingIfNeeded: at)
    }
  }
}

extension Column {
  /// The value as an unsigned number of the column's width that orders as the value does.
  @inline(__always) func orderedWord(_ row: Int) -> UInt64 {
    switch physical {
    case .boolean: UInt64(pointer(UInt8.self)[row])
    case .int8: UInt64(pointer(UInt8.self)[row] ^ 0x80)
    case .int16: UInt64(pointer(UInt16.self)[row] ^ 0x8000)
    case .int32: UInt64(pointer(UInt32.self)[row] ^ 0x8000_0000)
    case .int64: pointer(UInt64.self)[row] ^ 0x8000_0000_0000_0000
    case .float32: UInt64(orderedBits(pointer(Float.self)[row]))
    case .float64: orderedBits(pointer(Double.self)[row])
    case .int128, .bytes, .list, .map, .row: preconditionFailure("\(type) is no word")
    }
  }

  /// Writes `physical.width` big-endian bytes that order as the value does.
  func writeOrdered(_ row: Int, _ out: UnsafeMutablePointer<UInt8>) {
    let target = UnsafeMutableRawPointer(out)
    switch physical.width {
    case 1: out[0] = UInt8(truncatingIfNeeded: orderedWord(row))
    case 2:
      target.storeBytes(of: UInt16(truncatingIfNeeded: orderedWord(row)).bigEndian, as: UInt16.self)
    case 4:
      target.storeBytes(of: UInt32(truncatingIfNeeded: orderedWord(row)).bigEndian, as: UInt32.self)
    case 8: target.storeBytes(of: orderedWord(row).bigEndian, as: UInt64.self)
    default:
      let bits = UInt128(bitPattern: pointer(Int128.self)[row]) ^ (1 << 127)
      target.storeBytes(of: UInt64(truncatingIfNeeded: bits >> 64).bigEndian, as: UInt64.self)
      target.storeBytes(
        of: UInt64(truncatingIfNeeded: bits).bigEndian, toByteOffset: 8, as: UInt64.self)
    }
  }

  /// Bytes that `writeKey` writes for a row of a variable-width column; 0 for null.
  func keyLength(_ row: Int, isLast: Bool) -> Int {
    if isNull(row) { return 0 }
    switch physical {
    case .bytes:
      let text = bytes(row)
      return isLast ? text.count : text.count + 2 + text.reduce(0) { $0 + bit($1 == 0) }
    case .list, .map:
      var length = 1
      for i in Int(offsets[row])..<Int(offsets[row + 1]) {
        length += 1 + children.reduce(0) { $0 + $1.nestedKeyLength(i) }
      }
      return length
    case .row: return children.reduce(0) { $0 + $1.nestedKeyLength(row) }
    default: return physical.width
    }
  }

  private func nestedKeyLength(_ row: Int) -> Int { 1 + keyLength(row, isLast: false) }

  /// Writes the key bytes of a valid row and returns where they end.
  func writeKey(_ row: Int, isLast: Bool, _ out: UnsafeMutablePointer<UInt8>, _ start: Int) -> Int {
    var at = start
    switch physical {
    case .bytes:
      let text = bytes(row)
      if isLast {
        if let from = text.baseAddress { memoryCopy(out + at, from, text.count) }
        return at + text.count
      }
      for byte in text {
        out[at] = byte
        at += 1
        if byte == 0 {
          out[at] = 0xff
          at += 1
        }
      }
      out[at] = 0
      out[at + 1] = 0
      return at + 2
    case .list, .map:
      // Each element behind a 1, a 0 at the end: a shorter list comes first.
      for i in Int(offsets[row])..<Int(offsets[row + 1]) {
        out[at] = 1
        at += 1
        for child in children { at = child.writeNestedKey(i, out, at) }
      }
      out[at] = 0
      return at + 1
    case .row:
      for child in children { at = child.writeNestedKey(row, out, at) }
      return at
    default:
      writeOrdered(row, out + at)
      return at + physical.width
    }
  }

  private func writeNestedKey(_ row: Int, _ out: UnsafeMutablePointer<UInt8>, _ at: Int) -> Int {
    out[at] = isNull(row) ? 0 : 1
    return isNull(row) ? at + 1 : writeKey(row, isLast: false, out, at + 1)
  }
}

@inline(__always) private func memoryCopy(
  _ to: UnsafeMutablePointer<UInt8>, _ from: UnsafeRawPointer, _ count: Int
) {
  UnsafeMutableRawPointer(to).copyMemory(from: from, byteCount: count)
}
