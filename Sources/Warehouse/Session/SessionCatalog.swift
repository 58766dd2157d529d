import Columns
import Connectors
import Dataflow
import SQL
import Store

/// The tables of a session as one statement sees them: looked up by name, opened once.
final class SessionCatalog: TableResolver {
  let session: SQLSession
  /// What plan sources refer to.
  private(set) var opened: [String: any SessionTable] = [:]
  private var byReference: [TableReference: ResolvedTable] = [:]

  init(_ session: SQLSession) { self.session = session }

  var zone: SessionZone { session.zone }

  func resolve(_ reference: TableReference) throws(TerraceError) -> ResolvedTable? {
    if let known = byReference[reference] { return known }
    if let (kind, base) = try session.systemTable(reference.path) {
      guard try session.isStored(base) else { return nil }
      let key = SessionCatalog.key("\(base)$\(kind.rawValue)", reference)
      let bound: BoundTable
      if kind == .auditLog {
        let table = try ChangesTable(
          base, try ReadOptions(reference, session), session, showsKinds: true)
        opened[key] = table
        bound = table.bound(key)
      } else {
        let table = try SystemSessionTable(kind, base, reference, session)
        opened[key] = table
        bound = table.bound(key)
      }
      byReference[reference] = .table(bound)
      return .table(bound)
    }
    if reference.path.count > 2, reference.path[0] != SQLSession.catalogName,
      try session.project?.catalogNames().contains(reference.path[0]) ?? false
    {
      throw TerraceError.serverTable(reference.path)
    }
    guard let name = try session.name(reference.path) else { return nil }
    let resolved: ResolvedTable
    if let view = try session.view(name) {
      guard reference.options.isEmpty, reference.travel == nil else {
        throw TerraceError(.invalid, "a view takes no options and no time")
      }
      resolved = .view(view.query, view.text, columns: view.columns)
    } else if let temporary = session.temporaryTables[name] {
      resolved = .table(try open(temporary, reference))
    } else {
      guard let found = try openStored(name, reference) else { return nil }
      resolved = .table(found)
    }
    byReference[reference] = resolved
    return resolved
  }

  /// Ids of the snapshots that stored tables are read at.
  var snapshots: Set<Int64> {
    Set(
      opened.values.compactMap {
        ($0 as? StoredSessionTable)?.version.snapshot?.id
          ?? ($0 as? TagPartitionTable)?.version.snapshot?.id
      })
  }

  private func open(
    _ temporary: TemporaryTable, _ reference: TableReference
  ) throws(TerraceError) -> BoundTable {
    guard reference.travel == nil else {
      throw TerraceError(.unsupported, "time travel of a connector table")
    }
    var table = temporary
    for option in reference.options { table.connector.options[option.key] = option.value }
    let key = SessionCatalog.key(temporary.connector.name, reference)
    let source = try ConnectorSessionTable(table, session)
    opened[key] = source
    return table.shape.bound(
      reference: key, isAppendOnly: source.isAppendOnly, text: table.text,
      given: table.connector.type)
  }

  private func openStored(
    _ name: TableName, _ reference: TableReference
  ) throws(TerraceError) -> BoundTable? {
    guard try session.isStored(name) else { return nil }
    let key = SessionCatalog.key(name.description, reference)
    let options = try ReadOptions(reference, session)
    guard case .version(let travel) = options.what else {
      let changes = try ChangesTable(name, options, session, showsKinds: false)
      opened[key] = changes
      return changes.bound(key)
    }
    let table = try StoredSessionTable(name, at: travel, session)
    if let partitioned = try TagPartitionTable(table, reference, session) {
      opened[key] = partitioned
      return partitioned.bound(key)
    }
    opened[key] = table
    return try table.bound(key)
  }

  /// Rows of a source, as far as its snapshot tells; more than any table's where nothing does.
  func size(of source: Plan.Source) -> Int {
    let version: TableVersion?
    switch opened[source.reference] {
    case let table as StoredSessionTable: version = table.version
    case let table as TagPartitionTable: version = table.version
    case is SystemSessionTable: return 0
    default: return 1 << 40
    }
    let rows = version?.snapshot.map { Int(clamping: $0.totalRecordCount) } ?? 0
    // A condition leaves fewer.
    return source.predicate == .always ? rows : rows / 4
  }

  /// The plan with each read of tag partitions named after what is asked of it.
  func withPartitions(_ plan: Plan) -> Plan {
    let conditions = PartitionConditions(
      column: { source in (self.opened[source.reference] as? TagPartitionTable)?.place },
      name: { source, condition in
        guard let table = self.opened[source.reference] as? TagPartitionTable else {
          return source.reference
        }
        let texts = condition.conditions.map { PlanText.expression($0, [table.column]) }
        let what = texts.isEmpty ? "all partitions" : texts.joined(separator: " AND ")
        let key = "\(source.reference) (\(what))"
        self.opened[key] = table.with(condition)
        return key
      })
    return conditions.rewrite(plan)
  }

  /// `ods.orders /*+ OPTIONS('scan.snapshot-id'='3') */`: what EXPLAIN shows of a source.
  private static func key(_ name: String, _ reference: TableReference) -> String {
    var key = name
    if !reference.options.isEmpty {
      let options = reference.options.map {
        "'\($0.key)'='\(Redaction.shown($0.key, $0.value))'"
      }
      key += " /*+ OPTIONS(\(options.joined(separator: ", "))) */"
    }
    switch reference.travel {
    case .time(let millis): key += " FOR SYSTEM_TIME AS OF '\(InstantText.text(millis: millis))'"
    case .version(let text): key += " VERSION AS OF '\(text)'"
    case nil: break
    }
    return key
  }

  var tableNames: [String] {
    // Only for hints: what cannot be listed is not suggested.
    let stored = (try? session.allTableNames()) ?? []
    return stored
      + (session.temporaryTables.keys.map { $0 } + session.temporaryViews.keys.map { $0 })
      .map { $0.database == session.database ? $0.table : $0.description }.sorted()
  }
}

/// Something that a query can read.
protocol SessionTable: AnyObject {
  /// Starts a read of these columns and of at least the rows that match.
  func read(_ source: Plan.Source) throws(TerraceError) -> any SessionRead
}

/// Rows of a source, batch by batch.
protocol SessionRead: AnyObject {
  /// The next rows with their weights; nil at the end.
  func next() throws(TerraceError) -> DeltaBatch?
  func close()
}

extension SQLSession {
  /// The table that a path names; nil when it names another catalog.
  func name(_ path: [String]) throws(TerraceError) -> TableName? {
    var parts = path[...]
    if parts.count == 3 {
      guard parts.first == SQLSession.catalogName else { return nil }
      parts = parts.dropFirst()
    }
    let database = parts.count == 2 ? parts[parts.startIndex] : self.database
    guard let table = parts.last else { return nil }
    try TableName.check(database, "database")
    return try TableName(database: database, sqlName: table)
  }

  /// `orders$snapshots` or `orders$branch_b$files`; nil for other names.
  func systemTable(_ path: [String]) throws(TerraceError) -> (SystemTable, TableName)? {
    guard let last = path.last, let mark = last.lastIndex(of: "$") else { return nil }
    let word = String(last[last.index(after: mark)...])
    if word.hasPrefix("branch_") { return nil }
    guard let kind = SystemTable(rawValue: word) else {
      throw TerraceError(.unsupported, "the system table $\(word)").hint(
        NearestName.hint(word, among: SystemTable.allCases.map(\.rawValue), else: "there are "))
    }
    guard let base = try name(path.dropLast() + [String(last[..<mark])]) else { return nil }
    return (kind, base)
  }

  /// Names of all stored tables, without the database for those of the current one.
  func allTableNames() throws(TerraceError) -> [String] {
    guard try warehouse.hasFolder else { return [] }
    var names: [String] = []
    for database in try warehouse.databases() {
      for table in try warehouse.tables(in: database) {
        names.append(database == self.database ? table : "\(database).\(table)")
      }
    }
    return names
  }
}

extension TableName {
  /// A table's name as it stands in SQL, with its branch: `orders$branch_test`.
  init(database: String, sqlName: String) throws(TerraceError) {
    let halves = sqlName.split(separator: "$", maxSplits: 1, omittingEmptySubsequences: false)
    try TableName.check(String(halves[0]), "table")
    guard halves.count == 2 else {
      self.init(database: database, table: sqlName)
      return
    }
    guard halves[1].hasPrefix("branch_"), halves[1].count > 7 else {
      throw TerraceError(.unsupported, "system table \(sqlName)")
    }
    let branch = String(halves[1].dropFirst(7))
    try TableName.check(branch, "branch")
    self.init(database: database, table: String(halves[0]), branch: branch)
  }
}

extension OpenWarehouse {
  /// Whether anything was ever put here.
  var hasFolder: Bool {
    get throws(TerraceError) {
      try environment.files.status(location.path + "/")?.isDirectory ?? false
    }
  }
}
