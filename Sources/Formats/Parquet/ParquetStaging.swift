import Columns

/// Values of a leaf without its nulls, close together: as they lie in the column (`source`), and as
/// they are stored (`stored`).
final class ParquetStaging {
  let leaf: ParquetWriteLeaf
  private let dense = ParquetRoom()
  private let denseOffsets = ParquetRoom()
  private let converted = ParquetRoom()
  private(set) var count = 0
  /// Fixed width: values. Bytes: where offset 0 points.
  private(set) var source = UnsafeRawPointer(bitPattern: 64).unsafelyUnwrapped
  private(set) var stored = UnsafeRawPointer(bitPattern: 64).unsafelyUnwrapped
  /// count + 1 ends, of bytes.
  private(set) var offsets: UnsafePointer<Int32>?

  init(_ leaf: ParquetWriteLeaf) { self.leaf = leaf }

  /// Rows of a column that is not nested. `valid` of them are not null.
  func stage(_ column: Column, _ rows: Range<Int>, valid: Int) {
    count = valid
    let width = column.physical.width
    if valid == rows.count {
      source = column.values + rows.lowerBound * width
      if column.physical == .bytes { offsets = column.offsets + rows.lowerBound }
    } else if column.physical == .bytes {
      compactOffsets(column, rows)
    } else {
      dense.used = 0
      dense.reserve((rows.count + 1) * width)
      switch width {
      case 1: compact(column, rows, UInt8.self)
      case 2: compact(column, rows, UInt16.self)
      case 4: compact(column, rows, UInt32.self)
      case 8: compact(column, rows, UInt64.self)
      default: compact(column, rows, UInt128.self)
      }
      source = UnsafeRawPointer(dense.base)
    }
    convert()
  }

  /// The elements of a nested leaf that are there (not -1).
  func stage(_ column: Column, _ elements: UnsafePointer<Int32>, _ slots: Int) {
    let width = column.physical.width
    dense.used = 0
    if column.physical == .bytes {
      gatherBytes(column, elements, slots)
    } else {
      dense.reserve((slots + 1) * width)
      switch width {
      case 1: gather(column, elements, slots, UInt8.self)
      case 2: gather(column, elements, slots, UInt16.self)
      case 4: gather(column, elements, slots, UInt32.self)
      case 8: gather(column, elements, slots, UInt64.self)
      default: gather(column, elements, slots, UInt128.self)
      }
    }
    source = UnsafeRawPointer(dense.base)
    convert()
  }

  @inline(__always)
  private func compact<T: BitwiseCopyable>(_ column: Column, _ rows: Range<Int>, _ type: T.Type) {
    let from = column.pointer(type)
    let to = dense.base.assumingMemoryBound(to: type)
    guard let words = column.validity?.words else { return }
    var k = 0
    for i in rows {
      to[k] = from[i]
      k &+= Int((words[i &>> 6] &>> UInt64(i & 63)) & 1)
    }
  }

  /// A null's range is empty, so the bytes of the others follow each other.
  private func compactOffsets(_ column: Column, _ rows: Range<Int>) {
    denseOffsets.used = 0
    denseOffsets.reserve((rows.count + 2) * 4)
    let to = denseOffsets.base.assumingMemoryBound(to: Int32.self)
    let from = column.offsets
    guard let words = column.validity?.words else { return }
    var k = 0
    for i in rows {
      to[k] = from[i]
      k &+= Int((words[i &>> 6] &>> UInt64(i & 63)) & 1)
    }
    to[k] = from[rows.upperBound]
    source = column.values
    offsets = UnsafePointer(to)
  }

  @inline(__always)
  private func gather<T: BitwiseCopyable>(
    _ column: Column, _ elements: UnsafePointer<Int32>, _ slots: Int, _ type: T.Type
  ) {
    let from = column.pointer(type)
    let to = dense.base.assumingMemoryBound(to: type)
    var k = 0
    for i in 0..<slots where elements[i] >= 0 {
      to[k] = from[Int(elements[i])]
      k &+= 1
    }
    count = k
  }

  private func gatherBytes(_ column: Column, _ elements: UnsafePointer<Int32>, _ slots: Int) {
    let from = column.offsets
    denseOffsets.used = 0
    denseOffsets.reserve((slots + 2) * 4)
    let to = denseOffsets.base.assumingMemoryBound(to: Int32.self)
    var k = 0
    var total: Int32 = 0
    for i in 0..<slots where elements[i] >= 0 {
      to[k] = total
      k &+= 1
      total &+= from[Int(elements[i]) + 1] &- from[Int(elements[i])]
    }
    to[k] = total
    count = k
    dense.reserve(Int(total))
    var at = dense.base
    for i in 0..<slots where elements[i] >= 0 {
      let start = Int(from[Int(elements[i])])
      let length = Int(from[Int(elements[i]) + 1]) - start
      copyShort(column.values + start, at, length)
      at += length
    }
    offsets = UnsafePointer(to)
  }

  /// Brings `source` to the stored form.
  private func convert() {
    stored = source
    let physical = leaf.type.physical
    switch (physical, leaf.physical) {
    case (.int8, .int32): narrow(Int8.self, Int32.self)
    case (.int16, .int32): narrow(Int16.self, Int32.self)
    case (.int64, .int32): narrow(Int64.self, Int32.self)
    case (.int128, .int96): int96()
    case (.int128, _): bigEndian(leaf.typeLength)
    default: break
    }
  }

  private func room(_ width: Int) -> UnsafeMutableRawPointer {
    converted.used = 0
    converted.reserve((count + 1) * width)
    stored = UnsafeRawPointer(converted.base)
    return converted.base
  }

  @inline(__always)
  private func narrow<T: FixedWidthInteger, U: FixedWidthInteger>(_ from: T.Type, _ to: U.Type) {
    let target = room(MemoryLayout<U>.size).assumingMemoryBound(to: U.self)
    let values = source.assumingMemoryBound(to: T.self)
    for i in 0..<count { target[i] = U(truncatingIfNeeded: values[i]) }
  }

  private func int96() {
    let target = room(12)
    let values = source.assumingMemoryBound(to: Int128.self)
    let day: Int128 = 86_400_000_000_000
    for i in 0..<count {
      var days = values[i] / day
      var nanos = values[i] % day
      if nanos < 0 {
        nanos += day
        days -= 1
      }
      target.storeBytes(of: Int64(nanos), toByteOffset: i * 12, as: Int64.self)
      target.storeBytes(
        of: Int32(truncatingIfNeeded: days + 2_440_588), toByteOffset: i * 12 + 8, as: Int32.self)
    }
  }

  private func bigEndian(_ width: Int) {
    let target = room(width)
    let values = source.assumingMemoryBound(to: Int128.self)
    for i in 0..<count {
      let value = values[i].bigEndian
      withUnsafeBytes(of: value) { bytes in
        (target + i * width).copyMemory(
          from: bytes.baseAddress.unsafelyUnwrapped + (16 - width), byteCount: width)
      }
    }
  }
}
