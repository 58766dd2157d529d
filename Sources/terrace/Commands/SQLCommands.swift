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
      that returns rows prints one line: {"columns": […], "rows": [[…], …]}. Without SQL on a
      terminal it asks for statements.
      """,
    operands: [Operand("SQL", "the statements; - or nothing reads standard input", .optional)],
    flags: [Flag("--file", "", "FILE", "read the statements from a file"), format, databaseFlag],
    examples: [
      "terrace sql \"CREATE TABLE t (k INT, v STRING); INSERT INTO t VALUES (1, 'a')\"",
      "terrace sql --file report.sql -f json",
    ],
    run: runSQL)

  private static let databaseFlag = Flag(
    "--database", "-d", "NAME", "the current database at the start (default: default)")

  static func session(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) -> SQLSession {
    let session = try openSession(arguments, console)
    if let name = arguments.text("--database") { try session.use(name) }
    Interruption.watch()
    session.isInterrupted = { Interruption.happened }
    if console.errorIsTerminal {
      let line = ProgressLine()
      session.onProgress = { line.show($0) }
    }
    return session
  }

  /// Over the project of `-C` or of the current folder; else over a bare warehouse.
  private static func openSession(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) -> SQLSession {
    let isBare = arguments.has("--warehouse") || arguments.has("--config")
    let folder = arguments.text("--project") ?? "."
    let environment = Environment()
    guard !isBare, try SQLSession.isProject(folder, environment.files) else {
      return SQLSession(try arguments.warehouse(), folder: folder)
    }
    return try SQLSession(project: try OpenProject(folder: folder, environment))
  }

  private static func output(
    _ arguments: Arguments, _ console: Console, isScript: Bool
  ) -> any ResultOutput {
    if isScript, arguments.printFormat == .json {
      return JSONResultPrinter(to: console.output) { console.noteAfterOutput($0) }
    }
    return RowResultPrinter(
      arguments.printFormat, to: console.output, terminalWidth: console.width,
      isStyled: console.styledOutput, saysDone: isScript && arguments.printFormat == .table
    ) { console.noteAfterOutput($0) }
  }

  private static func runQuery(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    let text = arguments.operand("SQL")
    let source =
      text == "-" ? try standardInput() : SQLText(text, name: "query")
    let session = try session(arguments, console)
    do throws(TerraceError) {
      try session.runQuery(source, to: output(arguments, console, isScript: false))
    } catch {
      guard Interruption.happened else { throw error }
      try fail(error, console)
    }
  }

  private static func runSQL(_ arguments: Arguments, _ console: Console) throws(TerraceError) {
    let session = try session(arguments, console)
    let isTyped =
      isatty(STDIN_FILENO) == 1 && arguments.text("--file") == nil
      && arguments.operandIfGiven("SQL") == nil
    let output = output(arguments, console, isScript: true)
    if isTyped { return try SQLPrompt(session, output, console).run() }
    let source = try script(arguments)
    do throws(TerraceError) { try session.runScript(source, to: output) } catch {
      try fail(error, console)
    }
  }

  /// The first failing statement ends a script, whatever is wrong with it, with exit code 1.
  private static func fail(_ error: TerraceError, _ console: Console) throws(TerraceError) {
    try console.output.flush()
    if let code = Interruption.exitCode {
      console.note("terrace: interrupted")
      console.exitCode = code
      return
    }
    Console.writeError(ErrorReport.text(error, isStyled: console.styledError))
    console.exitCode = error.kind == .held ? 4 : 1
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
    guard let text else { return try standardInput() }
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
