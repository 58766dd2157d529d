import Columns
import Formats
import Store
import Warehouse

/// Commands that make, show and remove tables.
extension Terrace {
  static let tableDefinitionCommands: [Command] = [
    Command(
      name: "create", summary: "Create a table",
      details: """
        The columns come from --columns, or from a schema file as “table get” prints it.
        """,
      operands: [.table],
      flags: [
        Flag("--schema", "-s", "FILE", "schema as JSON"),
        Flag("--columns", "", "LIST", "columns as SQL: \"id BIGINT NOT NULL, name STRING\""),
        Flag(
          "--primary-key", "", "COLUMNS", "columns of the primary key, between commas"),
        Flag("--partitioned-by", "", "COLUMNS", "partition columns, between commas"),
        Flag("--option", "-o", "KEY=VALUE", "a table option, such as bucket=2", repeats: true),
        Flag("--comment", "", "TEXT", "what the table holds"),
        .ifNotExists,
      ],
      examples: [
        "terrace table create ods.orders --schema orders.json",
        "terrace table create ods.orders --columns \"id BIGINT, item STRING, dt STRING\" \\",
        "    --primary-key dt,id --partitioned-by dt --option bucket=2",
      ],
      run: createTable),
    Command(
      name: "get", summary: "Print the definition of a table as JSON", operands: [.table],
      flags: [format, .branch],
      run: { (arguments, console) throws(TerraceError) in
        let schema = try arguments.warehouse().schema(of: try arguments.tableName())
        try console.output.line(
          SchemaDocument(schema).json.text(pretty: !arguments.has("--format")))
      }),
    Command(
      name: "list", summary: "List the tables of one database, or of all",
      operands: [Operand("DATABASE", "its name; all when left out", .optional)], flags: [format],
      run: { (arguments, console) throws(TerraceError) in
        let warehouse = try arguments.warehouse()
        var listing = Listing("database", "table")
        let named = arguments.operandIfGiven("DATABASE")
        var databases: [String] = []
        if let named { databases = [named] } else { databases = try warehouse.databases() }
        for database in databases {
          for table in try warehouse.tables(in: database) {
            listing.add(.string(database), .string(table))
          }
        }
        try console.show(listing, arguments.printFormat, nothing: "No tables.")
      }),
    Command(
      name: "drop", summary: "Drop a table with all its data", operands: [.table],
      flags: [.ifExists],
      run: { (arguments, console) throws(TerraceError) in
        try arguments.mustRest()
        let name = try arguments.tableName()
        do throws(TerraceError) {
          try arguments.warehouse().drop(name)
        } catch {
          guard error.kind == .notFound, arguments.has("--ignore-if-not-exists") else {
            throw error
          }
          try console.say("There is no table '\(name)'.")
          return
        }
        try console.say("Table '\(name)' dropped successfully.")
      }),
    Command(
      name: "rename", summary: "Rename a table",
      operands: [.table, Operand("TARGET", "its new name, DATABASE.TABLE")],
      run: { (arguments, console) throws(TerraceError) in
        let name = try arguments.tableName()
        let target = try TableName(arguments.operand("TARGET"))
        try arguments.warehouse().rename(name, to: target)
        try console.say("Table '\(name)' renamed to '\(target)' successfully.")
      }),
  ]

  private static func createTable(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    let name = try arguments.tableName()
    let warehouse = try arguments.warehouse()
    var document: SchemaDocument
    switch (arguments.text("--schema"), arguments.text("--columns")) {
    case (let file?, nil): document = try SchemaDocument(file: file, warehouse.environment.files)
    case (nil, let text?):
      document = SchemaDocument()
      let list = try ColumnListText(text)
      document.columns = list.fields
      document.primaryKeys = list.primaryKeys
    case (nil, nil):
      throw TerraceError(
        .invalid, "a table needs columns",
        hint: "give --columns \"id BIGINT, name STRING\" or --schema FILE")
    default: throw TerraceError(.invalid, "--schema and --columns cannot be used together")
    }
    if let keys = arguments.text("--primary-key") { document.primaryKeys = commaNames(keys) }
    if let keys = arguments.text("--partitioned-by") { document.partitionKeys = commaNames(keys) }
    if let comment = arguments.text("--comment") { document.comment = comment }
    for (key, value) in try arguments.pairs("--option") { document.options[key] = value }
    let schema = try document.schema(timeMillis: warehouse.environment.time.nowMillis())
    let created = try warehouse.create(name, schema)
    if !created, !arguments.has("--ignore-if-exists") {
      throw TerraceError(
        .invalid, "table \(name) is there already", hint: "--ignore-if-exists accepts that")
    }
    try console.say(
      created ? "Table '\(name)' created successfully." : "Table '\(name)' is there already.")
  }
}
