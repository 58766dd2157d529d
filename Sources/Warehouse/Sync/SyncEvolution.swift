import Columns
import Connectors
import SQL
import Store

/// What a change of a table at its server means for the table here.
///
/// Added columns are added, longer types taken over, renamed columns renamed when the log says so; what was
/// dropped stays here and is null from then on, as Paimon has it. Anything else is refused.
struct SyncEvolution {
  private(set) var steps: [SchemaChange] = []
  private(set) var sources: [SyncSource]
  /// Columns here that nothing comes for any more.
  private(set) var dropped: Set<String> = []

  private let table: SyncTable
  private let index: Int
  private let current: TableSchema
  /// The columns here, as they are after the steps so far that rename them.
  private var fields: [Field]
  private var options: SyncOptions { table.statement.options }

  /// - Throws: `invalid` for a change that cannot be followed, with what it is.
  init(
    _ table: SyncTable, source index: Int, _ drift: SchemaDrift, _ current: TableSchema
  ) throws(TerraceError) {
    self.table = table
    self.index = index
    self.current = current
    fields = current.fields
    sources = table.sources
    if drift.isDropped { throw refusal("the table is gone: \(drift.reason)") }
    if options.evolution == .fail {
      throw refusal("its columns changed: \(drift.reason)")
    }
    try checkKey(drift)
    try follow(drift)
  }

  private var old: SyncSource { table.sources[index] }

  private func refusal(_ why: String) -> TerraceError {
    TerraceError(
      .invalid, "\(old.name): \(why)",
      hint:
        "\(table.name) stays as it is; drop it, and the next run makes it anew from what the server has"
    ).with("table", table.name)
  }

  private func checkKey(_ drift: SchemaDrift) throws(TerraceError) {
    let key = old.key(table.statement)
    let was = key.map { drift.renamed[$0] ?? $0 }
    if !drift.primaryKey.isEmpty || !was.isEmpty, drift.primaryKey != was {
      throw refusal(
        "the primary key is (\(drift.primaryKey.joined(separator: ", "))) now, "
          + "it was (\(key.joined(separator: ", ")))")
    }
    if let name = key.first(where: { drift.renamed[$0] != nil }) {
      throw refusal("the key column \(name) is called \(drift.renamed[name] ?? "") now")
    }
    for name in table.primaryKey {
      guard let column = old.shape.columns.first(where: { old.target(of: $0.name) == name }) else {
        continue
      }
      if !drift.columns.contains(where: { $0.name == (drift.renamed[column.name] ?? column.name) })
      {
        throw refusal("the key column \(name) is gone")
      }
    }
  }

  private mutating func follow(_ drift: SchemaDrift) throws(TerraceError) {
    var source = old
    source.shape.columns = drift.columns
    if !old.shape.primaryKey.isEmpty { source.shape.primaryKey = drift.primaryKey }
    if let comment = drift.comment { source.shape.comment = comment }
    if let place = drift.place { source.place = place }
    rename(drift, &source)
    var stays: Set<String> = []
    for column in drift.columns {
      let name = source.target(of: column.name)
      stays.insert(name)
      try take(column, name, drift)
    }
    for column in old.shape.columns where drift.renamed[column.name] == nil {
      let name = old.target(of: column.name)
      if stays.contains(name) { continue }
      dropped.insert(name)
      let field = fields.first { $0.name == name }
      if let field, !field.type.isNullable { steps.append(.setNullable([name], true)) }
    }
    // The server need not tell comments with its log.
    for i in source.shape.columns.indices where source.shape.columns[i].comment == nil {
      source.shape.columns[i].comment = was(source.shape.columns[i], drift)?.comment
    }
    if options.evolution == .follow, let comment = drift.comment, comment != current.comment,
      table.statement.definition.comment == nil
    {
      steps.append(.setComment(comment))
    }
    sources[index] = source
  }

  /// What a column was called before; nil for one that came.
  private static func before(_ name: String, _ drift: SchemaDrift) -> String? {
    if let old = drift.renamed.first(where: { $0.value == name }) { return old.key }
    // Its name may be that of a column which is called otherwise now.
    return drift.renamed[name] == nil ? name : nil
  }

  private func was(_ column: Field, _ drift: SchemaDrift) -> Field? {
    SyncEvolution.before(column.name, drift).flatMap { name in
      old.shape.columns.first { $0.name == name }
    }
  }

  /// Renames here what was renamed there; where other sources or the statement keep the name, the column
  /// that it has here is remembered.
  private mutating func rename(_ drift: SchemaDrift, _ source: inout SyncSource) {
    source.renamed = [:]
    var names = Set(fields.map(\.name))
    var pending: [(from: String, to: String)] = []
    for column in drift.columns {
      guard let known = was(column, drift) else { continue }
      let name = old.target(of: known.name)
      if name != column.name, names.contains(name) { pending.append((name, column.name)) }
    }
    // A name is free that nobody has, or whose column is renamed too.
    var count = -1
    while count != pending.count {
      count = pending.count
      let leaving = Set(pending.map(\.from))
      pending = pending.filter { !names.contains($0.to) || leaving.contains($0.to) }
    }
    guard options.evolution == .follow, table.sources.count == 1 else {
      for (from, to) in pending { source.renamed[to] = from }
      return
    }
    func call(_ from: String, _ to: String) {
      steps.append(.renameColumn([from], to: to))
      if let i = fields.firstIndex(where: { $0.name == from }) { fields[i].name = to }
      names.remove(from)
      names.insert(to)
    }
    while !pending.isEmpty {
      if let i = pending.firstIndex(where: { !names.contains($0.to) }) {
        let (from, to) = pending.remove(at: i)
        call(from, to)
      } else {
        // Names that go round: one steps aside.
        var aside = pending[0].from + "_"
        while names.contains(aside) || pending.contains(where: { $0.to == aside }) { aside += "_" }
        call(pending[0].from, aside)
        pending[0].from = aside
      }
    }
  }

  private mutating func take(
    _ column: Field, _ name: String, _ drift: SchemaDrift
  ) throws(TerraceError) {
    let was = was(column, drift)
    let isKey = table.primaryKey.contains(name)
    let type = options.mapped(column.type, isKey: isKey)
    guard let here = fields.first(where: { $0.name == name }) else {
      if options.evolution == .follow {
        steps.append(.addColumn([name], type.nullable, comment: column.comment))
      }
      return
    }
    if let was, was.type.kind == column.type.kind {
      comment(column, name, here)
      return
    }
    let before = was.map { options.mapped($0.type, isKey: isKey) } ?? here.type
    try checkType(before, type, name, here.type)
    if !type.widens(to: here.type) {
      if options.evolution == .ignore {
        throw refusal(
          "column \(name) is \(type.nullable.text) now, which \(here.type.nullable.text) does not hold"
        )
      }
      if isKey {
        throw refusal(
          "the key column \(name) is \(type.nullable.text) now, it was "
            + "\(here.type.nullable.text): a key column keeps its type")
      }
      steps.append(.setType([name], here.type.isNullable ? type.nullable : type.notNull))
    }
    comment(column, name, here)
  }

  private mutating func comment(_ column: Field, _ name: String, _ here: Field) {
    guard options.evolution == .follow, let text = column.comment, text != here.comment,
      !table.statement.definition.columns.contains(where: { $0.name.text == name })
    else { return }
    steps.append(.setColumnComment([name], text))
  }

  /// A type may become a longer one of its family.
  private func checkType(
    _ was: DataType, _ now: DataType, _ name: String, _ here: DataType
  ) throws(TerraceError) {
    if was.kind == now.kind { return }
    if options.mapping.contains("decimal-no-change"), case .decimal = was.kind,
      case .decimal = now.kind, now.widens(to: here)
    {
      return
    }
    let toText = options.mapping.contains("allow-non-string-to-string")
    let isText = SyncEvolution.family(now) == "text"
    let sameFamily = SyncEvolution.family(was) == SyncEvolution.family(now)
    let grows = SyncEvolution.family(was) == "integer" && SyncEvolution.family(now) == "decimal"
    guard was.widens(to: now), sameFamily || grows || (toText && isText) else {
      throw refusal("column \(name) is \(now.nullable.text) now, it was \(was.nullable.text)")
    }
    guard here.widens(to: now) || now.widens(to: here) else {
      throw refusal("column \(name) is \(now.nullable.text) now, here it is \(here.nullable.text)")
    }
  }

  private static func family(_ type: DataType) -> String {
    switch type.kind {
    case .char, .varchar: "text"
    case .binary, .varbinary: "bytes"
    case .tinyint, .smallint, .int, .bigint: "integer"
    case .float, .double: "float"
    case .decimal: "decimal"
    case .timestamp: "timestamp"
    case .timestampLTZ: "instant"
    case .time: "time"
    default: type.nullable.text
    }
  }
}
