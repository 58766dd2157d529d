import Columns
import SQL
import Store

/// One file under `layers/`: what it declares, read but not yet bound.
struct SpecFile {
  struct Insert {
    var syntax: InsertSyntax
    var span: SourceSpan
  }

  struct Declaration {
    enum Kind {
      case table(CreateTableSyntax)
      case materialized(CreateMaterializedTableSyntax)
    }
    var kind: Kind
    var path: NamePath

    var query: QuerySyntax? {
      switch kind {
      case .table(let create): create.query
      case .materialized(let create): create.query
      }
    }
  }

  /// `layers/ods/orders.sql`
  let path: String
  let layer: String
  /// `orders`: the table that the file makes.
  let stem: String
  let text: SourceText
  var settings: [String: String] = [:]
  /// Tables with a connector: known in this file only.
  var connectors: [CreateTableSyntax] = []
  var views: [CreateViewSyntax] = []
  var table: Declaration?
  var inserts: [Insert] = []
  /// Places of SQL that a diff shows: the statements without the settings.
  var problems: [TerraceError] = []
  /// Statements that sync tables of servers, and the servers.
  var syncs: [SyncStatement] = []
  var catalogs: [CatalogDefinition] = []
  private var syncKinds: [(kind: SyncStatement.Kind, span: SourceSpan)] = []
  /// Of a spec that was made for a synced table.
  var sync: SyncTable?
  /// Settings that mean nothing.
  var warnings: [String] = []

  var sql: String { String(decoding: text.bytes, as: UTF8.self) }

  var name: TableName { TableName(database: layer, table: stem) }

  /// Whether the table is made anew as a whole: REFRESH_MODE = FULL.
  var isRefreshed: Bool {
    guard case .materialized(let create)? = table?.kind else { return false }
    return create.refreshMode == .full
  }

  init(path: String, layer: String, stem: String, text: SourceText) {
    self.path = path
    self.layer = layer
    self.stem = stem
    self.text = text
    do throws(TerraceError) {
      let (statements, failure) = try Parser.statements(text)
      for statement in statements {
        do throws(TerraceError) { try take(statement) } catch {
          problems.append(text.placed(error, statement.span))
        }
      }
      if let failure { problems.append(text.placed(failure, SourceSpan(0, 0))) }
    } catch { problems.append(text.placed(error, SourceSpan(0, 0))) }
    takeSyncs()
    if problems.isEmpty, table == nil, inserts.isEmpty, syncs.isEmpty, catalogs.isEmpty {
      problems.append(text.placed(makesNothing, nil))
    }
  }

  private var makesNothing: TerraceError {
    if let outside = connectors.first {
      let name = outside.name.last
      return text.error(
        "'\(name.text)' has a connector and lies outside: the file makes no table", at: name.span,
        hint:
          "call it CREATE TEMPORARY TABLE \(stem)_source, then write CREATE TABLE \(stem) (…) and "
          + "INSERT INTO \(stem) SELECT … FROM \(stem)_source")
    }
    return text.error(
      "the file makes no table", at: SourceSpan(0, 0),
      hint: "it needs CREATE TABLE \(stem) … and INSERT INTO, or CREATE MATERIALIZED TABLE")
  }

  /// When all settings of the file are known.
  private mutating func takeSyncs() {
    for (kind, span) in syncKinds {
      do throws(TerraceError) {
        if table != nil || !inserts.isEmpty || !connectors.isEmpty {
          throw text.error(
            "the file syncs tables of a server and makes others", at: span,
            hint: "put the statements … AS TABLE and … AS DATABASE into a file of their own")
        }
        syncs.append(try SyncStatement(kind, file: self, span: span))
      } catch { problems.append(text.placed(error, span)) }
    }
  }

  private mutating func take(_ statement: Statement) throws(TerraceError) {
    switch statement.kind {
    case .createCatalog(let create):
      catalogs.append(try CatalogDefinition(create, text, statement.span))
    case .syncDatabase(let sync): syncKinds.append((.database(sync), statement.span))
    case .createTable(let create) where create.sync != nil:
      if let sync = create.sync { syncKinds.append((.table(create, sync), statement.span)) }
    case .set(let option?):
      if case .refused(let why) = ProjectKeys.kind(of: option.key, option.value) {
        throw text.unsupported("\(option.key) = \(option.value)", at: option.valueSpan, hint: why)
      }
      let place = text.position(Int(option.keySpan.start))
      let start = "\(path):\(place.line):\(place.column):"
      switch ProjectKeys.kind(of: option.key, option.value) {
      case .wrong(let wanted):
        throw text.error("'\(option.key)' takes \(wanted)", at: option.valueSpan)
      case .unknown:
        let hint = NearestName.hint(option.key, among: ProjectKeys.known).map { "; " + $0 } ?? ""
        warnings.append("\(start) unknown setting '\(option.key)'\(hint)")
      case .ignored(let why): warnings.append("\(start) \(option.key) has no effect: \(why)")
      case .known, .refused: break
      }
      settings[option.key] = option.value
    case .createTable(let create):
      let connector = self.connector(of: create)
      if create.isTemporary || (connector != nil && connector != "paimon") {
        if let query = create.query {
          throw text.unsupported("CREATE TEMPORARY TABLE … AS", at: query.span)
        }
        guard connector != nil else {
          throw text.error(
            "a temporary table needs the option 'connector'", at: create.name.span)
        }
        connectors.append(create)
      } else {
        try declare(Declaration(kind: .table(create), path: create.name))
      }
    case .createMaterializedTable(let create):
      try declare(Declaration(kind: .materialized(create), path: create.name))
    case .createView(let view): views.append(view)
    case .insert(let insert): inserts.append(Insert(syntax: insert, span: statement.span))
    case .statementSet(let set):
      inserts += set.map { Insert(syntax: $0, span: $0.span) }
    case .use:
      throw text.unsupported(
        "USE in a spec", at: statement.span, hint: "the folder of the file is its database")
    default:
      throw text.unsupported(
        "this statement in a spec", at: statement.span,
        hint:
          "a spec has SET, CREATE TEMPORARY TABLE, CREATE VIEW, CREATE TABLE, INSERT INTO, CREATE CATALOG"
      )
    }
  }

  /// The connector of a table: its own, or that of a table of this file that it is LIKE. The table that the file
  /// is named after lies in the warehouse unless it says so itself.
  private func connector(of create: CreateTableSyntax) -> String? {
    func own(_ table: CreateTableSyntax) -> String? {
      table.definition.options.last { $0.key == "connector" }?.value
    }
    guard own(create) == nil, let like = create.like, like.source.parts.count == 1,
      create.isTemporary || create.name.last.text != stem
    else { return own(create) }
    let isLeftOut = like.options.last { $0.what == "OPTIONS" || $0.what == "ALL" }
    if isLeftOut?.verb == "EXCLUDING" { return nil }
    return connectors.first { $0.name.last.text == like.source.last.text }.flatMap(own)
  }

  private mutating func declare(_ declaration: Declaration) throws(TerraceError) {
    let path = declaration.path
    if table != nil {
      throw text.error(
        "the file makes a second table", at: path.span, hint: "one table a file")
    }
    if path.parts.count > 1, path.texts[path.parts.count - 2] != layer {
      throw text.error(
        "'\(path.text)' is not in layer \(layer), where the file lies", at: path.span,
        hint: "write CREATE TABLE \(stem)")
    }
    guard path.last.text == stem else {
      throw text.error(
        "the table is called '\(path.last.text)', its file \(stem).sql", at: path.last.span,
        hint: "rename one of them")
    }
    table = declaration
  }
}

extension SpecFile {
  /// Reads `layers/`: one folder a layer, one file a table.
  ///
  /// - Returns: files in the order of layers and names; problems with the folders themselves are thrown.
  static func readAll(
    folder: String, layers: [String], _ environment: Environment
  ) throws(TerraceError) -> [SpecFile] {
    let files = environment.files
    let root = folder + "/layers"
    guard try files.status(root + "/")?.isDirectory ?? false else {
      throw TerraceError(
        .notFound, "no project here: there is no folder \(root)",
        hint: "“terrace init DIR” makes one; -C DIR names another folder")
    }
    var strays: [String] = []
    for name in try files.list(root).sorted() where !layers.contains(name) {
      if name.hasPrefix(".") { continue }
      guard try files.status(root + "/" + name + "/")?.isDirectory ?? false else {
        if name.lowercased().hasSuffix(".sql") {
          strays.append("layers/\(name) is passed over: a spec lies in the folder of its layer")
        }
        continue
      }
      throw TerraceError(
        .invalid, "layers/\(name) is no layer",
        hint: NearestName.hint(name, among: layers, else: "the layers are ")
          + "; terrace.conf sets them with “layers: …”")
    }
    var found: [SpecFile] = []
    for layer in layers {
      guard try files.status(root + "/" + layer + "/")?.isDirectory ?? false else { continue }
      for file in try files.list(root + "/" + layer).sorted() {
        let path = "layers/" + layer + "/" + file
        guard isSpec(file) else {
          if let word = try stray(file, path, folder, files) { strays.append(word) }
          continue
        }
        guard let bytes = try files.readSmall(folder + "/" + path, limit: SourceText.byteCountMax)
        else { continue }
        let stem = String(file.dropLast(4))
        try TableName.check(stem, "table")
        found.append(
          SpecFile(
            path: path, layer: layer, stem: stem, text: SourceText(bytes: bytes, name: path)))
      }
    }
    if found.isEmpty {
      throw TerraceError(
        .notFound, "the project has no specs: there is no .sql file in \(root)/LAYER",
        hint: "the layers are \(layers.joined(separator: ", "))")
    }
    found[0].warnings += strays
    return found
  }

  private static func isSpec(_ file: String) -> Bool {
    file.hasSuffix(".sql") && !file.hasPrefix(".") && file.count > 4
  }

  /// Why a file or folder that looks like a spec, or may hold some, is none; nil for others.
  private static func stray(
    _ file: String, _ path: String, _ folder: String, _ files: any FileIO
  ) throws(TerraceError) -> String? {
    if file.hasPrefix(".") { return nil }
    if file.lowercased().hasSuffix(".sql") {
      return "\(path) is passed over: the name of a spec is TABLE.sql"
    }
    guard try files.status(folder + "/" + path + "/")?.isDirectory ?? false else { return nil }
    return "\(path)/ is passed over: a layer has no folders in it"
  }
}
