import Columns
import Formats

/// The name of an XA transaction: format, global and branch part.
struct XAName: Hashable {
  private let format: UInt32
  private let global: [UInt8]
  private let branch: [UInt8]

  /// As XA_PREPARE has it.
  init(_ body: inout ByteCursor) throws(TerraceError) {
    format = try body.readRaw(UInt32.self)
    let first = try body.readRaw(UInt32.self)
    let second = try body.readRaw(UInt32.self)
    guard first <= 64, second <= 64 else { throw body.broken("an XA name that is too long") }
    global = Array(try body.readBytes(Int(first)))
    branch = Array(try body.readBytes(Int(second)))
  }

  /// `X'6f6e65',X'62',7`, as statements of the log have it.
  init?(_ text: Substring) {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    guard parts.count == 3, let global = Self.bytes(parts[0]), let branch = Self.bytes(parts[1]),
      let format = UInt32(parts[2].prefix { $0.isNumber })
    else { return nil }
    self.format = format
    self.global = global
    self.branch = branch
  }

  private static func bytes(_ text: Substring) -> [UInt8]? {
    guard text.uppercased().hasPrefix("X'"), text.hasSuffix("'") else { return nil }
    let digits = Array(text.dropFirst(2).dropLast().utf8)
    guard digits.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    for i in stride(from: 0, to: digits.count, by: 2) {
      guard let byte = UInt8(String(decoding: digits[i...i + 1], as: UTF8.self), radix: 16) else {
        return nil
      }
      bytes.append(byte)
    }
    return bytes
  }
}

/// A statement about an XA transaction, which stands in the log in place of BEGIN and COMMIT.
enum XAStatement {
  case start
  /// XA END: what matters comes behind it.
  case end
  case commit(XAName)
  case rollback(XAName)

  /// Nil for other statements.
  init?(_ text: String) {
    guard text.hasPrefix("XA ") else { return nil }
    let rest = text.dropFirst(3)
    let verb = rest.prefix { $0 != " " }
    let name = XAName(rest.dropFirst(verb.count + 1))
    switch (verb.uppercased(), name) {
    case ("START", _), ("BEGIN", _): self = .start
    case ("END", _): self = .end
    case ("COMMIT", let name?): self = .commit(name)
    case ("ROLLBACK", let name?): self = .rollback(name)
    default: return nil
    }
  }
}

/// The XA transactions that are prepared where a log is read: their rows count when they are committed, and are
/// read again then from where they stand.
struct XATransactions {
  private var starts: [XAName: MySQLPosition] = [:]

  /// Where the log must be opened to meet all of them again.
  var since: String? {
    starts.values.map { $0.since ?? $0.text }.min { a, b in Self.isBefore(a, b) }
  }

  /// Both are texts that were made of positions.
  private static func isBefore(_ a: String, _ b: String) -> Bool {
    do throws(TerraceError) { return try MySQLPosition(text: a) < MySQLPosition(text: b) } catch {
      return a < b
    }
  }

  mutating func prepared(_ name: XAName, at start: MySQLPosition) { starts[name] = start }

  /// It was committed or rolled back.
  mutating func end(_ name: XAName) -> MySQLPosition? { starts.removeValue(forKey: name) }
}

extension LogPass {
  /// Where an XA transaction begins that was prepared before a place of the log.
  ///
  /// - Parameter files: of the log, in order.
  /// - Returns: nil when the log does not have it any more.
  static func start(
    of name: XAName, before place: (file: String, offset: UInt64), files: [String],
    _ settings: MySQLConnection.Settings, server: UInt32
  ) throws(TerraceError) -> (file: String, offset: UInt64)? {
    for file in files.reversed() where file <= place.file {
      let pass = try LogPass(settings, server: server, from: (file, 4))
      var found: (file: String, offset: UInt64)?
      var start: UInt64 = 4
      while let (header, event) = try pass.nextEvent(wanted) {
        guard pass.place.file == file, file != place.file || pass.place.offset <= place.offset
        else {
          break
        }
        switch event {
        case .gtid, .gtidLog: start = pass.place.offset - UInt64(header.length)
        case .query(_, let text):
          // Without a GTID before it.
          if case .start? = XAStatement(text), start == 4 {
            start = pass.place.offset - UInt64(header.length)
          }
        case .prepare(name, false): found = (file, start)
        case .payload(let packed):
          if try pass.holds(name, packed) { found = (file, start) }
        default: break
        }
      }
      if let found { return found }
    }
    return nil
  }

  private static let wanted: Set<UInt8> = [
    BinlogType.gtid, BinlogType.gtidLog, BinlogType.gtidTagged, BinlogType.anonymousGTID,
    BinlogType.query, BinlogType.xaPrepare, BinlogType.payload,
  ]

  private func holds(
    _ name: XAName, _ packed: PackedTransaction
  ) throws(TerraceError) -> Bool {
    while let bytes = try packed.next() {
      guard bytes[4] == BinlogType.xaPrepare else { continue }
      if case .prepare(name, false) = try parse(bytes, isBare: true).event { return true }
    }
    return false
  }
}
