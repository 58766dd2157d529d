import Columns
import Store

/// MariaDB's global transaction id: `domain-server-sequence`.
struct MariaGTID: Hashable, Sendable {
  var domain: UInt32
  var server: UInt32
  var sequence: UInt64

  var text: String { "\(domain)-\(server)-\(sequence)" }

  /// A list such as @@gtid_binlog_pos: the last transaction of each domain; may be empty.
  static func list(_ text: String) throws(TerraceError) -> [MariaGTID] {
    var found: [MariaGTID] = []
    for part in text.split(separator: ",") {
      let numbers = part.trimmed.split(separator: "-", omittingEmptySubsequences: false)
      guard numbers.count == 3, let domain = UInt32(numbers[0]), let server = UInt32(numbers[1]),
        let sequence = UInt64(numbers[2]), !found.contains(where: { $0.domain == domain })
      else { throw TerraceError(.invalid, "not a GTID list of MariaDB").with("gtids", text) }
      found.append(MariaGTID(domain: domain, server: server, sequence: sequence))
    }
    return found.sorted { $0.domain < $1.domain }
  }
}

/// MySQL's set of transactions: `uuid:1-5:7,uuid:1-3`.
struct GTIDSet: Hashable, Sendable {
  /// 16 bytes of each server, with its ranges, ascending and apart.
  private(set) var servers: [[UInt8]: [ClosedRange<UInt64>]] = [:]

  init() {}

  init(_ text: String) throws(TerraceError) {
    func wrong() -> TerraceError {
      TerraceError(.invalid, "not a GTID set of MySQL").with("gtids", text)
    }
    for part in text.split(separator: ",") {
      let pieces = part.trimmed.split(separator: ":")
      guard pieces.count >= 2, let id = Self.bytes(String(pieces[0])) else { throw wrong() }
      for piece in pieces.dropFirst() {
        let ends = piece.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count <= 2, let low = UInt64(ends[0]), let high = UInt64(ends[ends.count - 1]),
          low >= 1, low <= high, high < 1 << 63
        else { throw wrong() }
        insert(id, low...high)
      }
    }
  }

  mutating func insert(_ server: [UInt8], _ range: ClosedRange<UInt64>) {
    var ranges = servers[server] ?? []
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

  /// As COM_BINLOG_DUMP_GTID has it: counts and ends (exclusive), little-endian.
  var encoded: [UInt8] {
    var out: [UInt8] = []
    func append(_ value: UInt64) {
      for i in UInt64(0)..<8 { out.append(UInt8(truncatingIfNeeded: value >> (i * 8))) }
    }
    append(UInt64(servers.count))
    for (id, ranges) in servers.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
      out += id
      append(UInt64(ranges.count))
      for range in ranges {
        append(range.lowerBound)
        append(range.upperBound + 1)
      }
    }
    return out
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
    for (i, byte) in bytes.enumerated() {
      if [4, 6, 8, 10].contains(i) { text += "-" }
      text += (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
    return text
  }
}

/// Where a transaction begins in a server's binary log: which transactions come before it.
///
/// Ordered by how many those are (GTIDs), which is the same on each server that has them; without GTIDs by
/// file and offset, which holds on one server only.
struct MySQLPosition: LogPosition {
  enum State: Hashable, Sendable {
    case maria([MariaGTID])
    case mysql(GTIDSet)
    case file
  }

  var state: State
  var file: String
  var offset: UInt64

  init(_ state: State, file: String, offset: UInt64) {
    self.state = state
    self.file = file
    self.offset = offset
  }

  /// `maria:0-1-17@mariadb-bin.000003:4711`.
  init(text: String) throws(TerraceError) {
    guard let kindEnd = text.firstIndex(of: "="), let at = text.lastIndex(of: "@"),
      let colon = text.lastIndex(of: ":"), at < colon, kindEnd < at,
      let offset = UInt64(text[text.index(after: colon)...])
    else {
      throw TerraceError(.corrupted, "not a position of a binary log").with("position", text)
    }
    let list = String(text[text.index(after: kindEnd)..<at])
    switch text[..<kindEnd] {
    case "maria": state = .maria(try MariaGTID.list(list))
    case "mysql": state = .mysql(try GTIDSet(list))
    default: state = .file
    }
    file = String(text[text.index(after: at)..<colon])
    self.offset = offset
  }

  var text: String {
    let place = "@\(file):\(offset)"
    switch state {
    case .maria(let list): return "maria=" + list.map(\.text).joined(separator: ",") + place
    case .mysql(let set): return "mysql=" + set.text + place
    case .file: return "file=" + place
    }
  }

  private var order: (UInt64, UInt64) {
    switch state {
    case .maria(let list): return (list.reduce(0) { $0 &+ $1.sequence }, 0)
    case .mysql(let set): return (set.count, 0)
    case .file:
      let digits = file.split(separator: ".").last.flatMap { UInt64($0) }
      return (digits ?? 0, offset)
    }
  }

  static func < (a: MySQLPosition, b: MySQLPosition) -> Bool { a.order < b.order }
  static func == (a: MySQLPosition, b: MySQLPosition) -> Bool { a.order == b.order }
  func hash(into hasher: inout Hasher) {
    hasher.combine(order.0)
    hasher.combine(order.1)
  }
}
