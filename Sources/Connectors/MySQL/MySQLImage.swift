import Columns

/// Bytes of row images: a pointer that never leaves them.
struct ImageBytes {
  var at: UnsafePointer<UInt8>
  let end: UnsafePointer<UInt8>

  init(_ bytes: UnsafeRawBufferPointer) {
    let none = UnsafePointer<UInt8>(bitPattern: 8).unsafelyUnwrapped
    at = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) ?? none
    end = at + bytes.count
  }

  var isAtEnd: Bool { at >= end }

  @inline(__always) mutating func take(
    _ count: Int
  ) throws(TerraceError) -> UnsafePointer<UInt8> {
    guard count >= 0, count <= end - at else { throw Self.broken() }
    let start = at
    at += count
    return start
  }

  @inline(never) static func broken() -> TerraceError {
    TerraceError(.corrupted, "the binary log has a row that ends early")
  }

  /// `count` bytes, least significant first.
  @inline(__always) mutating func little(_ count: Int) throws(TerraceError) -> UInt64 {
    let bytes = try take(count)
    var value: UInt64 = 0
    for i in 0..<count { value |= UInt64(bytes[i]) &<< UInt64(i &* 8) }
    return value
  }

  /// `count` bytes, most significant first.
  @inline(__always) mutating func big(_ count: Int) throws(TerraceError) -> UInt64 {
    let bytes = try take(count)
    var value: UInt64 = 0
    for i in 0..<count { value = value &<< 8 | UInt64(bytes[i]) }
    return value
  }

  @inline(__always) mutating func raw(_ count: Int) throws(TerraceError) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: try take(count), count: count)
  }
}

/// One column of the log, and where its values go. Not changed once a plan was made of it.
final class LoggedColumn {
  /// Type and detail as TABLE_MAP has them.
  let type: UInt8
  let meta: Int
  /// Column among those of the source that come from the server; -1: nobody asks.
  var target = -1
  var isUnsigned = false
  var isBinary = false
  var isGeometry = false
  /// A TIMESTAMP that is shown as a wall clock's reading.
  var isShifted = false
  var fraction = 0
  var charset: MySQLCharset?
  var members: [String] = []

  init(type: UInt8, meta: Int) {
    self.type = type
    self.meta = meta
  }

  /// Passes over a value.
  func skip(_ bytes: inout ImageBytes) throws(TerraceError) {
    switch type {
    case 1, 13: _ = try bytes.take(1)
    case 2: _ = try bytes.take(2)
    case 9, 10, 14, 11: _ = try bytes.take(3)
    case 3, 4, 7: _ = try bytes.take(4)
    case 5, 8, 12: _ = try bytes.take(8)
    case 17: _ = try bytes.take(4 + (meta + 1) / 2)
    case 18: _ = try bytes.take(5 + (meta + 1) / 2)
    case 19: _ = try bytes.take(3 + (meta + 1) / 2)
    case 16: _ = try bytes.take((meta + 7) / 8)
    case 246: _ = try bytes.take(MySQLDecimal.size(meta >> 8, meta & 255))
    case 247, 248: _ = try bytes.take(meta)
    default: _ = try variable(&bytes)
    }
  }

  /// Bytes of the length before a value of variable size; nil for other types.
  var lengthWidth: Int? {
    switch type {
    case 15, 253, 254, 141: meta > 255 ? 2 : 1
    case 242, 245, 249...252, 255, 140: (1...4).contains(meta) ? meta : nil
    default: nil
    }
  }

  @inline(__always) func variable(
    _ bytes: inout ImageBytes
  ) throws(TerraceError) -> UnsafeRawBufferPointer {
    guard let width = lengthWidth else {
      throw TerraceError(.unsupported, "columns of type \(type) in the binary log")
    }
    return try bytes.raw(Int(try bytes.little(width)))
  }
}
