import Columns
import Formats

/// How tables come from each other, as text, JSON or a graph.
package struct Lineage: Sendable {
  private let edges: [Project.Edge]
  private let layers: [String]
  private let tables: [TableName]

  package init(_ project: Project) {
    edges = project.edges
    layers = project.layers
    tables = project.tables.map(\.name)
  }

  private func sources(of table: TableName) -> [Project.Node] {
    var found: [Project.Node] = []
    for edge in edges where edge.to == .table(table) && !found.contains(edge.from) {
      found.append(edge.from)
    }
    return found
  }

  private static func shown(_ node: Project.Node) -> String {
    switch node {
    case .table(let name): name.description
    case .outside(let name, let connector): "\(name) (\(connector))"
    }
  }

  /// Layer by layer, each table with what it reads.
  package var text: String {
    var text = ""
    for layer in layers {
      let own = tables.filter { $0.database == layer }
      if own.isEmpty { continue }
      text += layer + "\n"
      for table in own {
        let from = sources(of: table).map(Lineage.shown)
        text += "  \(table)" + (from.isEmpty ? "" : "  ← " + from.joined(separator: ", ")) + "\n"
      }
    }
    let outside = edges.filter {
      if case .outside = $0.to { return true }
      return false
    }
    if !outside.isEmpty { text += "out\n" }
    for edge in outside { text += "  \(Lineage.shown(edge.to))  ← \(Lineage.shown(edge.from))\n" }
    return text
  }

  package var json: String {
    JSONValue.members([
      ("tables", .array(tables.map { .string($0.description) })),
      (
        "edges",
        .array(
          edges.map {
            .members([
              ("from", .string($0.from.text)), ("to", .string($0.to.text)),
              ("job", .string($0.job)),
            ])
          })
      ),
    ]).text() + "\n"
  }

  /// A picture that needs no other program.
  package var svg: String {
    func outside(_ node: Project.Node) -> Bool {
      if case .outside = node { return true }
      return !tables.map { .table($0) }.contains(node)
    }
    func names(_ nodes: [Project.Node]) -> [String] {
      var seen: Set<String> = []
      return nodes.map(\.text).filter { seen.insert($0).inserted }
    }
    var columns: [(heading: String, names: [String])] = []
    columns.append(("sources", names(edges.map(\.from).filter(outside))))
    for layer in layers {
      columns.append((layer, tables.filter { $0.database == layer }.map(\.description)))
    }
    columns.append(("out", names(edges.map(\.to).filter(outside))))
    return LineageDrawing(
      columns: columns.filter { !$0.names.isEmpty },
      edges: edges.map { ($0.from.text, $0.to.text) }
    ).svg
  }

  /// Graphviz.
  package var dot: String {
    func quoted(_ text: String) -> String { "\"" + text.replacing("\"", with: "\\\"") + "\"" }
    var text = "digraph lineage {\n  rankdir=LR;\n  node [shape=box];\n"
    for layer in layers {
      let own = tables.filter { $0.database == layer }
      if own.isEmpty { continue }
      text += "  subgraph \(quoted("cluster_" + layer)) { label=\(quoted(layer));"
      for table in own { text += " \(quoted(table.description));" }
      text += " }\n"
    }
    for edge in edges { text += "  \(quoted(edge.from.text)) -> \(quoted(edge.to.text));\n" }
    return text + "}\n"
  }
}
