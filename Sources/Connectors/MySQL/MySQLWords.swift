import Columns

/// The words of a statement of the log, without its comments; what stands in comments for some servers only
/// (`/*!40000 … */`, `/*M! … */`) is part of it.
struct MySQLWords {
  enum Word: Equatable {
    case bare(String)
    /// Between backticks.
    case name(String)
    /// Between quotation marks. Between double ones it may be a name, with ANSI_QUOTES.
    case text(String, isDouble: Bool)
    case mark(UInt8)
  }

  private var words: ArraySlice<Word>
  /// Statements that name tables and columns are shorter.
  private static let limit = 100_000

  init(_ text: String) { words = MySQLWords.read(Array(text.utf8))[...] }
  private init(_ words: ArraySlice<Word>) { self.words = words }

  var isAtEnd: Bool { words.isEmpty }

  /// The word so many places ahead in upper case, when it stands without marks.
  func keyword(_ ahead: Int = 0) -> String? {
    guard ahead < words.count, case .bare(let text) = words[words.startIndex + ahead] else {
      return nil
    }
    return text.uppercased()
  }

  /// Whether the statement goes on with these words, which are then passed over.
  mutating func take(_ wanted: String...) -> Bool {
    for (i, word) in wanted.enumerated() where keyword(i) != word { return false }
    words = words.dropFirst(wanted.count)
    return true
  }

  mutating func take(mark: Character) -> Bool {
    guard case .mark(let code)? = words.first, code == mark.asciiValue else { return false }
    words = words.dropFirst()
    return true
  }

  mutating func skip() { words = words.dropFirst() }

  /// A name, as it is written.
  mutating func name() -> String? {
    let found: String
    switch words.first {
    case .bare(let text), .name(let text), .text(let text, true): found = text
    default: return nil
    }
    words = words.dropFirst()
    return found
  }

  mutating func text() -> String? {
    guard case .text(let text, _)? = words.first else { return nil }
    words = words.dropFirst()
    return text
  }

  /// `table` or `database.table`.
  mutating func table(in database: String) -> MySQLTableName? {
    guard let first = name() else { return nil }
    if take(mark: "."), let second = name() {
      return MySQLTableName(database: first, table: second)
    }
    return MySQLTableName(database: database, table: first)
  }

  /// What stands between brackets, which are passed over with it.
  mutating func group() -> MySQLWords? {
    guard take(mark: "(") else { return nil }
    let all = words
    let start = words.startIndex
    var depth = 1
    while let word = words.first {
      words = words.dropFirst()
      if word == .mark(UInt8(ascii: "(")) { depth += 1 }
      if word == .mark(UInt8(ascii: ")")) { depth -= 1 }
      if depth == 0 { return MySQLWords(all[start..<words.startIndex - 1]) }
    }
    return MySQLWords([])
  }

  /// The parts between commas that stand in no brackets.
  func parts() -> [MySQLWords] {
    var parts: [MySQLWords] = []
    var depth = 0
    var start = words.startIndex
    for i in words.indices {
      switch words[i] {
      case .mark(UInt8(ascii: "(")): depth += 1
      case .mark(UInt8(ascii: ")")): depth -= 1
      case .mark(UInt8(ascii: ",")) where depth == 0:
        parts.append(MySQLWords(words[start..<i]))
        start = i + 1
      default: break
      }
    }
    parts.append(MySQLWords(words[start...]))
    return parts
  }

  // MARK: Reading

  private static func read(_ bytes: [UInt8]) -> [Word] {
    var found: [Word] = []
    var at = 0
    func byte(_ i: Int) -> UInt8 { i < bytes.count ? bytes[i] : 0 }
    func isSpace(_ c: UInt8) -> Bool { c <= 32 }
    func passLine() { while at < bytes.count, bytes[at] != 10 { at += 1 } }
    while at < bytes.count, found.count < limit {
      let c = bytes[at]
      switch c {
      case _ where isSpace(c): at += 1
      case UInt8(ascii: "#"): passLine()
      case UInt8(ascii: "-") where byte(at + 1) == c && isSpace(byte(at + 2)): passLine()
      case UInt8(ascii: "/") where byte(at + 1) == UInt8(ascii: "*"): comment(bytes, &at)
      case UInt8(ascii: "*") where byte(at + 1) == UInt8(ascii: "/"): at += 2
      case UInt8(ascii: "`"), UInt8(ascii: "'"), UInt8(ascii: "\""):
        let text = quoted(bytes, &at)
        found.append(
          c == UInt8(ascii: "`") ? .name(text) : .text(text, isDouble: c == UInt8(ascii: "\"")))
      case _ where isWord(c):
        let start = at
        while at < bytes.count, isWord(bytes[at]) { at += 1 }
        found.append(.bare(String(decoding: bytes[start..<at], as: UTF8.self)))
      default:
        found.append(.mark(c))
        at += 1
      }
    }
    return found
  }

  private static func isWord(_ c: UInt8) -> Bool {
    switch c {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "_"), UInt8(ascii: "$"): true
    default: c >= 0x80
    }
  }

  private static func comment(_ bytes: [UInt8], _ at: inout Int) {
    var next = at + 2
    if next < bytes.count, bytes[next] == UInt8(ascii: "M") { next += 1 }
    if next < bytes.count, bytes[next] == UInt8(ascii: "!") {
      next += 1
      while next < bytes.count, (0x30...0x39).contains(bytes[next]) { next += 1 }
      at = next
      return
    }
    at += 2
    while at < bytes.count {
      if bytes[at] == UInt8(ascii: "*"), at + 1 < bytes.count, bytes[at + 1] == UInt8(ascii: "/") {
        at += 2
        return
      }
      at += 1
    }
  }

  private static func quoted(_ bytes: [UInt8], _ at: inout Int) -> String {
    let mark = bytes[at]
    var text: [UInt8] = []
    at += 1
    while at < bytes.count {
      let c = bytes[at]
      at += 1
      if c == mark {
        // A doubled mark stands for itself.
        guard at < bytes.count, bytes[at] == mark else { break }
        at += 1
      } else if c == UInt8(ascii: "\\"), mark != UInt8(ascii: "`"), at < bytes.count {
        let meant: [UInt8: UInt8] = [0x30: 0, 0x62: 8, 0x74: 9, 0x6e: 10, 0x72: 13, 0x5a: 26]
        text.append(meant[bytes[at]] ?? bytes[at])
        at += 1
        continue
      }
      text.append(c)
    }
    return String(decoding: text, as: UTF8.self)
  }
}
