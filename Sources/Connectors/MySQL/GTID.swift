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
  /// Where the log must be opened to read on from here, as text: before the first of the XA transactions that are
  /// prepared here. Nil: here.
  var since: String?

  init(_ state: State, file: String, offset: UInt64) {
    self.state = state
    self.file = file
    self.offset = offset
  }

  /// `maria=0-1-17@mariadb-bin.000003:4711`, and `<` with where to open the log.
  init(text whole: String) throws(TerraceError) {
    let ends = whole.split(separator: "<", maxSplits: 1)
    let text = String(ends.first ?? "")
    since = ends.count > 1 ? String(ends[1]) : nil
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
    let place = "@\(file):\(offset)" + (since.map { "<" + $0 } ?? "")
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
