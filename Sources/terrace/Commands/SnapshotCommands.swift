import Columns
import Formats
import Store
import Warehouse

extension Terrace {
  static let snapshotCommands: Command = Command(
    name: "snapshot", summary: "Snapshots: list, get",
    subcommands: [
      Command(
        name: "list", summary: "List the snapshots of a table, oldest first",
        operands: [.table], flags: [format, .branch], run: listSnapshots),
      Command(
        name: "get", summary: "Print one snapshot as JSON, the latest when no id is given",
        operands: [.table, Operand("ID", "of the snapshot", .optional)],
        flags: [format, .branch], run: getSnapshot),
    ])

  static let schemaCommands: Command = Command(
    name: "schema", summary: "Schema versions of a table: list, get",
    subcommands: [
      Command(
        name: "list", summary: "List the schema versions of a table, oldest first",
        operands: [.table], flags: [format, .branch], run: listSchemas),
      Command(
        name: "get", summary: "Print one schema version as JSON, the latest when no id is given",
        operands: [.table, Operand("ID", "of the schema", .optional)],
        flags: [format, .branch],
        run: { (arguments, console) throws(TerraceError) in
          let directory = try schemas(arguments)
          let schema: TableSchema
          if let id = try identifier(arguments) {
            schema = try directory.schema(Int(clamping: id))
          } else {
            schema = try directory.latest()
          }
          try console.output.line(schema.json.text(pretty: !arguments.has("--format")))
        }),
    ])

  static func snapshots(_ arguments: Arguments) throws(TerraceError) -> SnapshotDirectory {
    let warehouse = try arguments.warehouse()
    let name = try arguments.tableName()
    try warehouse.mustHave(name)
    return SnapshotDirectory(try warehouse.path(of: name), warehouse.environment)
  }

  private static func schemas(_ arguments: Arguments) throws(TerraceError) -> SchemaDirectory {
    let warehouse = try arguments.warehouse()
    let name = try arguments.tableName()
    try warehouse.mustHave(name)
    return SchemaDirectory(try warehouse.path(of: name), warehouse.environment)
  }

  /// The operand ID.
  private static func identifier(_ arguments: Arguments) throws(TerraceError) -> Int64? {
    guard let text = arguments.operandIfGiven("ID") else { return nil }
    guard let id = Int64(text), id >= 0 else {
      throw TerraceError(.invalid, "an id is a number, not “\(text)”")
    }
    return id
  }

  private static func listSnapshots(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    let directory = try snapshots(arguments)
    var listing = Listing(
      "snapshot", "kind", "committed", "schema", "rows", "delta_rows", "changelog_rows",
      "watermark", "user", "identifier")
    for id in try directory.ids() {
      // Expired since the folder was listed.
      guard let snapshot = try directory.find(id) else { continue }
      if arguments.printFormat == .json {
        try console.output.line(snapshot.json.text())
        continue
      }
      listing.add(
        .int(id), .string(snapshot.kind.rawValue), JSONValue(millis: snapshot.timeMillis),
        JSONValue(snapshot.schemaID), .int(snapshot.totalRecordCount),
        .int(snapshot.deltaRecordCount), JSONValue(snapshot.changelogRecordCount),
        JSONValue(millis: snapshot.watermark.flatMap { $0 == .min ? nil : $0 }),
        .string(snapshot.commitUser),
        snapshot.commitIdentifier == Snapshot.batchIdentifier
          ? .null : .int(snapshot.commitIdentifier))
    }
    if arguments.printFormat == .json { return }
    try console.show(listing, arguments.printFormat, nothing: "No snapshots.")
  }

  static func getSnapshot(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    let directory = try snapshots(arguments)
    let snapshot: Snapshot
    if let id = try identifier(arguments) {
      snapshot = try directory.snapshot(id)
    } else {
      guard let latest = try directory.latest() else {
        throw TerraceError(
          .notFound, "a snapshot of \(arguments.operand("TABLE"))",
          hint: "nothing was ever written to the table")
      }
      snapshot = latest
    }
    try console.output.line(snapshot.json.text(pretty: !arguments.has("--format")))
  }

  private static func listSchemas(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    let directory = try schemas(arguments)
    var listing = Listing(
      "schema", "created", "columns", "primary_key", "partitioned_by", "options", "comment")
    for id in try directory.ids() {
      let schema = try directory.schema(id)
      let options = schema.options.entries.sorted { $0.key < $1.key }
      listing.add(
        JSONValue(id), JSONValue(millis: schema.timeMillis == 0 ? nil : schema.timeMillis),
        .string(schema.fields.map { "\($0.name) \($0.type.text)" }.joined(separator: ", ")),
        .string(schema.primaryKeys.joined(separator: ",")),
        .string(schema.partitionKeys.joined(separator: ",")),
        .string(options.map { "\($0.key)=\($0.value)" }.joined(separator: ", ")),
        JSONValue(schema.comment))
    }
    try console.show(listing, arguments.printFormat, nothing: "No schemas.")
  }
}
