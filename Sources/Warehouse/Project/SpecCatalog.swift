import Columns
import Connectors
import Dataflow
import SQL
import Store

/// The tables that the statements of one file can name, and what its plans' sources refer to.
final class SpecCatalog: TableResolver {
  private let specs: SpecBinder
  private let file: SpecFile
  /// By what plan sources refer to.
  private(set) var sources: [String: JobSpec.Source] = [:]

  init(_ specs: SpecBinder, _ file: SpecFile) {
    self.specs = specs
    self.file = file
  }

  var zone: SessionZone {
    file.settings["table.local-time-zone"].flatMap { SessionZone($0) } ?? specs.zone
  }

  func resolve(_ reference: TableReference) throws(TerraceError) -> ResolvedTable? {
    if reference.travel != nil {
      throw TerraceError(
        .unsupported, "time travel in a streaming query",
        hint: "“terrace query” reads the past; a job begins with OPTIONS('scan.snapshot-id' = …)")
    }
    if reference.path.count == 1 {
      let name = reference.path[0]
      if let create = file.connectors.first(where: { $0.name.last.text == name }) {
        return .table(try connector(create, reference))
      }
      if let view = file.views.first(where: { $0.name.last.text == name }) {
        return .view(view.query, file.text, columns: view.columns.map(\.text))
      }
    }
    if reference.path.count > 2, specs.catalogs.contains(reference.path[0]) {
      throw TerraceError.serverTable(reference.path)
    }
    let path = NamePath(reference.path.map { Name($0, SourceSpan(0, 0)) })
    guard let name = file.target(path) else { return nil }
    for other in specs.files where other.layer == name.database {
      for view in other.views where !view.isTemporary && view.name.last.text == name.table {
        return .view(view.query, other.text, columns: view.columns.map(\.text))
      }
    }
    if let table = specs.table(name) { return .table(try bound(table, reference)) }
    if specs.isDeclared(name) {
      throw TerraceError(
        .invalid, "the spec of '\(name)' is wrong", hint: "see the other messages")
    }
    if let table = try specs.foreign(name) { return .table(try bound(table, reference)) }
    return nil
  }

  private func connector(
    _ create: CreateTableSyntax, _ reference: TableReference
  ) throws(TerraceError) -> BoundTable {
    if file.isRefreshed {
      throw TerraceError(
        .unsupported, "a table with a connector as a source of REFRESH_MODE = FULL",
        hint: "a table of its own takes its records in; select from that one")
    }
    var (shape, table) = try specs.connector(create, file)
    for option in reference.options { table.options[option.key] = option.value }
    // Two files may call different tables alike; their jobs may be one.
    let key = "\(file.layer).\(file.stem)/" + SpecCatalog.key(table.name, reference)
    try specs.check(table, shape, isSource: true, file)
    let style = try specs.connectors.style(table)
    sources[key] = .connector(table)
    return shape.bound(
      reference: key, isAppendOnly: style == .inserts, text: file.text, given: table.type)
  }

  private func bound(
    _ table: ProjectTable, _ reference: TableReference
  ) throws(TerraceError) -> BoundTable {
    if file.isRefreshed, !reference.options.isEmpty {
      throw TerraceError(.unsupported, "OPTIONS in a query with REFRESH_MODE = FULL")
    }
    if !file.isRefreshed, specs.isRefreshed(table.name), table.shape.primaryKey.isEmpty {
      throw TerraceError(
        .unsupported,
        "following \(table.name), which is made anew as a whole (REFRESH_MODE = FULL), without its key",
        hint: "give it a PRIMARY KEY (…) NOT ENFORCED, or read it with REFRESH_MODE = FULL as well")
    }
    let key = SpecCatalog.key(table.name.description, reference)
    let options = Dictionary(reference.options.map { ($0.key, $0.value) }) { $1 }
    sources[key] = .table(table.name, options: options)
    // The first row of a key stays: nothing is ever taken back.
    let keepsFirst = table.option("merge-engine") == "first-row"
    return table.shape.bound(
      reference: key, isAppendOnly: table.shape.primaryKey.isEmpty || keepsFirst, text: table.text)
  }

  private static func key(_ name: String, _ reference: TableReference) -> String {
    if reference.options.isEmpty { return name }
    let options = reference.options.map {
      "'\($0.key)'='\(Redaction.shown($0.key, $0.value))'"
    }
    return name + " /*+ OPTIONS(\(options.joined(separator: ", "))) */"
  }

  var tableNames: [String] {
    file.connectors.map(\.name.last.text) + file.views.map(\.name.last.text)
      + specs.tableNames.map { $0.database == file.layer ? $0.table : $0.description }.sorted()
  }
}
