import Columns

/// What statements in the log say, as far as it must be known.
enum MySQLStatement {
  /// Statements that may change columns or names. Temporary tables are nobody's but the session's.
  static func isDefinition(_ text: String) -> Bool {
    let head = text.prefix(48).uppercased().split(whereSeparator: \.isWhitespace)
    guard let first = head.first, !head.prefix(4).contains("TEMPORARY") else { return false }
    return ["ALTER", "RENAME", "DROP", "TRUNCATE", "CREATE"].contains { first.hasPrefix($0) }
  }

  /// Whether a statement may have written tables that it does not name: by a function or a procedure.
  static func mayWriteAny(_ text: String) -> Bool {
    let first = text.prefix(16).uppercased().prefix { $0.isLetter }
    return ["SELECT", "DO", "CALL", "WITH", "VALUES"].contains(String(first))
  }

  /// A statement without what may stand before it: comments, the marks of comments that servers carry out
  /// (`/*!40000 … */`, `/*M! … */`), and `SET STATEMENT … FOR`.
  static func plain(_ text: String) -> String {
    var rest = text[...]
    while true {
      rest = rest.drop { $0.isWhitespace || $0 == "(" }
      if let inside = ["/*!", "/*M!"].first(where: { rest.hasPrefix($0) }) {
        let body = rest.dropFirst(inside.count).drop { $0.isNumber }
        guard let end = body.firstRange(of: "*/") else { return String(body) }
        rest = (body[..<end.lowerBound] + " " + body[end.upperBound...])[...]
      } else if rest.hasPrefix("/*") {
        guard let end = rest.firstRange(of: "*/") else { return "" }
        rest = rest[end.upperBound...]
      } else if rest.hasPrefix("#")
        || (rest.hasPrefix("--") && rest.dropFirst(2).first.map(\.isWhitespace) ?? true)
      {
        rest = rest.drop { !$0.isNewline }
      } else if let inner = afterSettings(rest) {
        rest = inner
      } else {
        return rest.startIndex == text.startIndex ? text : String(rest)
      }
    }
  }

  /// What stands behind the FOR of `SET STATEMENT name = value, … FOR`.
  private static func afterSettings(_ text: Substring) -> Substring? {
    let words = text.prefix(64).split(maxSplits: 2, whereSeparator: \.isWhitespace)
    guard words.count > 1, words[0].uppercased() == "SET", words[1].uppercased() == "STATEMENT"
    else { return nil }
    var quote: Character?
    var word = ""
    for index in text.indices {
      let c = text[index]
      if let open = quote {
        if c == open { quote = nil }
      } else if c == "'" || c == "\"" || c == "`" {
        quote = c
      } else if c.isLetter {
        word.append(c)
        continue
      } else if c.isWhitespace, word.uppercased() == "FOR" {
        return text[index...]
      }
      word = ""
    }
    return nil
  }

  /// Names and words of a statement, in lower case, without texts between quotation marks.
  private static func words(_ text: String) -> [String] {
    var words: [String] = []
    var word = ""
    var quote: Character?
    var isText = false
    func end() {
      if !word.isEmpty, !isText { words.append(word) }
      word = ""
      isText = false
    }
    for c in text {
      if let open = quote {
        if c == open { quote = nil } else { word.append(c) }
      } else if c == "`" || c == "'" || c == "\"" {
        // A doubled mark inside a name goes on with it.
        quote = c
        isText = c != "`"
      } else if c.isLetter || c.isNumber || c == "_" || c == "$" {
        word.append(c)
      } else {
        end()
        if c == "," || c == "(" || c == ")" { words.append(String(c)) }
      }
    }
    end()
    return words
  }

  /// Whether a statement may be about a table.
  static func concerns(_ text: String, _ database: String, _ name: MySQLTableName) -> Bool {
    let lower = text.lowercased()
    return lower.contains(name.table.lowercased())
      && (database == name.database || lower.contains(name.database.lowercased()))
  }

  /// Whether columns may have other places, names or meanings behind a statement; in doubt they have.
  static func movesColumns(_ text: String) -> Bool {
    let words = words(text).map { $0.lowercased() }
    func next(_ i: Int) -> String { i + 1 < words.count ? words[i + 1] : "" }
    switch words.first {
    case "alter":
      let harmless = [
        "index", "key", "unique", "fulltext", "spatial", "constraint", "primary", "foreign",
        "check", "partition",
      ]
      return words.indices.contains { i in
        switch words[i] {
        case "change", "modify", "first", "after", "convert": true
        case "rename": !["index", "key"].contains(next(i))
        case "add", "drop": !harmless.contains(next(i))
        default: false
        }
      }
    case "create", "drop": return words.prefix(4).contains("table")
    case "rename": return true
    default: return false
    }
  }

  /// The tables whose rows a statement writes that stands in the log in place of its rows; nil for others.
  static func written(_ text: String, in database: String) -> [MySQLTableName]? {
    var words = MySQLWords(text)
    if words.take("INSERT") || words.take("REPLACE") {
      while ["LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "INTO"].contains(words.keyword())
      {
        words.skip()
      }
      return words.table(in: database).map { [$0] } ?? []
    }
    if words.take("LOAD") {
      while !words.isAtEnd {
        if words.take("INTO", "TABLE") { return words.table(in: database).map { [$0] } ?? [] }
        words.skip()
      }
      return []
    }
    guard words.take("UPDATE") || words.take("DELETE") else { return nil }
    // Aliases and columns may be among them: a name that is none of a table harms nobody.
    var found: [MySQLTableName] = []
    while !words.isAtEnd, !["SET", "WHERE"].contains(words.keyword()) {
      if let name = words.table(in: database) { found.append(name) } else { words.skip() }
    }
    return found
  }
}
