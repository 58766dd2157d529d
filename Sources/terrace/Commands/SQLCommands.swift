import Columns
import Glibc
import Store
import Warehouse

/// Commands that run SQL.
extension Terrace {
  static let queryCommand: Command = Command(
    name: "query", summary: "Run one SQL query and print its rows",
    details: """
      Flink's dialect, over any table of the warehouse: database.table, or the table alone in the
      database of --database. Time travel: VERSION AS OF 3 or 'tag', FOR SYSTEM_TIME AS OF TIMESTAMP '…',
      or /*+ OPTIONS('scan.tag-name'='…') */ after the table. System tables: t$snapshots, t$files, …
      """,
    operands: [Operand("SQL", "the query; - reads it from standard input")],
    flags: [format, databaseFlag],
    examples: [
      "terrace query \"SELECT city, COUNT(*) FROM ods.orders GROUP BY city\"",
      "terrace query \"SELECT * FROM ads.daily WHERE dt = '2026-11-19'\" -f json",
    ],
    run: runQuery)

  static let sqlCommand: Command = Command(
    name: "sql", summary: "Run SQL statements one after another",
    details: """
      Queries, CREATE, ALTER, DROP, INSERT, UPDATE, DELETE, CALL, SHOW, SET, …, split by semicolons.
      The first statement that fails ends the script with exit code 1. With -f json each statement
      that returns rows prints one line: {"columns": […], "rows": [[…], …]}.
      """,
    operands: [Operand("SQL", "the statements; - reads standard input", .optional)],
    flags: [Flag("--file", "", "FILE", "read the statements from a file"), format, databaseFlag],
    examples: [
      "terrace sql \"CREATE TABLE t (k INT, v STRING); INSERT INTO t VALUES (1, 'a')\"",
      "terrace sql --file report.sql -f json",
    ],
    run: runSQL)

  private static let databaseFlag = Flag(
    "--database", "-d", "NAME", "the current database at the start (default: default)")

  private static func session(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) -> SQLSession {
    let session = SQLSession(
      try arguments.warehouse(), folder: arguments.text("--project") ?? ".")
    if let name = arguments.text("--database") { try session.use(name) }
    return session
  }

  private static func printer(
    _ arguments: Arguments, _ console: Console, saysDone: Bool
  ) -> RowResultPrinter {
    RowResultPrinter(
      arguments.printFormat, to: console.output, terminalWidth: console.width,
      isStyled: console.styledOutput, saysDone: saysDone
    ) { console.noteAfterOutput($0) }
  }

  private static func runQuery(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    let text = arguments.operand("SQL")
    let source =
      text == "-" ? try standardInput() : SQLText(text, name: "query")
    let session = try session(arguments, console)
    try session.runQuery(source, to: printer(arguments, console, saysDone: false))
  }

  private static func runSQL(_ arguments: Arguments, _ console: Console) throws(TerraceError) {
    let session = try session(arguments, console)
    let source = try script(arguments)
    let output: any ResultOutput =
      arguments.printFormat == .json
      ? JSONResultPrinter(to: console.output) { console.noteAfterOutput($0) }
      : printer(arguments, console, saysDone: true)
    do throws(TerraceError) {
      try session.runScript(source, to: output)
    } catch {
      try console.output.flush()
      Console.writeError(ErrorReport.text(error, isStyled: console.styledError))
      console.exitCode = error.kind == .held ? 4 : 1
    }
  }

  private static func script(_ arguments: Arguments) throws(TerraceError) -> SQLText {
    let text = arguments.operandIfGiven("SQL")
    if let file = arguments.text("--file") {
      if text != nil {
        throw TerraceError(.invalid, "SQL and --file cannot be given together")
      }
      if file == "-" { return try standardInput() }
      return try SQLText(file: file, Environment().files)
    }
    guard let text else {
      throw TerraceError(
        .invalid, "there is nothing to run", hint: "give SQL, --file FILE, or - for standard input")
    }
    return text == "-" ? try standardInput() : SQLText(text, name: "sql")
  }

  private static func standardInput() throws(TerraceError) -> SQLText {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while bytes.count <= SQLText.byteCountMax {
      let count = read(STDIN_FILENO, &chunk, chunk.count)
      if count == 0 { break }
      if count < 0 {
        if errno == EINTR { continue }
        throw TerraceError(.unavailable, "cannot read standard input")
          .with("reason", String(cString: strerror(errno)))
      }
      bytes.append(contentsOf: chunk[..<count])
    }
    return SQLText(bytes: bytes, name: "standard input")
  }
}

extension Console {
  /// A remark that stands after what was printed so far.
  func noteAfterOutput(_ text: String) {
    // A refused flush is told when the command ends.
    do throws(TerraceError) { try output.flush() } catch { _ = error }
    note(text)
  }
}
