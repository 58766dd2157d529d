import Columns
import Formats
import Warehouse

extension Terrace {
  static let databaseCommands: Command = Command(
    name: "db", summary: "Databases: create, list, get, drop",
    subcommands: [
      Command(
        name: "create", summary: "Create a database",
        details: "A warehouse folder that was named and does not exist yet is made too.",
        operands: [.database],
        flags: [
          .ifNotExists,
          Flag("--properties", "-p", "JSON", "properties; a filesystem warehouse keeps none"),
        ],
        examples: ["terrace --warehouse shop db create ods"],
        run: createDatabase),
      Command(
        name: "list", summary: "List the databases", flags: [format], run: listDatabases),
      Command(
        name: "list-tables", summary: "List the tables of a database", operands: [.database],
        flags: [format], run: listTables),
      Command(
        name: "get", summary: "Show a database as JSON", operands: [.database], flags: [format],
        run: { (arguments, console) throws(TerraceError) in
          let name = arguments.operand("DATABASE")
          try arguments.warehouse().mustHave(database: name)
          let value = JSONValue.members([("name", .string(name)), ("options", .object([]))])
          try console.output.line(value.text(pretty: !arguments.has("--format")))
        }),
      Command(
        name: "drop", summary: "Drop a database", operands: [.database],
        flags: [.ifExists, Flag("--cascade", "", nil, "drop its tables first")],
        run: dropDatabase),
      Command(
        name: "alter", summary: "Set or remove properties (a filesystem warehouse keeps none)",
        operands: [.database],
        flags: [
          Flag("--set", "-s", "JSON", "properties to set"),
          Flag("--remove", "-r", "KEY", "properties to remove", takesSeveral: true),
        ],
        run: { (arguments, _) throws(TerraceError) in
          try arguments.warehouse().mustHave(database: arguments.operand("DATABASE"))
          throw TerraceError(
            .unsupported, "properties of databases",
            hint: "a filesystem warehouse has no place for them")
        }),
    ])

  static let catalogCommands: Command = Command(
    name: "catalog", summary: "The warehouse as a whole: list-dbs",
    subcommands: [
      Command(
        name: "list-dbs", summary: "List the databases, as “db list” does", flags: [format],
        run: listDatabases)
    ])

  private static func listDatabases(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    var listing = Listing("database")
    for name in try arguments.warehouse().databases() { listing.add(.string(name)) }
    try console.show(listing, arguments.printFormat, nothing: "No databases.")
  }

  private static func createDatabase(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    let name = arguments.operand("DATABASE")
    if let text = arguments.text("--properties"), text != "{}" {
      throw TerraceError(
        .unsupported, "properties of databases",
        hint: "a filesystem warehouse has no place for them")
    }
    let created = try arguments.warehouse().create(database: name)
    if !created, !arguments.has("--ignore-if-exists") {
      throw TerraceError(
        .invalid, "database \(name) is there already", hint: "--ignore-if-exists accepts that")
    }
    try console.say(
      created ? "Database '\(name)' created successfully." : "Database '\(name)' is there already.")
  }

  private static func dropDatabase(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    let name = arguments.operand("DATABASE")
    do throws(TerraceError) {
      try arguments.warehouse().drop(database: name, cascade: arguments.has("--cascade"))
    } catch {
      guard error.kind == .notFound, arguments.has("--ignore-if-not-exists") else { throw error }
      try console.say("There is no database '\(name)'.")
      return
    }
    try console.say("Database '\(name)' dropped successfully.")
  }

  private static func listTables(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    let database = arguments.operand("DATABASE")
    var listing = Listing("table")
    for name in try arguments.warehouse().tables(in: database) { listing.add(.string(name)) }
    try console.show(
      listing, arguments.printFormat, nothing: "No tables found in database '\(database)'.")
  }
}
