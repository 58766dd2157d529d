import Columns

/// Reads Thrift's compact protocol (thrift/doc/specs/thrift-compact-protocol.md).
///
/// The caller walks the fields it knows; everything else is skipped with a bounded depth.
struct ThriftReader {
  enum Kind: UInt8 {
    case boolTrue = 1
    case boolFalse, i8, i16, i32, i64, double, binary, list, set, map, structure
  }

  private var cursor: ByteCursor
  private var depth = 0
  /// Deeper nesting than any Parquet structure has is hostile.
  private static let depthLimit = 32

  init(_ bytes: UnsafeRawBufferPointer, origin: Int = 0) {
    cursor = ByteCursor(bytes, origin: origin)
  }

  /// Bytes read so far.
  var consumed: Int { cursor.position - cursor.start }

  func broken(_ what: String) -> TerraceError { cursor.broken("thrift: " + what) }

  /// Calls `body` for every field of the structure that begins here. `body` must read the value, or
  /// call `skip(kind)`.
  mutating func fields(
    _ body: (inout ThriftReader, Int, Kind) throws(TerraceError) -> Void
  ) throws(TerraceError) {
    depth += 1
    if depth > Self.depthLimit { throw broken("structures are nested too deeply") }
    var id = 0
    while true {
      let head = try cursor.readByte()
      if head == 0 { break }
      guard let kind = Kind(rawValue: head & 15) else {
        throw broken("unknown field type \(head & 15)")
      }
      let delta = Int(head >> 4)
      if delta == 0 {
        id = Int(truncatingIfNeeded: try cursor.readZigzag())
      } else {
        id &+= delta
      }
      if id < -32768 || id > 32767 { throw broken("field id out of range") }
      try body(&self, id, kind)
    }
    depth -= 1
  }

  func expect(_ kind: Kind, _ wanted: Kind) throws(TerraceError) {
    if kind != wanted { throw broken("a field has type \(kind) instead of \(wanted)") }
  }

  mutating func bool(_ kind: Kind) throws(TerraceError) -> Bool {
    switch kind {
    case .boolTrue: return true
    case .boolFalse: return false
    default: throw broken("a field has type \(kind) instead of bool")
    }
  }

  mutating func int(_ kind: Kind) throws(TerraceError) -> Int {
    switch kind {
    case .i8: return Int(Int8(bitPattern: try cursor.readByte()))
    case .i16, .i32, .i64: return Int(try cursor.readZigzag())
    default: throw broken("a field has type \(kind) instead of an integer")
    }
  }

  /// A size, count or offset: not negative, and so small that a few of them can be added.
  mutating func size(_ kind: Kind) throws(TerraceError) -> Int {
    let value = try int(kind)
    if value < 0 || value >= 1 << 58 { throw broken("a size or offset is negative, or too large") }
    return value
  }

  mutating func binary(_ kind: Kind) throws(TerraceError) -> [UInt8] {
    try expect(kind, .binary)
    return Array(try rawBinary())
  }

  mutating func text(_ kind: Kind) throws(TerraceError) -> String {
    try expect(kind, .binary)
    return String(decoding: try rawBinary(), as: UTF8.self)
  }

  private mutating func rawBinary() throws(TerraceError) -> UnsafeRawBufferPointer {
    let length = try cursor.readVarint()
    if length > UInt64(cursor.remaining) { throw broken("a string is longer than its file") }
    return try cursor.readBytes(Int(length))
  }

  /// The head of a list or set: element type and count. Every element takes at least one byte, so
  /// the count is bounded by what is left.
  private mutating func listHead() throws(TerraceError) -> (Kind, Int) {
    let head = try cursor.readByte()
    guard let kind = Kind(rawValue: head & 15) else { throw broken("unknown element type") }
    var count = UInt64(head >> 4)
    if count == 15 { count = try cursor.readVarint() }
    if count > UInt64(cursor.remaining) { throw broken("a list is longer than its file") }
    return (kind, Int(count))
  }

  /// Calls `body` for every element of a list.
  ///
  /// - Returns: the number of elements.
  @discardableResult
  mutating func list(
    _ kind: Kind, of element: Kind, limit: Int = .max,
    _ body: (inout ThriftReader, Int) throws(TerraceError) -> Void
  ) throws(TerraceError) -> Int {
    try expect(kind, .list)
    let (found, count) = try listHead()
    if count > 0 { try expect(found == .boolFalse ? .boolTrue : found, element) }
    if count > limit { throw broken("a list has \(count) elements, over the limit \(limit)") }
    for i in 0..<count { try body(&self, i) }
    return count
  }

  mutating func bools(_ kind: Kind, limit: Int) throws(TerraceError) -> [Bool] {
    var out: [Bool] = []
    try list(kind, of: .boolTrue, limit: limit) { r, _ throws(TerraceError) in
      out.append(try r.cursor.readByte() == 1)
    }
    return out
  }

  mutating func ints(
    _ kind: Kind, of element: Kind, limit: Int
  ) throws(TerraceError) -> [Int] {
    var out: [Int] = []
    try list(kind, of: element, limit: limit) { r, _ throws(TerraceError) in
      out.append(try r.int(element))
    }
    return out
  }

  mutating func binaries(_ kind: Kind, limit: Int) throws(TerraceError) -> [[UInt8]] {
    var out: [[UInt8]] = []
    try list(kind, of: .binary, limit: limit) { r, _ throws(TerraceError) in
      out.append(try r.binary(.binary))
    }
    return out
  }

  mutating func skip(_ kind: Kind) throws(TerraceError) {
    switch kind {
    case .boolTrue, .boolFalse: break
    case .i8: try cursor.skip(1)
    case .i16, .i32, .i64: _ = try cursor.readVarint()
    case .double: try cursor.skip(8)
    case .binary: _ = try rawBinary()
    case .list, .set:
      let (element, count) = try listHead()
      try nested { r throws(TerraceError) in
        for _ in 0..<count { try r.skipElement(element) }
      }
    case .map:
      let count = try cursor.readVarint()
      if count == 0 { return }
      if count > UInt64(cursor.remaining) { throw broken("a map is longer than its file") }
      let kinds = try cursor.readByte()
      guard let key = Kind(rawValue: kinds >> 4), let value = Kind(rawValue: kinds & 15) else {
        throw broken("unknown map type")
      }
      try nested { r throws(TerraceError) in
        for _ in 0..<Int(count) {
          try r.skipElement(key)
          try r.skipElement(value)
        }
      }
    case .structure:
      try fields { r, _, kind throws(TerraceError) in try r.skip(kind) }
    }
  }

  /// Booleans take a byte as elements and none as fields.
  private mutating func skipElement(_ kind: Kind) throws(TerraceError) {
    if kind == .boolTrue || kind == .boolFalse { try cursor.skip(1) } else { try skip(kind) }
  }

  private mutating func nested(
    _ body: (inout ThriftReader) throws(TerraceError) -> Void
  ) throws(TerraceError) {
    depth += 1
    if depth > Self.depthLimit { throw broken("values are nested too deeply") }
    try body(&self)
    depth -= 1
  }
}
