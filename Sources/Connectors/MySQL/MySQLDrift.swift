import Columns

/// What became of a source's columns, as a statement of the log says or the log itself shows: as they were at
/// that place, whatever was made of them since.
struct MySQLDrift {
  private(set) var columns: [Field]
  private var key: [String]
  private var renamed: [String: String] = [:]
  private(set) var reasons: [String] = []
  /// Columns that came and are left out.
  private(set) var notices: [String] = []
  private let wasKey: [String]
  private let switches: MySQLTypeSwitches

  init(_ table: ConnectorTable, _ switches: MySQLTypeSwitches) {
    columns = table.declared.fields
    key = table.primaryKey
    wasKey = table.primaryKey
    self.switches = switches
  }

  /// Names of columns count as alike in upper and lower case, as the server has it.
  private static func same(_ a: String, _ b: String) -> Bool { a.lowercased() == b.lowercased() }

  // MARK: By statements

  /// - Throws: `unsupported` for a type that has no place here.
  mutating func apply(_ changes: [MySQLColumnChange]) throws(TerraceError) {
    // All old names are those from before the statement.
    let before = columns
    var now: [Field] = []
    for field in before {
      if let kept = try kept(field, changes) { now.append(kept) }
    }
    columns = now
    for change in changes {
      switch change {
      case .add(let text): add(text, at: text.place)
      case .change(let old, let text):
        if before.contains(where: { Self.same($0.name, old) }) {
          move(text)
        } else {
          add(text, at: text.place)
        }
      case .key(let names):
        key = names.map { name in columns.first { Self.same($0.name, name) }?.name ?? name }
      default: break
      }
    }
    if key != wasKey.map({ renamed[$0] ?? $0 }) {
      reasons.append("the primary key is (\(key.joined(separator: ", "))) now")
    }
  }

  /// A column that was there, as it is behind the statement; nil when it is gone.
  private mutating func kept(
    _ field: Field, _ changes: [MySQLColumnChange]
  ) throws(TerraceError) -> Field? {
    var field = field
    for change in changes {
      switch change {
      case .drop(let name) where Self.same(name, field.name):
        reasons.append("column \(field.name) is gone")
        return nil
      case .rename(let old, let new) where Self.same(old, field.name):
        call(&field, new)
        return field
      case .change(let old, let text) where Self.same(old, field.name):
        let column = text.column
        if !Self.same(column.name, old) { call(&field, column.name) }
        if column.isGenerated {
          reasons.append("column \(field.name) is generated now")
          return nil
        }
        try retype(&field, column)
        return field
      default: break
      }
    }
    return field
  }

  private mutating func call(_ field: inout Field, _ name: String) {
    reasons.append("column \(field.name) is called \(name)")
    renamed[field.name] = name
    if let i = key.firstIndex(of: field.name) { key[i] = name }
    field.name = name
  }

  private mutating func retype(
    _ field: inout Field, _ column: MySQLColumn
  ) throws(TerraceError) {
    let natural = try type(column)
    // BOOLEAN stands for TINYINT(1) alone.
    let isOther = field.type.kind == .boolean && natural.kind != .boolean
    if isOther || !column.fits(field.type) {
      reasons.append("column \(field.name) is \(column.full) now")
      field.type = natural
      if key.contains(field.name) { field.type = natural.notNull }
    } else if column.isNullable, !field.type.isNullable, !key.contains(field.name) {
      reasons.append("column \(field.name) may be null now")
      field.type = field.type.nullable
    }
  }

  private func type(_ column: MySQLColumn) throws(TerraceError) -> DataType {
    if let type = column.type(switches) { return type }
    throw TerraceError(.unsupported, column.refusal).with("column", column.name)
  }

  private mutating func add(_ text: MySQLColumnText, at place: MySQLColumnText.Place?) {
    let column = text.column
    // What the table was declared with, or another statement brought.
    if columns.contains(where: { Self.same($0.name, column.name) }) { return }
    if column.isGenerated {
      return notices.append("the generated column \(column.name) is left out")
    }
    guard let type = column.type(switches) else {
      return notices.append("not supported: \(column.refusal); it is left out")
    }
    reasons.append("column \(column.name) is new")
    insert(
      Field(id: columns.count, name: column.name, type: type, comment: column.comment), place)
  }

  private mutating func move(_ text: MySQLColumnText) {
    guard let place = text.place,
      let i = columns.firstIndex(where: { Self.same($0.name, text.column.name) })
    else { return }
    insert(columns.remove(at: i), place)
  }

  private mutating func insert(_ field: Field, _ place: MySQLColumnText.Place?) {
    switch place {
    case .first: columns.insert(field, at: 0)
    case .after(let other):
      let at = columns.firstIndex { Self.same($0.name, other) }
      columns.insert(field, at: at.map { $0 + 1 } ?? columns.count)
    case nil: columns.append(field)
    }
  }

  // MARK: By the log

  /// Compares with the columns that rows of the log have: for changes that no statement of the log told.
  ///
  /// - Parameters:
  ///   - logged: as the log describes them.
  ///   - now: the table by now; it knows lengths that the log does not tell.
  ///   - takesNew: columns that are not declared are new, and not left out.
  mutating func compare(
    _ logged: [MySQLColumn], now: [MySQLColumn], takesNew: Bool
  ) throws(TerraceError) {
    var kept: [Field] = []
    for var field in columns {
      guard let column = logged.first(where: { $0.name == field.name }) else {
        reasons.append("column \(field.name) is gone")
        continue
      }
      if !column.isText, !column.fits(field.type) { try retype(&field, column) }
      kept.append(field)
    }
    columns = kept
    if !takesNew { return }
    for column in logged where !columns.contains(where: { $0.name == column.name }) {
      let known = now.first { $0.name == column.name }
      if known?.isGenerated ?? false { continue }
      let isAlike = known.map { $0.base == column.base || ($0.isText && column.isText) } ?? false
      let type = isAlike ? known ?? column : column
      guard let natural = type.type(switches) else { continue }
      reasons.append("column \(column.name) is new")
      columns.append(Field(id: columns.count, name: column.name, type: natural.nullable))
    }
  }

  /// Compares with the table as the server describes it, before anything of it was read.
  mutating func compare(_ now: MySQLTable) throws(TerraceError) {
    var kept: [Field] = []
    for var field in columns {
      guard let column = now.columns.first(where: { $0.name == field.name && !$0.isGenerated })
      else {
        reasons.append("column \(field.name) is gone")
        continue
      }
      try retype(&field, column)
      kept.append(field)
    }
    columns = kept
    for column in now.columns where !columns.contains(where: { $0.name == column.name }) {
      guard !column.isGenerated, let natural = column.type(switches) else { continue }
      reasons.append("column \(column.name) is new")
      columns.append(Field(id: columns.count, name: column.name, type: natural))
    }
  }

  // MARK: The outcome

  /// Nil when nothing became of them.
  ///
  /// - Parameter now: the table by now, for comments.
  func drift(_ name: MySQLTableName, now: MySQLTable?, place: String?) -> SchemaDrift? {
    if reasons.isEmpty { return nil }
    var columns = columns
    for i in columns.indices {
      let there = now?.columns.first { $0.name == columns[i].name }
      columns[i].comment = there?.comment ?? columns[i].comment
    }
    return SchemaDrift(
      columns: columns, primaryKey: key, comment: now?.comment, renamed: renamed,
      reason: "\(name.text): " + reasons.joined(separator: ", "), place: place)
  }
}
