import Columns

/// What statements in the log say, as far as it must be known.
enum MySQLStatement {
  /// Statements that may change columns or names.
  static func isDefinition(_ text: String) -> Bool {
    let head = body(text).prefix(24).uppercased()
    return ["ALTER", "RENAME", "DROP", "TRUNCATE", "CREATE"].contains { head.hasPrefix($0) }
  }

  /// Without comments before it.
  private static func body(_ text: String) -> Substring {
    var rest = text.drop { $0.isWhitespace }
    while rest.hasPrefix("/*"), let end = rest.firstRange(of: "*/") {
      rest = rest[end.upperBound...].drop { $0.isWhitespace }
    }
    return rest
  }

  static func truncates(_ lower: String, _ name: MySQLTableName) -> Bool {
    let words = body(lower).split { " `.;\n\t".contains($0) }.map(String.init)
    guard words.first == "truncate" else { return false }
    return words.last == name.table.lowercased() || words.contains(name.table.lowercased())
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

  /// Whether a statement says nothing but what becomes of columns that it names.
  static func namesColumns(_ text: String) -> Bool {
    body(text).prefix(5).uppercased() == "ALTER"
  }

  /// The names and words of a statement, in lower case.
  static func names(_ text: String) -> Set<String> { Set(words(text).map { $0.lowercased() }) }

  /// Whether a statement may be about a table.
  static func concerns(_ text: String, _ database: String, _ name: MySQLTableName) -> Bool {
    let lower = text.lowercased()
    return lower.contains(name.table.lowercased())
      && (database == name.database || lower.contains(name.database.lowercased()))
  }

  /// Whether columns may have other places, names or meanings behind a statement; in doubt they have.
  static func movesColumns(_ text: String) -> Bool {
    let words = words(String(body(text))).map { $0.lowercased() }
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

  /// Old name to new name of RENAME COLUMN a TO b and CHANGE [COLUMN] [IF EXISTS] a b.
  static func renames(_ text: String) -> [String: String] {
    let words = words(text)
    func isWord(_ i: Int, _ word: String) -> Bool {
      i < words.count && words[i].uppercased() == word
    }
    var found: [String: String] = [:]
    for i in words.indices {
      var at = i + 1
      if isWord(i, "RENAME"), isWord(at, "COLUMN") {
        at += isWord(at + 1, "IF") && isWord(at + 2, "EXISTS") ? 3 : 1
        if isWord(at + 1, "TO"), at + 2 < words.count { found[words[at]] = words[at + 2] }
      } else if isWord(i, "CHANGE") {
        if isWord(at, "COLUMN") { at += 1 }
        if isWord(at, "IF"), isWord(at + 1, "EXISTS") { at += 2 }
        if at + 1 < words.count, words[at] != words[at + 1] { found[words[at]] = words[at + 1] }
      }
    }
    return found
  }
}
