import Columns
import Connectors
import SQL
import Store

/// A CREATE CATALOG of the project: in `catalogs/*.sql`, or in a file of a layer.
struct CatalogDefinition: Sendable {
  let name: String
  let options: [String: String]
  /// The same, with their places.
  let written: [OptionSyntax]
  let text: SourceText
  let span: SourceSpan

  init(_ create: CreateNamespaceSyntax, _ text: SourceText, _ span: SourceSpan)
    throws(TerraceError)
  {
    name = create.name.text
    options = Dictionary(create.options.map { ($0.key, $0.value) }) { $1 }
    written = create.options
    self.text = text
    self.span = span
    if create.name.parts.count > 1 || name == SQLSession.catalogName {
      throw text.error("'\(name)' cannot be the name of a catalog", at: create.name.span)
    }
    if let type = create.options.last(where: { $0.key == "type" }),
      !DatabaseCatalogs.types.contains(type.value)
    {
      let error = DatabaseCatalogs.unknown(type.value)
      throw text.error(error.message, at: type.valueSpan, hint: error.hint, kind: error.kind)
    }
    if options["type"] == nil {
      let error = DatabaseCatalogs.unknown(nil)
      throw text.error(error.message, at: create.name.span, hint: error.hint)
    }
  }

  static let folder = "catalogs"

  /// Reads `catalogs/*.sql`.
  static func readAll(
    folder: String, _ environment: Environment
  ) throws(TerraceError) -> (found: [CatalogDefinition], problems: [TerraceError]) {
    let files = environment.files
    let root = folder + "/" + CatalogDefinition.folder
    var found: [CatalogDefinition] = []
    var problems: [TerraceError] = []
    guard try files.status(root + "/")?.isDirectory ?? false else { return ([], []) }
    for name in try files.list(root).sorted() where name.hasSuffix(".sql") && !name.hasPrefix(".") {
      let path = CatalogDefinition.folder + "/" + name
      guard let bytes = try files.readSmall(folder + "/" + path, limit: SourceText.byteCountMax)
      else { continue }
      let text = SourceText(bytes: bytes, name: path)
      do throws(TerraceError) {
        let (statements, failure) = try Parser.statements(text)
        for statement in statements {
          guard case .createCatalog(let create) = statement.kind else {
            throw text.unsupported(
              "this statement here", at: statement.span,
              hint: "files under catalogs/ have CREATE CATALOG statements")
          }
          found.append(try CatalogDefinition(create, text, statement.span))
        }
        if let failure { throw failure }
      } catch { problems.append(text.placed(error, SourceSpan(0, 0))) }
    }
    return (found, problems)
  }
}

/// The catalogs of a project, opened when they are first asked. To be closed.
final class SyncCatalogs {
  private let definitions: [CatalogDefinition]
  private let door: ConnectorDoor
  private let folder: String
  private let variables: [String: String]
  private let environment: Environment
  private var opened: [String: any DatabaseCatalog] = [:]
  /// What went wrong with a server: it is not asked again.
  private var failures: [String: TerraceError] = [:]

  init(
    _ definitions: [CatalogDefinition], _ door: ConnectorDoor, _ config: ProjectConfig,
    folder: String, _ environment: Environment
  ) {
    self.definitions = definitions
    self.door = door
    self.folder = folder
    variables = config.variables
    self.environment = environment
  }

  /// - Throws: `invalid` at the name, when there is no such catalog.
  func definition(of statement: SyncStatement) throws(TerraceError) -> CatalogDefinition {
    let name = statement.catalog
    if let found = definitions.first(where: { $0.name == name.text }) { return found }
    throw statement.text.error(
      "there is no catalog '\(name.text)'", at: name.span,
      hint: NearestName.hint(name.text, among: definitions.map(\.name))
        ?? "CREATE CATALOG \(name.text) WITH ('type' = …) in a file under catalogs/ makes it")
  }

  /// Why the server behind a statement could not be asked; nil when nothing has gone wrong with it.
  func failure(of statement: SyncStatement) -> TerraceError? {
    failures[Self.key(statement.catalog.text, statement.options.serverMapping)]
  }

  /// Whether the server, or what surrounds this process, is to blame, and not the spec: servers that are
  /// away, logins that are refused, secrets that are not there.
  private static func isOfServer(_ error: TerraceError) -> Bool {
    switch error.kind {
    case .unavailable: true
    case .invalid:
      error.fact("server") != nil || error.fact("variable") != nil
        || (error.fact("option") != nil && error.fact("in") != nil)
    default: false
    }
  }

  /// Opens all of them, which asks no server yet.
  ///
  /// - Throws: `invalid` for options that are wrong or unknown, at their place.
  func check() throws(TerraceError) {
    for definition in definitions {
      do throws(TerraceError) { _ = try catalog(definition, mapping: nil) } catch {
        // That is told of what asks the server.
        if !Self.isOfServer(error) { throw error }
      }
    }
  }

  /// The server behind a statement.
  ///
  /// - Throws: what it went wrong with; ``failure(of:)`` when the server is to blame.
  func ask<Answer>(
    _ statement: SyncStatement,
    _ body: (any DatabaseCatalog) throws(TerraceError) -> Answer
  ) throws(TerraceError) -> Answer {
    let definition = try definition(of: statement)
    let key = Self.key(definition.name, statement.options.serverMapping)
    if let failure = failures[key] { throw failure }
    do throws(TerraceError) {
      return try body(
        try catalog(definition, mapping: statement.options.serverMapping))
    } catch {
      let told = error.with("catalog", definition.name)
      if Self.isOfServer(error) { failures[key] = told }
      throw told
    }
  }

  private static func key(_ name: String, _ mapping: String?) -> String {
    name + " " + (mapping ?? "")
  }

  private func catalog(
    _ definition: CatalogDefinition, mapping: String?
  ) throws(TerraceError) -> any DatabaseCatalog {
    let key = Self.key(definition.name, mapping)
    if let catalog = opened[key] { return catalog }
    var options = definition.options
    if let mapping { options["type-mapping"] = mapping }
    for (name, value) in options where value.contains("${") && !value.contains("${file:") {
      options[name] = try ProjectConfig.expanded(value, variables) {
        definition.text.error($0, at: definition.span, hint: $1)
      }
    }
    let catalog: any DatabaseCatalog
    do throws(TerraceError) {
      catalog = try door.catalog(definition.name, options, folder, environment)
    } catch {
      throw definition.text.placed(
        definition.text.placed(error, definition.written), definition.span)
    }
    opened[key] = catalog
    return catalog
  }

  /// Options of a connector that reads a table: secrets stay where they are.
  func options(
    _ statement: SyncStatement, _ table: DatabaseTable
  ) throws(TerraceError) -> [String: String] {
    let definition = try definition(of: statement)
    var options = try ask(statement) { (catalog) throws(TerraceError) in catalog.options(for: table)
    }
    for (key, value) in definition.options where value.contains("${") && options[key] != nil {
      options[key] = value
    }
    if let mapping = statement.options.serverMapping { options["type-mapping"] = mapping }
    options["schema-evolution"] = statement.options.evolution.rawValue
    for option in statement.options.connector { options[option.key] = option.value }
    return options
  }

  /// Checks what the statement says to the connector.
  ///
  /// - Throws: `invalid` with fact `option`.
  func check(_ statement: SyncStatement, _ table: DatabaseTable) throws(TerraceError) {
    let plain = ConnectorTable(
      name: table.text, type: RowType([("id", .int)]), primaryKey: ["id"],
      options: try options(statement, table), folder: folder)
    try door.check(plain, true, environment)
  }

  /// What is known of a table, with the secrets that its statement and catalog have.
  func completed(
    _ known: SyncSource, _ statement: SyncStatement
  ) throws(TerraceError) -> SyncSource {
    var known = known
    let written = try definition(of: statement).options.map { ($0.key, $0.value) }
    for (name, value) in written + statement.options.connector.map({ ($0.key, $0.value) })
    where SyncSource.isSecret(name, value) { known.options[name] = value }
    return known
  }

  func close() {
    for catalog in opened.values { catalog.close() }
    opened = [:]
  }
}
