import Columns
import Store
import Warehouse

extension Terrace {
  private static let columnName = Flag(
    "--name", "-n", "NAME", "of the column; a member of a ROW as column.member")
  private static let columnType = Flag("--type", "-t", "TYPE", "such as BIGINT or DECIMAL(10, 2)")
  private static let columnComment = Flag("--comment", "-c", "TEXT", "of the column")
  private static let positions = [
    Flag("--first", "", nil, "put it first"),
    Flag("--after", "", "COLUMN", "put it after this one"),
    Flag("--before", "", "COLUMN", "put it before this one"),
    Flag("--last", "", nil, "put it last"),
  ]

  static let alterCommand: Command = Command(
    name: "alter", summary: "Change the columns, options or comment of a table",
    operands: [.table], flags: [.ifExists, .branch],
    examples: [
      "terrace table alter ods.orders add-column --name note --type STRING --after item",
      "terrace table alter ods.orders set-option -k snapshot.num-retained.max -v 50",
    ],
    subcommands: [
      Command(
        name: "set-option", summary: "Set a table option",
        flags: [
          Flag("--key", "-k", "KEY", "of the option"), Flag("--value", "-v", "VALUE", "its value"),
        ],
        run: alter {
          (a) throws(TerraceError) in
          [.setOption(try a.needed("--key"), try a.needed("--value"))]
        }),
      Command(
        name: "remove-option", summary: "Remove a table option",
        flags: [Flag("--key", "-k", "KEY", "of the option")],
        run: alter { (a) throws(TerraceError) in [.removeOption(try a.needed("--key"))] }),
      Command(
        name: "add-column", summary: "Add a column; old rows have NULL in it",
        flags: [columnName, columnType, columnComment] + positions,
        run: alter {
          (a) throws(TerraceError) in
          [
            .addColumn(
              try a.columnPath(), try a.columnType(), comment: a.text("--comment"),
              try a.position() ?? .last)
          ]
        }),
      Command(
        name: "drop-column", summary: "Drop a column", flags: [columnName],
        run: alter { (a) throws(TerraceError) in [.dropColumn(try a.columnPath())] }),
      Command(
        name: "rename-column", summary: "Rename a column",
        flags: [columnName, Flag("--new-name", "-m", "NAME", "its new name")],
        run: alter {
          (a) throws(TerraceError) in
          [.renameColumn(try a.columnPath(), to: try a.needed("--new-name"))]
        }),
      Command(
        name: "alter-column", summary: "Change the type, comment or position of a column",
        flags: [
          columnName, columnType, columnComment,
          Flag("--nullable", "", nil, "let it be NULL"),
        ] + positions,
        run: alter { (a) throws(TerraceError) in try a.columnChanges() }),
      Command(
        name: "update-comment", summary: "Change the comment of the table",
        flags: [Flag("--comment", "-c", "TEXT", "the new comment; empty for none")],
        run: alter {
          (a) throws(TerraceError) in
          let text = try a.needed("--comment")
          return [.setComment(text.isEmpty ? nil : text)]
        }),
    ])

  /// A command that publishes the changes that its arguments ask for.
  private static func alter(
    _ changes: @escaping @Sendable (Arguments) throws(TerraceError) -> [SchemaChange]
  ) -> @Sendable (Arguments, Console) throws(TerraceError) -> Void {
    { (arguments, console) throws(TerraceError) in
      try arguments.mustRest()
      let wanted = try changes(arguments)
      let warehouse = try arguments.warehouse()
      let name = try arguments.tableName()
      do throws(TerraceError) {
        try warehouse.mustHave(name)
      } catch {
        guard error.kind == .notFound, arguments.has("--ignore-if-not-exists") else { throw error }
        try console.say("There is no table '\(name)'.")
        return
      }
      let schemas = SchemaDirectory(try warehouse.path(of: name), warehouse.environment)
      try suggest(wanted, try schemas.latest(), name)
      try schemas.change(wanted)
      try console.say("Table '\(name)' altered successfully.")
    }
  }

  /// Names the column that was meant when there is none of the given name.
  private static func suggest(
    _ changes: [SchemaChange], _ schema: TableSchema, _ table: TableName
  ) throws(TerraceError) {
    let names = schema.fields.map(\.name)
    for change in changes {
      switch change {
      case .dropColumn(let path), .renameColumn(let path, _), .setType(let path, _),
        .setNullable(let path, _), .setColumnComment(let path, _), .moveColumn(let path, _):
        guard let first = path.first, !names.contains(first) else { continue }
        throw TerraceError(
          .notFound, "column \(first) of \(table)",
          hint: NearestName.hint(first, among: names, else: "it has "))
      default: continue
      }
    }
  }
}

extension Arguments {
  /// The value of a flag that cannot be left out.
  fileprivate func needed(_ flag: String) throws(TerraceError) -> String {
    if let text = text(flag) { return text }
    throw TerraceError(.invalid, "\(path.suffix(1).joined()) needs \(flag)")
  }

  fileprivate func columnPath() throws(TerraceError) -> [String] {
    let name = try needed("--name")
    if name.contains("`") { return commaNames(name) }
    return name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
  }

  fileprivate func columnType() throws(TerraceError) -> DataType {
    let text = try needed("--type")
    do throws(TerraceError) {
      return try DataType(text: text)
    } catch {
      throw PlacedText("--type", text).error(
        error.message, at: 0, length: text.unicodeScalars.count,
        hint: ColumnListText.typeHint(text), kind: error.kind)
    }
  }

  fileprivate func position() throws(TerraceError) -> SchemaChange.Position? {
    try atMostOne(of: "--first", "--after", "--before", "--last")
    if has("--first") { return .first }
    if has("--last") { return .last }
    if let name = text("--after") { return .after(name) }
    if let name = text("--before") { return .before(name) }
    return nil
  }

  fileprivate func columnChanges() throws(TerraceError) -> [SchemaChange] {
    let path = try columnPath()
    var changes: [SchemaChange] = []
    if has("--type") { changes.append(.setType(path, try columnType())) }
    if has("--nullable") { changes.append(.setNullable(path, true)) }
    if let text = text("--comment") {
      changes.append(.setColumnComment(path, text.isEmpty ? nil : text))
    }
    if let position = try position() { changes.append(.moveColumn(path, position)) }
    if changes.isEmpty {
      throw TerraceError(
        .invalid, "nothing to change", hint: "give --type, --comment, --nullable or a position")
    }
    return changes
  }
}
