import Columns

/// Big-endian numbers and texts of the wire protocol; never leaves its bytes.
struct WireCursor {
  let bytes: UnsafeRawBufferPointer
  private(set) var at = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  var left: Int { bytes.count - at }

  static func broken(_ what: String) -> TerraceError {
    TerraceError(.corrupted, "a message of the replication protocol is damaged: \(what)")
  }

  mutating func number<T: FixedWidthInteger & BitwiseCopyable>(
    _ type: T.Type
  ) throws(TerraceError) -> T {
    let size = MemoryLayout<T>.size
    guard left >= size else { throw Self.broken("it ends early") }
    let value = bytes.loadUnaligned(fromByteOffset: at, as: T.self)
    at += size
    return T(bigEndian: value)
  }

  mutating func take(_ count: Int) throws(TerraceError) -> Range<Int> {
    guard count >= 0, count <= left else { throw Self.broken("a length of \(count)") }
    at += count
    return (at - count)..<at
  }

  /// Up to a zero byte, which is passed over.
  mutating func text() throws(TerraceError) -> String {
    let start = at
    while at < bytes.count, bytes[at] != 0 { at += 1 }
    guard at < bytes.count else { throw Self.broken("a text without an end") }
    at += 1
    return String(decoding: bytes[start..<(at - 1)], as: UTF8.self)
  }
}

/// The values of one row in a message: where each lies, or that it is null or left out.
final class ReplicationTuple {
  enum Value: UInt8 { case null, unchanged, text }

  private(set) var values: [Value] = []
  private(set) var ranges: [Range<Int>] = []

  var count: Int { values.count }

  func read(_ cursor: inout WireCursor) throws(TerraceError) {
    let count = Int(try cursor.number(UInt16.self))
    // Each value has one byte at least.
    guard count <= cursor.left else { throw WireCursor.broken("\(count) columns") }
    values.removeAll(keepingCapacity: true)
    ranges.removeAll(keepingCapacity: true)
    for _ in 0..<count {
      switch try cursor.number(UInt8.self) {
      case UInt8(ascii: "n"): add(.null, 0..<0)
      case UInt8(ascii: "u"): add(.unchanged, 0..<0)
      case UInt8(ascii: "t"):
        let length = Int(try cursor.number(Int32.self))
        add(.text, try cursor.take(length))
      case let kind: throw WireCursor.broken("a value of kind \(kind)")
      }
    }
  }

  private func add(_ value: Value, _ range: Range<Int>) {
    values.append(value)
    ranges.append(range)
  }
}

/// A table as the log describes it before its first row, and after its columns changed.
struct ReplicationRelation: Hashable, Sendable {
  struct Column: Hashable, Sendable {
    var name: String
    var isKey: Bool
    var type: UInt32
    var modifier: Int32
  }

  var id: UInt32
  var name: PostgresTableName
  var identity: Character
  var columns: [Column]
}

/// A message of pgoutput, protocol version 1. Values lie in the tuples that were given.
enum ReplicationMessage {
  /// What a message holds of the old row: nothing, its key, all of it.
  enum Old { case none, key, whole }

  case begin(position: UInt64, micros: Int64, xid: UInt32)
  case commit(end: UInt64)
  case relation(ReplicationRelation)
  case insert(UInt32)
  case update(UInt32, Old)
  case delete(UInt32, Old)
  case truncate([UInt32])
  /// Types, origins, messages of applications.
  case other

  /// - Parameter micros: since 2000, as the server counts.
  init(
    _ bytes: UnsafeRawBufferPointer, old: ReplicationTuple, new: ReplicationTuple
  ) throws(TerraceError) {
    var cursor = WireCursor(bytes)
    switch try cursor.number(UInt8.self) {
    case UInt8(ascii: "B"):
      self = .begin(
        position: try cursor.number(UInt64.self), micros: try cursor.number(Int64.self),
        xid: try cursor.number(UInt32.self))
    case UInt8(ascii: "C"):
      _ = try cursor.number(UInt8.self)
      _ = try cursor.number(UInt64.self)
      self = .commit(end: try cursor.number(UInt64.self))
    case UInt8(ascii: "R"): self = .relation(try ReplicationRelation(&cursor))
    case UInt8(ascii: "I"):
      let id = try cursor.number(UInt32.self)
      try Self.expect("N", try cursor.number(UInt8.self))
      try new.read(&cursor)
      self = .insert(id)
    case UInt8(ascii: "U"):
      let id = try cursor.number(UInt32.self)
      var mark = try cursor.number(UInt8.self)
      var held = Old.none
      if mark == UInt8(ascii: "K") || mark == UInt8(ascii: "O") {
        held = mark == UInt8(ascii: "K") ? .key : .whole
        try old.read(&cursor)
        mark = try cursor.number(UInt8.self)
      }
      try Self.expect("N", mark)
      try new.read(&cursor)
      self = .update(id, held)
    case UInt8(ascii: "D"):
      let id = try cursor.number(UInt32.self)
      let mark = try cursor.number(UInt8.self)
      if mark != UInt8(ascii: "O") { try Self.expect("K", mark) }
      try old.read(&cursor)
      self = .delete(id, mark == UInt8(ascii: "O") ? .whole : .key)
    case UInt8(ascii: "T"):
      let count = Int(try cursor.number(Int32.self))
      _ = try cursor.number(UInt8.self)
      guard count >= 0, count <= cursor.left / 4 else { throw WireCursor.broken("\(count) tables") }
      var ids: [UInt32] = []
      for _ in 0..<count { ids.append(try cursor.number(UInt32.self)) }
      self = .truncate(ids)
    case UInt8(ascii: "Y"), UInt8(ascii: "O"), UInt8(ascii: "M"): self = .other
    case let kind: throw WireCursor.broken("kind \(kind)")
    }
  }

  private static func expect(_ letter: Unicode.Scalar, _ found: UInt8) throws(TerraceError) {
    if UInt32(found) != letter.value { throw WireCursor.broken("mark \(found)") }
  }
}

extension ReplicationRelation {
  init(_ cursor: inout WireCursor) throws(TerraceError) {
    id = try cursor.number(UInt32.self)
    let schema = try cursor.text()
    // The empty name stands for pg_catalog.
    name = PostgresTableName(
      schema: schema.isEmpty ? "pg_catalog" : schema, table: try cursor.text())
    identity = Character(Unicode.Scalar(try cursor.number(UInt8.self)))
    let count = Int(try cursor.number(UInt16.self))
    columns = []
    for _ in 0..<count {
      let flags = try cursor.number(UInt8.self)
      let name = try cursor.text()
      columns.append(
        Column(
          name: name, isKey: flags & 1 != 0, type: try cursor.number(UInt32.self),
          modifier: try cursor.number(Int32.self)))
    }
  }
}
