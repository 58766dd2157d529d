import Columns
import SQL

/// Which table is made of which, by what the files say, before anything is bound.
struct SpecGraph {
  struct Mention {
    var from: TableName
    var place: NamePath
    var file: Int
  }

  /// For each table that jobs write: what its jobs read.
  private(set) var mentions: [TableName: [Mention]] = [:]
  private let files: [SpecFile]
  private let layers: [String]

  init(_ files: [SpecFile], layers: [String]) {
    self.files = files
    self.layers = layers
    for (index, file) in files.enumerated() {
      if let query = file.table?.query { add(query, to: file.name, index) }
      for insert in file.inserts {
        let path = insert.syntax.target
        guard let target = file.target(path) else { continue }
        add(insert.syntax.query, to: target, index)
      }
    }
  }

  private mutating func add(_ query: QuerySyntax, to target: TableName, _ file: Int) {
    for (name, place) in SpecGraph.tables(of: query, in: files[file], files) {
      mentions[target, default: []].append(Mention(from: name, place: place, file: file))
    }
  }

  /// Tables of the warehouse that a query of a file names, its views followed.
  private static func tables(
    of query: QuerySyntax, in file: SpecFile, _ files: [SpecFile], depth: Int = 0
  ) -> [(TableName, NamePath)] {
    if depth > 32 { return [] }
    var found: [(TableName, NamePath)] = []
    for path in query.tableMentions {
      if path.parts.count == 1 {
        if file.connectors.contains(where: { $0.name.last.text == path.last.text }) { continue }
        if let view = file.views.first(where: { $0.name.last.text == path.last.text }) {
          found += tables(of: view.query, in: file, files, depth: depth + 1)
          continue
        }
      }
      guard let name = file.target(path) else { continue }
      let view = files.lazy.flatMap { other in other.views.map { (other, $0) } }
        .first { $0.0.layer == name.database && $0.1.name.last.text == name.table }
      if let (other, view) = view {
        // The place is where this query names the view.
        found += tables(of: view.query, in: other, files, depth: depth + 1).map { ($0.0, path) }
      } else {
        found.append((name, path))
      }
    }
    return found
  }

  /// Reads that go up, and circles.
  func problems() -> [TerraceError] {
    var problems: [TerraceError] = []
    for target in mentions.keys.sorted(by: { $0.description < $1.description }) {
      var told: Set<TableName> = []
      for mention in mentions[target] ?? [] {
        guard let own = layers.firstIndex(of: target.database),
          let other = layers.firstIndex(of: mention.from.database), other > own,
          told.insert(mention.from).inserted
        else { continue }
        problems.append(
          error(
            mention, "\(target) reads \(mention.from), which is of a higher layer",
            hint:
              "\(mention.from) → \(target): a table reads its own layer or lower ones; the layers are \(layers.joined(separator: " → "))"
          ))
      }
    }
    return problems + circles()
  }

  private func circles() -> [TerraceError] {
    var problems: [TerraceError] = []
    var done: Set<TableName> = []
    var path: [TableName] = []
    func visit(_ table: TableName) {
      if done.contains(table) { return }
      path.append(table)
      for mention in mentions[table] ?? [] {
        if let start = path.firstIndex(of: mention.from) {
          let circle = (path[start...] + [mention.from]).reversed().map(\.description)
          problems.append(
            error(
              mention,
              circle.count == 2
                ? "\(table) reads itself" : "the tables read each other in a circle",
              hint: circle.joined(separator: " → ")))
        } else {
          visit(mention.from)
        }
      }
      path.removeLast()
      done.insert(table)
    }
    for table in mentions.keys.sorted(by: { $0.description < $1.description }) { visit(table) }
    return problems
  }

  private func error(_ mention: Mention, _ message: String, hint: String) -> TerraceError {
    let text = files[mention.file].text
    return text.placed(text.error(message, at: mention.place.span, hint: hint), nil)
  }
}

extension SpecFile {
  /// The table of the warehouse that a path means in this file; nil for another catalog.
  func target(_ path: NamePath) -> TableName? {
    var parts = path.texts[...]
    if parts.count == 3 {
      guard parts.first == SQLSession.catalogName else { return nil }
      parts = parts.dropFirst()
    }
    guard let table = parts.last else { return nil }
    return TableName(database: parts.count == 2 ? parts[parts.startIndex] : layer, table: table)
  }
}
