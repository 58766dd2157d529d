import Columns

/// Writes Thrift's compact protocol. Fields of a structure go in ascending id.
struct ThriftWriter {
  let out: ByteWriter
  private var lastID = 0
  private var outer: [Int] = []

  init(_ out: ByteWriter) { self.out = out }

  private mutating func head(_ id: Int, _ kind: ThriftReader.Kind) {
    let delta = id - lastID
    if delta > 0 && delta < 16 {
      out.append(UInt8(delta) << 4 | kind.rawValue)
    } else {
      out.append(kind.rawValue)
      out.appendZigzag(Int64(id))
    }
    lastID = id
  }

  mutating func bool(_ id: Int, _ value: Bool) { head(id, value ? .boolTrue : .boolFalse) }
  mutating func i8(_ id: Int, _ value: Int) {
    head(id, .i8)
    out.append(UInt8(truncatingIfNeeded: value))
  }
  mutating func i16(_ id: Int, _ value: Int) {
    head(id, .i16)
    out.appendZigzag(Int64(value))
  }
  mutating func i32(_ id: Int, _ value: Int) {
    head(id, .i32)
    out.appendZigzag(Int64(value))
  }
  mutating func i64(_ id: Int, _ value: Int) {
    head(id, .i64)
    out.appendZigzag(Int64(value))
  }
  mutating func text(_ id: Int, _ value: String) {
    head(id, .binary)
    element(value)
  }
  mutating func binary(_ id: Int, _ value: [UInt8]) {
    head(id, .binary)
    element(value)
  }
  mutating func structure(_ id: Int, _ body: (inout ThriftWriter) -> Void) {
    head(id, .structure)
    element(body)
  }

  /// Heads a list; write `count` elements next.
  mutating func list(_ id: Int, of kind: ThriftReader.Kind, count: Int) {
    head(id, .list)
    if count < 15 {
      out.append(UInt8(count) << 4 | kind.rawValue)
    } else {
      out.append(0xf0 | kind.rawValue)
      out.appendVarint(UInt64(count))
    }
  }

  func element(_ value: String) {
    out.appendVarint(UInt64(value.utf8.count))
    out.append(value)
  }
  func element(_ value: [UInt8]) {
    out.appendVarint(UInt64(value.count))
    value.withUnsafeBytes { out.append($0) }
  }
  func element(_ value: Int) { out.appendZigzag(Int64(value)) }
  func element(_ value: Bool) { out.append(value ? 1 : 2) }

  /// A structure as an element of a list, or as the whole document.
  mutating func element(_ body: (inout ThriftWriter) -> Void) {
    outer.append(lastID)
    lastID = 0
    body(&self)
    out.append(0)
    lastID = outer.removeLast()
  }
}
