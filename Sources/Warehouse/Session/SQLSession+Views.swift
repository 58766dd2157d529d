import Columns
import SQL
import Store

/// Views. Paimon's filesystem catalog has none, so a view that is not temporary is a text file of the
/// database: `NAME.db/_views/VIEW.sql`, which holds the CREATE VIEW with all tables named in full. Engines
/// that know nothing of it see a folder without a schema, which is no table.
extension SQLSession {
  /// The view of a name, temporary ones first; nil when there is none.
  func view(_ name: TableName) throws(TerraceError) -> StoredView? {
    if let temporary = temporaryViews[name] { return temporary }
    guard name.branch == nil, try warehouse.hasFolder,
      let bytes = try warehouse.environment.files.readSmall(viewFile(name), limit: 1 << 24)
    else { return try layerView(name) }
    let text = SourceText(bytes: bytes, name: "view \(name)")
    do throws(TerraceError) {
      guard case .createView(let create) = try Parser.script(text).first?.kind else {
        throw TerraceError(.corrupted, "the file of a view holds something else")
      }
      return StoredView(
        query: create.query, text: text, columns: create.columns.map(\.text),
        comment: create.comment)
    } catch { throw error.with("file", viewFile(name)) }
  }

  private func viewFolder(_ database: String) -> String {
    warehouse.location.path + "/" + database + ".db/_views"
  }

  private func viewFile(_ name: TableName) -> String {
    viewFolder(name.database) + "/" + name.table + ".sql"
  }

  /// Names of the views of a database, temporary ones among them.
  func views(in database: String) throws(TerraceError) -> [String] {
    var names = Set(temporaryViews.keys.filter { $0.database == database }.map(\.table))
    if try warehouse.hasFolder {
      for file in try warehouse.environment.files.list(viewFolder(database))
      where file.hasSuffix(".sql") {
        names.insert(String(file.dropLast(4)))
      }
    }
    return names.sorted()
  }

  func createView(
    _ create: CreateViewSyntax, _ at: SessionStatement, _ output: any ResultOutput
  ) throws(TerraceError) {
    let name = try newName(create.name, at)
    if try exists(name) {
      if create.ifNotExists { return try output.done("\(name) is there already") }
      guard create.orReplace, try view(name) != nil else {
        throw at.error("'\(create.name.text)' is there already", create.name.span)
      }
    }
    let bound = try bind(create.query, at, SessionCatalog(self))
    if !create.columns.isEmpty, create.columns.count != bound.type.count {
      throw at.error(
        "the view names \(create.columns.count) columns, its query has \(bound.type.count)",
        create.columns[0].span)
    }
    if !create.isTemporary { try refuseTemporary(create.query, at) }
    try keep(
      create.query, create.columns.map(\.text), create.comment, as: name,
      isTemporary: create.isTemporary, at)
    try output.done("\(create.isTemporary ? "temporary " : "")view \(name) created")
  }

  private func refuseTemporary(
    _ query: QuerySyntax, _ at: SessionStatement
  ) throws(TerraceError) {
    for path in query.tableMentions {
      guard let name = try name(path.texts) else { continue }
      if temporaryTables[name] != nil || temporaryViews[name] != nil {
        throw at.error(
          "a view that stays cannot read the temporary '\(path.text)'", path.span,
          hint: "write CREATE TEMPORARY VIEW")
      }
    }
  }

  /// Stores a view under its full text.
  private func keep(
    _ query: QuerySyntax, _ columns: [String], _ comment: String?, as name: TableName,
    isTemporary: Bool, _ at: SessionStatement
  ) throws(TerraceError) {
    let text = SQLSession.viewText(
      name.table, columns, comment, qualified(query, at.source, database: database))
    do throws(TerraceError) {
      if isTemporary {
        let source = SourceText(text, name: "view \(name)")
        guard case .createView(let create) = try Parser.script(source).first?.kind else { return }
        temporaryViews[name] = StoredView(
          query: create.query, text: source, columns: columns, comment: comment)
        return
      }
      try haveDatabase(name.database)
      let files = warehouse.environment.files
      try files.makeDirectories(viewFolder(name.database))
      try files.replace(viewFile(name), with: Array(text.utf8), durable: true)
    } catch { throw at.placed(error, at.span) }
  }

  static func viewText(
    _ name: String, _ columns: [String], _ comment: String?, _ query: String
  ) -> String {
    var text = "CREATE VIEW \(TableDDL.quoted(name))"
    if !columns.isEmpty {
      text += " (\(columns.map(TableDDL.quoted).joined(separator: ", ")))"
    }
    if let comment { text += " COMMENT \(TableDDL.string(comment))" }
    return text + " AS\n" + query + "\n"
  }

  /// The query's text with the database before each table that is named without one.
  func qualified(_ query: QuerySyntax, _ source: SourceText, database: String) -> String {
    var out = ""
    var from = Int(query.span.start)
    let bare = query.tableMentions.filter { $0.parts.count == 1 }
      .sorted { $0.span.start < $1.span.start }
    for path in bare where Int(path.span.start) >= from {
      out += source.text(SourceSpan(from, Int(path.span.start)))
      out += TableDDL.quoted(database) + "."
      from = Int(path.span.start)
    }
    return out + source.text(SourceSpan(from, Int(query.span.end)))
  }

  func dropView(
    _ drop: DropSyntax, _ at: SessionStatement, _ output: any ResultOutput
  ) throws(TerraceError) {
    let name = try newName(drop.name, at)
    if temporaryViews.removeValue(forKey: name) != nil {
      return try output.done("temporary view \(name) dropped")
    }
    guard !drop.isTemporary, try view(name) != nil else {
      if drop.ifExists { return try output.done("there is no view \(name)") }
      throw at.error(
        "view '\(drop.name.text)' not found", drop.name.span,
        hint: NearestName.hint(drop.name.last.text, among: try views(in: name.database)) ?? "")
    }
    try warehouse.environment.files.delete(viewFile(name))
    try output.done("view \(name) dropped")
  }

  func alterView(
    _ path: NamePath, _ change: AlterView, _ at: SessionStatement, _ output: any ResultOutput
  ) throws(TerraceError) {
    let name = try newName(path, at)
    guard let view = try view(name) else {
      throw at.error("view '\(path.text)' not found", path.span)
    }
    let isTemporary = temporaryViews[name] != nil
    switch change {
    case .rename(let newPath):
      let new = try renamed(name, newPath, at)
      if try exists(new) {
        throw at.error("'\(newPath.text)' is there already", newPath.span)
      }
      if isTemporary {
        temporaryViews[new] = temporaryViews.removeValue(forKey: name)
      } else {
        try haveDatabase(new.database)
        try warehouse.environment.files.makeDirectories(viewFolder(new.database))
        try warehouse.environment.files.rename(viewFile(name), to: viewFile(new))
      }
      try output.done("view \(name) is now \(new)")
    case .asQuery(let query):
      _ = try bind(query, at, SessionCatalog(self))
      if !isTemporary { try refuseTemporary(query, at) }
      try keep(query, [], view.comment, as: name, isTemporary: isTemporary, at)
      try output.done("view \(name) changed")
    }
  }
}
