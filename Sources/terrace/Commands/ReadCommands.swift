import Columns
import Formats
import Store
import Warehouse

/// Commands that read tables.
extension Terrace {
  static let version: [Flag] = [
    Flag("--snapshot", "", "ID", "read this snapshot"),
    Flag("--tag", "", "NAME", "read the snapshot that this tag names"),
    Flag(
      "--timestamp", "", "TIME",
      "read as of this time: milliseconds since 1970, or text, which is UTC without an offset"),
    .branch,
  ]

  static let readCommands: [Command] = [
    Command(
      name: "read", summary: "Print the rows of a table, or what changed in it",
      details: """
        A condition compares columns with values: = <> < <= > >=, IN (…), BETWEEN … AND …,
        LIKE 'A%', IS NULL, joined by AND, OR, NOT and parentheses. It is used to leave out
        partitions, buckets, files and pages.

        With --changes the changelog is printed, snapshot by snapshot, with the column rowkind
        (+I, -U, +U, -D) first; --from is the first snapshot shown.
        """,
      operands: [.table],
      flags: [select, filter, limit("100 for tables, else all"), format] + version + [
        Flag("--changes", "", nil, "print the changelog instead"),
        Flag("--from", "", "ID", "first snapshot whose changes are printed (default: earliest)"),
        Flag("--to", "", "ID", "last snapshot whose changes are printed (default: latest)"),
        Flag("--follow", "", nil, "wait for further snapshots, until interrupted"),
      ],
      examples: [
        "terrace table read ods.orders -s id,amount -w \"amount > 5 AND dt = '2026-11-20'\"",
        "terrace table read ods.orders --tag 2026-11-20 -f csv > orders.csv",
        "terrace table read ods.orders --changes --from 17 --follow -f json",
      ],
      run: readTable),
    Command(
      name: "explain", summary: "Show what a read would do, without reading data",
      operands: [.table],
      flags: [select, filter, limit("none")] + version + [
        Flag("--verbose", "-v", nil, "list every split with its files"), format,
      ],
      run: explainTable),
  ]

  static func timeTravel(_ arguments: Arguments) throws(TerraceError) -> TimeTravel {
    try arguments.atMostOne(of: "--snapshot", "--tag", "--timestamp")
    if let id = try arguments.integer("--snapshot", from: 1) { return .snapshot(Int64(id)) }
    if let tag = arguments.text("--tag") { return .tag(tag) }
    if let text = arguments.text("--timestamp") {
      return .timestamp(try InstantText.millis(text, for: "--timestamp"))
    }
    return .latest
  }

  private static func readTable(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    if arguments.has("--changes") { return try readChanges(arguments, console) }
    for flag in ["--from", "--to", "--follow"] where arguments.has(flag) {
      throw TerraceError(.invalid, "\(flag) belongs to --changes")
    }
    let name = try arguments.tableName()
    let version = try arguments.warehouse().open(name, at: try timeTravel(arguments))
    let request = try ReadRequest(
      arguments, type: version.table.schema.rowType, owner: name.description, console: console,
      limit: arguments.printFormat == .table ? 100 : 0)
    let scan = version.table.scan(
      columns: request.query.columns, predicate: request.query.condition)
    let read = try scan.read(try scan.plan(version.snapshot))
    defer { read.close() }
    while request.wantsMore, let batch = try read.next() { try request.print(batch) }
    try request.finish()
  }

  private static func explainTable(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    let name = try arguments.tableName()
    let version = try arguments.warehouse().open(name, at: try timeTravel(arguments))
    let query = try RowQuery(
      version.table.schema.rowType, owner: name.description, select: arguments.text("--select"),
      condition: arguments.text("--where"), limit: try arguments.integer("--limit") ?? 0)
    let explanation = try ScanExplanation(
      name, version, query, condition: arguments.text("--where"))
    switch arguments.printFormat {
    case .json: try console.output.line(try explanation.json.text())
    case .csv: try console.output.write(explanation.files.text(.csv))
    case .table:
      try console.output.write(try explanation.text(isVerbose: arguments.has("--verbose")))
    }
  }
}
