import Columns
import Glibc

/// The command itself: the words it understands, and how it ends.
enum Terrace {
  static let versionNumber = "0.1.0"

  static let globalFlags: [Flag] = [
    Flag("--warehouse", "", "PATH", "the warehouse folder; works without a project"),
    Flag(
      "--project", "-C", "DIR", "the project folder, whose warehouse is DIR/warehouse (default: .)"),
    Flag(
      "--config", "", "FILE", "a paimon.yaml that names the warehouse; -c before the command"),
    ArgumentParser.help,
  ]

  static let root: Command = Command(
    name: "terrace",
    summary: "A streaming warehouse on tables of the open Apache Paimon format.",
    flags: globalFlags,
    examples: [
      "terrace --warehouse shop db create ods",
      "terrace table create ods.orders --columns \"id BIGINT, item STRING\" --primary-key id",
      "terrace table import ods.orders orders.jsonl.gz",
      "terrace table read ods.orders -w \"id < 10\" -f json",
    ],
    subcommands: [
      initCommand, planCommand, applyCommand, runCommand, statusCommand, letterCommands,
      lineageCommand,
      queryCommand,
      sqlCommand, exportCommands, generateCommands, databaseCommands, tableCommands,
      snapshotCommands, tagCommands,
      branchCommands, consumerCommands, schemaCommands, catalogCommands, compactCommand,
      expireCommand, repairCommand, parquetCommands, avroCommands, manifestCommands,
      versionCommand, helpCommand,
    ])

  static let tableCommands: Command = Command(
    name: "table", summary: "Tables: create, read, import, alter, …",
    subcommands: readCommands + [importCommand, alterCommand] + tableDefinitionCommands
      + tableContentCommands
      + maintenanceCommands)

  /// `-c FILE` before the command is pypaimon's way to name its configuration; after it, -c belongs to
  /// the command.
  fileprivate static func spelled(_ words: [String]) -> [String] {
    words.first == "-c" ? ["--config"] + words.dropFirst() : words
  }

  static let format: Flag = Flag(
    "--format", "-f", "FORMAT", "how to print: an aligned table, CSV, or one JSON object a line",
    choices: ["table", "csv", "json"])
}

/// Runs one command line.
///
/// - Returns: the exit code of the process: 0 done, 1 failed, 2 wrong usage, 4 held by another process.
func runTerrace(_ words: [String]) -> Int32 {
  // A write to a closed pipe is then an error that `Output` knows how to end with.
  signal(SIGPIPE, SIG_IGN)
  let console = Console()
  do throws(TerraceError) {
    let code = try answer(words, console)
    try console.output.flush()
    return code
  } catch {
    // What was printed before the error belongs to the answer; a second error would say nothing new.
    do throws(TerraceError) { try console.output.flush() } catch { _ = error }
    Console.writeError(ErrorReport.text(error, isStyled: console.styledError))
    return ErrorReport.exitCode(error)
  }
}

private func answer(_ words: [String], _ console: Console) throws(TerraceError) -> Int32 {
  if words.isEmpty {
    try console.output.write(
      Help.page(Terrace.root, path: ["terrace"], global: Terrace.globalFlags))
    return 0
  }
  var parser = ArgumentParser(Terrace.root)
  switch try parser.parse(Terrace.spelled(words)) {
  case .run(let command, let arguments):
    if let run = command.run { try run(arguments, console) }
    return console.exitCode
  case .help(let command, let path):
    try console.output.write(Help.page(command, path: path, global: Terrace.globalFlags))
    return 0
  case .incomplete(let command, let path):
    Console.writeError(Help.page(command, path: path, global: Terrace.globalFlags))
    return 2
  }
}
