import Columns

/// What a statement of the log does to tables, as far as those who follow them must know.
enum MySQLTableChange: Equatable {
  /// All rows went.
  case emptied(MySQLTableName)
  case dropped(MySQLTableName)
  case droppedDatabase(String)
  /// Another table has its name now.
  case replaced(MySQLTableName)
  case renamed(MySQLTableName, to: MySQLTableName)
  /// Rows came or went that the log does not have: those of a partition, or of a file.
  case moved(MySQLTableName, by: String)
  case altered(MySQLTableName, [MySQLColumnChange])
}

/// What ALTER TABLE does to columns.
enum MySQLColumnChange: Equatable {
  case add(MySQLColumnText)
  case drop(String)
  /// CHANGE and MODIFY: the old name, and the column as it is then.
  case change(String, MySQLColumnText)
  case rename(String, to: String)
  /// Columns of the primary key; none when it goes.
  case key([String])
  /// Something about columns that is not understood.
  case unclear
}

/// Reads definitions as MySQL 8 and MariaDB 11 document them.
struct MySQLDefinition {
  private let database: String
  private(set) var changes: [MySQLTableChange] = []

  /// - Parameter database: that of names without one.
  init(_ text: String, in database: String) {
    self.database = database
    var words = MySQLWords(text)
    if words.take("TRUNCATE") {
      _ = words.take("TABLE")
      if let name = words.table(in: database) { changes = [.emptied(name)] }
    } else if words.take("DROP") {
      drop(&words)
    } else if words.take("CREATE", "OR", "REPLACE", "TABLE") {
      if let name = words.table(in: database) { changes = [.replaced(name)] }
    } else if words.take("RENAME", "TABLE") || words.take("RENAME", "TABLES") {
      _ = words.take("IF", "EXISTS")
      rename(words)
    } else if words.take("ALTER") {
      _ = words.take("ONLINE")
      _ = words.take("IGNORE")
      guard words.take("TABLE") else { return }
      _ = words.take("IF", "EXISTS")
      alter(&words)
    }
  }

  private mutating func drop(_ words: inout MySQLWords) {
    if words.take("DATABASE") || words.take("SCHEMA") {
      _ = words.take("IF", "EXISTS")
      if let name = words.name() { changes = [.droppedDatabase(name)] }
      return
    }
    guard words.take("TABLE") || words.take("TABLES") else { return }
    _ = words.take("IF", "EXISTS")
    for var part in words.parts() {
      if let name = part.table(in: database) { changes.append(.dropped(name)) }
    }
  }

  /// One after the other: a name that went may come again.
  private mutating func rename(_ words: MySQLWords) {
    for var part in words.parts() {
      guard let from = part.table(in: database) else { continue }
      _ = wait(&part)
      guard part.take("TO"), let to = part.table(in: database) else { continue }
      changes.append(.renamed(from, to: to))
    }
  }

  private func wait(_ words: inout MySQLWords) -> Bool {
    if words.take("NOWAIT") { return true }
    guard words.take("WAIT") else { return false }
    words.skip()
    return true
  }

  // MARK: ALTER TABLE

  private mutating func alter(_ words: inout MySQLWords) {
    guard let name = words.table(in: database) else { return }
    _ = wait(&words)
    var columns: [MySQLColumnChange] = []
    var others: [MySQLTableChange] = []
    for part in words.parts() {
      if let other = self.other(part, name) { others += other } else { columns += column(part) }
    }
    // What becomes of its columns happens to the table under its old name.
    if !columns.isEmpty { changes.append(.altered(name, columns)) }
    changes += others
  }

  /// What has to do with no column; nil for the rest.
  private func other(
    _ part: MySQLWords, _ name: MySQLTableName
  ) -> [MySQLTableChange]? {
    var words = part
    if words.take("RENAME") {
      if ["COLUMN", "INDEX", "KEY"].contains(words.keyword()) { return nil }
      if !words.take("TO") { _ = words.take("AS") }
      return words.table(in: database).map { [.renamed(name, to: $0)] }
    }
    for verb in ["DROP", "TRUNCATE", "IMPORT", "DISCARD"] {
      guard words.keyword() == verb else { continue }
      if ["PARTITION", "TABLESPACE"].contains(words.keyword(1)) {
        return [.moved(name, by: "\(verb) \(words.keyword(1) ?? "")")]
      }
    }
    if words.take("EXCHANGE", "PARTITION") {
      _ = words.name()
      let by = "EXCHANGE PARTITION"
      guard words.take("WITH", "TABLE"), let second = words.table(in: database) else {
        return [.moved(name, by: by)]
      }
      return [.moved(name, by: by), .moved(second, by: by)]
    }
    if words.take("CONVERT", "PARTITION") { return [.moved(name, by: "CONVERT PARTITION")] }
    if words.take("CONVERT", "TABLE") {
      let by = "CONVERT TABLE"
      return [.moved(name, by: by)] + (words.table(in: database).map { [.dropped($0)] } ?? [])
    }
    return nil
  }

  private func column(_ part: MySQLWords) -> [MySQLColumnChange] {
    var words = part
    if words.take("ADD") { return add(&words) }
    if words.take("DROP") { return drop(column: &words) }
    if words.take("MODIFY") {
      _ = words.take("COLUMN")
      _ = words.take("IF", "EXISTS")
      guard let made = MySQLColumnText(words) else { return [.unclear] }
      return changed(made.column.name, made)
    }
    if words.take("CHANGE") {
      _ = words.take("COLUMN")
      _ = words.take("IF", "EXISTS")
      guard let old = words.name(), let made = MySQLColumnText(words) else { return [.unclear] }
      return changed(old, made)
    }
    if words.take("RENAME", "COLUMN") {
      _ = words.take("IF", "EXISTS")
      guard let old = words.name(), words.take("TO"), let new = words.name() else {
        return [.unclear]
      }
      return [.rename(old, to: new)]
    }
    return []
  }

  private func changed(_ old: String, _ made: MySQLColumnText) -> [MySQLColumnChange] {
    [.change(old, made)] + (made.isKey ? [.key([made.column.name])] : [])
  }

  private func added(_ words: MySQLWords) -> [MySQLColumnChange] {
    guard let made = MySQLColumnText(words) else { return [.unclear] }
    return [.add(made)] + (made.isKey ? [.key([made.column.name])] : [])
  }

  private func add(_ words: inout MySQLWords) -> [MySQLColumnChange] {
    let hasWord = words.take("COLUMN")
    _ = words.take("IF", "NOT", "EXISTS")
    if let group = words.group() {
      return group.parts().flatMap { part in
        self.isKeyWord(part) ? self.key(part) : self.added(part)
      }
    }
    if !hasWord, isKeyWord(words) { return key(words) }
    return added(words)
  }

  /// Whether an index, a constraint or a partition follows, and no column.
  private func isKeyWord(_ words: MySQLWords) -> Bool {
    switch words.keyword() {
    case "INDEX", "KEY", "FULLTEXT", "SPATIAL", "UNIQUE", "CONSTRAINT", "PRIMARY", "FOREIGN",
      "CHECK", "PARTITION":
      true
    case "PERIOD": words.keyword(1) == "FOR"
    case "SYSTEM": words.keyword(1) == "VERSIONING"
    case "VECTOR": ["INDEX", "KEY"].contains(words.keyword(1))
    default: false
    }
  }

  /// The primary key, if that is what comes.
  private func key(_ words: MySQLWords) -> [MySQLColumnChange] {
    var words = words
    if words.take("CONSTRAINT"), words.keyword() != "PRIMARY" { _ = words.name() }
    guard words.take("PRIMARY", "KEY") else { return [] }
    _ = words.take("IF", "NOT", "EXISTS")
    while !words.isAtEnd {
      guard let group = words.group() else {
        words.skip()
        continue
      }
      let names = group.parts().map { part in
        var part = part
        return part.name() ?? ""
      }
      return [.key(names)]
    }
    return []
  }

  private func drop(column words: inout MySQLWords) -> [MySQLColumnChange] {
    if words.take("PRIMARY", "KEY") { return [.key([])] }
    if !words.take("COLUMN") {
      switch words.keyword() {
      case "INDEX", "KEY", "FOREIGN", "CONSTRAINT", "CHECK": return []
      case "PERIOD" where words.keyword(1) == "FOR": return []
      case "SYSTEM" where words.keyword(1) == "VERSIONING": return []
      default: break
      }
    }
    _ = words.take("IF", "EXISTS")
    guard let name = words.name() else { return [.unclear] }
    return [.drop(name)]
  }
}
