import Columns

/// Takes the bytes of COPY … TO STDOUT (FORMAT binary) apart, some thousand rows at a time, and makes whole
/// columns of them.
///
/// The format: a signature, flags and an extension; then rows, each the number of its fields and for each
/// field its length (-1: null) and bytes; then -1. Numbers are big-endian.
final class CopyBinary {
  private let columns: [CopyBinaryColumn]
  private var store = Buffer(byteCount: 1 << 16)
  private var used = 0
  /// Start and length of each field, row by row; length -1: null.
  private var cells = Buffer(byteCount: 1 << 14)
  private var hasHeader = false
  private var isOver = false
  private(set) var count = 0

  init(_ columns: [CopyBinaryColumn]) { self.columns = columns }

  /// Bytes of the rows in hand.
  var byteCount: Int { used }

  /// A copy begins.
  func begin() {
    clear()
    hasHeader = false
    isOver = false
  }

  private func clear() {
    used = 0
    count = 0
  }

  // MARK: Rows

  /// Takes a message: whole rows.
  ///
  /// - Throws: `corrupted` when it is none.
  func take(_ message: UnsafeRawBufferPointer) throws(TerraceError) {
    guard let source = message.baseAddress, message.count <= 1 << 30 else { throw Self.broken }
    if used + message.count > store.byteCount {
      let next = Buffer(byteCount: max(used + message.count, store.byteCount * 2))
      next.base.copyMemory(from: store.base, byteCount: used)
      store = next
    }
    (store.base + used).copyMemory(from: source, byteCount: message.count)
    var at = used
    used += message.count
    if !hasHeader { at = try header(at) }
    while at < used {
      let fields = Int(try number(Int16.self, at))
      at += 2
      if fields == -1 {
        isOver = true
        if at != used { throw Self.broken }
        return
      }
      if fields != columns.count || isOver { throw Self.broken }
      at = try row(at)
    }
  }

  private func row(_ start: Int) throws(TerraceError) -> Int {
    let width = columns.count
    if (count + 1) * width * 8 > cells.byteCount {
      let next = Buffer(byteCount: max(cells.byteCount * 2, (count + 1) * width * 8))
      next.base.copyMemory(from: cells.base, byteCount: count * width * 8)
      cells = next
    }
    let out = cells.pointer(Int32.self) + count * width * 2
    let base = store.base
    let end = used
    var at = start
    for field in 0..<width {
      if end &- at < 4 { throw Self.broken }
      let length = Int(Int32(bigEndian: (base + at).loadUnaligned(as: Int32.self)))
      at &+= 4
      if length > end &- at || length < -1 { throw Self.broken }
      out[2 &* field] = Int32(truncatingIfNeeded: at)
      out[2 &* field &+ 1] = Int32(truncatingIfNeeded: length)
      at &+= max(0, length)
    }
    count += 1
    return at
  }

  private func header(_ start: Int) throws(TerraceError) -> Int {
    // PGCOPY, line feed, 255, carriage return, line feed, 0
    let wanted: [UInt8] = [0x50, 0x47, 0x43, 0x4f, 0x50, 0x59, 0x0a, 0xff, 0x0d, 0x0a, 0]
    guard used - start >= 19, wanted.indices.allSatisfy({ byte(start + $0) == wanted[$0] }) else {
      throw Self.broken
    }
    let flags = try number(UInt32.self, start + 11)
    let extra = Int(try number(Int32.self, start + 15))
    // The upper half says what a reader must know of.
    guard flags >> 16 == 0, extra >= 0, extra <= used - start - 19 else { throw Self.broken }
    hasHeader = true
    return start + 19 + extra
  }

  private func byte(_ at: Int) -> UInt8 { store.base.load(fromByteOffset: at, as: UInt8.self) }

  private func number<T: FixedWidthInteger & BitwiseCopyable>(
    _ type: T.Type, _ at: Int
  ) throws(TerraceError) -> T {
    if used - at < MemoryLayout<T>.size { throw Self.broken }
    return T(bigEndian: (store.base + at).loadUnaligned(as: T.self))
  }

  private static var broken: TerraceError {
    TerraceError(.corrupted, "the rows of a binary COPY are not in its form")
  }

  // MARK: Columns

  /// The rows so far as columns in the order of the fields; none afterwards.
  ///
  /// - Returns: what the columns hold, and the rows, ascending, of which some value must be read otherwise.
  func take() -> (columns: [Column], refused: [Int]) {
    var refused = Set<Int>()
    let bytes = store
    let places = cells
    let made = columns.enumerated().map { i, column in
      let cells = CopyCells(
        bytes: bytes.base, places: UnsafePointer(places.pointer(Int32.self) + 2 * i),
        stride: columns.count * 2, count: count)
      return column.column(cells, &refused)
    }
    withExtendedLifetime((bytes, places)) {}
    clear()
    return (made, refused.sorted())
  }
}

/// One field of some rows.
struct CopyCells {
  let bytes: UnsafeMutableRawPointer
  let places: UnsafePointer<Int32>
  let stride: Int
  let count: Int

  /// Bytes of the value; -1: null.
  @inline(__always) func length(_ row: Int) -> Int { Int(places[row &* stride &+ 1]) }
  @inline(__always) func start(_ row: Int) -> UnsafeMutableRawPointer {
    bytes + Int(places[row &* stride])
  }
  @inline(__always) func value(_ row: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: start(row), count: max(0, length(row)))
  }
}
