import Columns
import Formats
import Store

/// MySQL's set of transactions: `uuid:1-5:7,uuid:1-3:tag:1-2`; tags came with 8.3.
struct GTIDSet: Hashable, Sendable {
  /// 16 bytes of each server, and its tag behind them, with its ranges, ascending and apart.
  private(set) var servers: [[UInt8]: [ClosedRange<UInt64>]] = [:]

  init() {}

  init(_ text: String) throws(TerraceError) {
    func wrong() -> TerraceError {
      TerraceError(.invalid, "not a GTID set of MySQL").with("gtids", text)
    }
    for part in text.split(separator: ",") {
      let pieces = part.trimmed.split(separator: ":")
      guard pieces.count >= 2, let id = Self.bytes(String(pieces[0])) else { throw wrong() }
      var tag: [UInt8] = []
      for piece in pieces.dropFirst().map({ $0.trimmed }) {
        if let first = piece.utf8.first, !(0x30...0x39).contains(first) {
          guard piece.utf8.count <= 32 else { throw wrong() }
          tag = Array(piece.lowercased().utf8)
          continue
        }
        let ends = piece.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count <= 2, let low = UInt64(ends[0]), let high = UInt64(ends[ends.count - 1]),
          low >= 1, low <= high, high < 1 << 63
        else { throw wrong() }
        insert(id + tag, low...high)
      }
    }
  }

  mutating func insert(_ server: [UInt8], _ range: ClosedRange<UInt64>) {
    var ranges = servers[server] ?? []
    // In the order of the log each number comes behind the one before.
    if let last = ranges.last, last.upperBound &+ 1 == range.lowerBound {
      ranges[ranges.count - 1] = last.lowerBound...range.upperBound
      servers[server] = ranges
      return
    }
    var merged = range
    ranges.removeAll { old in
      guard old.lowerBound <= merged.upperBound &+ 1, merged.lowerBound <= old.upperBound &+ 1
      else { return false }
      merged = min(old.lowerBound, merged.lowerBound)...max(old.upperBound, merged.upperBound)
      return true
    }
    ranges.insert(
      merged, at: ranges.firstIndex { $0.lowerBound > merged.upperBound } ?? ranges.count)
    servers[server] = ranges
  }

  func contains(_ server: [UInt8], _ number: UInt64) -> Bool {
    servers[server]?.contains { $0.contains(number) } ?? false
  }

  /// Transactions in it.
  var count: UInt64 {
    servers.values.reduce(0) { sum, ranges in
      ranges.reduce(sum) { $0 &+ ($1.upperBound - $1.lowerBound + 1) }
    }
  }

  var text: String {
    servers.map { (Self.name($0.key), $0.value) }.sorted { $0.0 < $1.0 }.map { name, ranges in
      name
        + ranges.map {
          $0.count == 1 ? ":\($0.lowerBound)" : ":\($0.lowerBound)-\($0.upperBound)"
        }.joined()
    }.joined(separator: ",")
  }

  private static func bytes(_ uuid: String) -> [UInt8]? {
    let digits = Array(uuid.utf8.filter { $0 != UInt8(ascii: "-") })
    guard digits.count == 32 else { return nil }
    var bytes: [UInt8] = []
    for i in stride(from: 0, to: 32, by: 2) {
      guard let byte = UInt8(String(decoding: digits[i...i + 1], as: UTF8.self), radix: 16) else {
        return nil
      }
      bytes.append(byte)
    }
    return bytes
  }

  private static func name(_ bytes: [UInt8]) -> String {
    var text = ""
    for (i, byte) in bytes.prefix(16).enumerated() {
      if [4, 6, 8, 10].contains(i) { text += "-" }
      text += (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
    if bytes.count == 16 { return text }
    return text + ":" + String(decoding: bytes.dropFirst(16), as: UTF8.self)
  }
}

// MARK: As bytes

extension GTIDSet {
  /// As COM_BINLOG_DUMP_GTID and PREVIOUS_GTIDS have it (rpl_gtid_set.cc, Gtid_set::encode): counts and ends
  /// (exclusive), little-endian. With tags each server has one, and the number of servers says so.
  var encoded: [UInt8] {
    var out: [UInt8] = []
    func append(_ value: UInt64) {
      for i in UInt64(0)..<8 { out.append(UInt8(truncatingIfNeeded: value >> (i * 8))) }
    }
    let hasTags = servers.keys.contains { $0.count > 16 }
    let count = UInt64(servers.count)
    append(hasTags ? (1 << 56) | (count << 8) | 1 : count)
    for (id, ranges) in servers.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
      out += id.prefix(16)
      // Its length is shorter than what one byte holds.
      if hasTags { out += [UInt8(truncatingIfNeeded: (id.count - 16) << 1)] + id.dropFirst(16) }
      append(UInt64(ranges.count))
      for range in ranges {
        append(range.lowerBound)
        append(range.upperBound + 1)
      }
    }
    return out
  }

  init(encoded bytes: inout ByteCursor) throws(TerraceError) {
    let head = try bytes.readRaw(UInt64.self)
    let hasTags = head >> 56 == 1
    let count = hasTags ? (head << 8) >> 16 : head
    guard count <= UInt64(bytes.remaining / 24) else { throw bytes.broken("too many servers") }
    for _ in 0..<count {
      var id = Array(try bytes.readBytes(16))
      if hasTags { id += Array(try bytes.readBytes(Int(try bytes.readNumber(limit: 32)))) }
      let ranges = try bytes.readRaw(UInt64.self)
      guard ranges <= UInt64(bytes.remaining / 16) else { throw bytes.broken("too many ranges") }
      for _ in 0..<ranges {
        let low = try bytes.readRaw(UInt64.self)
        let end = try bytes.readRaw(UInt64.self)
        guard low >= 1, end > low, end < 1 << 63 else { throw bytes.broken("a range of none") }
        insert(id, low...end - 1)
      }
    }
  }
}

extension ByteCursor {
  /// An unsigned number of MySQL's serialization: as many ones as bytes follow, a zero, then its bits
  /// (mysql/serialization/variable_length_integers.h).
  mutating func readNumber(limit: UInt64 = .max) throws(TerraceError) -> UInt64 {
    let first = try readByte()
    let more = (~first).trailingZeroBitCount
    var value = UInt64(more < 7 ? first >> UInt8(more + 1) : 0)
    let shift = more < 7 ? 7 - more : 0
    for i in 0..<min(more, 8) { value |= UInt64(try readByte()) << UInt64(shift + i * 8) }
    guard value <= limit else { throw broken("a number beyond what it may be") }
    return value
  }

  /// The server (and tag) and number of a GTID_TAGGED_LOG event: fields with their ids before them.
  mutating func readTaggedGTID() throws(TerraceError) -> (server: [UInt8], number: UInt64) {
    _ = try readNumber()
    _ = try readNumber()
    _ = try readNumber()
    var server: [UInt8] = []
    var number: UInt64 = 0
    var tag: [UInt8] = []
    fields: while remaining > 0 {
      switch try readNumber() {
      case 0: _ = try readNumber()
      case 1: for _ in 0..<16 { server.append(UInt8(try readNumber(limit: 255))) }
      // A signed number, its sign in the lowest bit.
      case 2: number = try readNumber() >> 1
      case 3: tag = Array(try readBytes(Int(try readNumber(limit: 32))))
      // Times and sequence numbers.
      default: break fields
      }
    }
    guard server.count == 16, number > 0 else { throw broken("a GTID that is none") }
    return (server + tag, number)
  }
}
