import Columns
import Formats
import Glibc
import Store
import Warehouse

extension Terrace {
  static let importCommand: Command = Command(
    name: "import", summary: "Write the rows of files into a table",
    details: """
      JSON lines, CSV and Parquet; text may be packed (gzip, zstd, bzip2, xz). Members and columns are
      matched by name. All files become one snapshot, unless --commit-every is given. A table with
      the option rowkind.field takes deletes: +I, -U, +U, -D in that column.
      """,
    operands: [.table, Operand("FILE", "path of a file, - for standard input", .any)],
    flags: [
      Flag("--input", "-i", "FILE", "one more file", repeats: true),
      Flag(
        "--format", "", "FORMAT", "of all files (default: by their names)",
        choices: ImportFormat.allCases.map(\.rawValue)),
      Flag("--delimiter", "-d", "CHARACTER", "of CSV; “tab” for a tab (default: comma)"),
      Flag("--header", "", nil, "the first CSV line names the columns (the default)"),
      Flag("--no-header", "", nil, "CSV fields are the table's columns in order"),
      Flag("--null", "", "TEXT", "what stands for NULL in CSV (default: nothing)"),
      Flag(
        "--on-error", "", "WHAT",
        "a record that is no row: fail, or skip and count (default: fail)",
        choices: ["fail", "skip"]),
      Flag("--max-errors", "", "N", "with skip: fail when there are more than N"),
      Flag("--rejects", "", "FILE", "with skip: write the skipped records to this new file"),
      Flag("--ignore-unknown", "", nil, "leave out CSV and Parquet columns that the table lacks"),
      Flag("--commit-every", "", "ROWS", "commit a snapshot after so many rows"),
      .branch,
    ],
    examples: [
      "terrace table import ods.orders orders-*.jsonl.gz",
      "terrace table import ods.prices prices.csv --delimiter \";\" --null '\\N'",
      "zcat clicks.gz | terrace table import ods.clicks - --format json --on-error skip",
    ],
    run: importFiles)

  private static func importOptions(
    _ arguments: Arguments
  ) throws(TerraceError) -> ImportOptions {
    try arguments.atMostOne(of: "--header", "--no-header")
    var options = ImportOptions()
    options.format = arguments.text("--format").flatMap { ImportFormat(rawValue: $0) }
    if let text = arguments.text("--delimiter") {
      let names = ["tab": UInt8(9), "\\t": 9, "comma": 0x2c, "space": 0x20]
      let bytes = Array(text.utf8)
      guard let byte = names[text] ?? (bytes.count == 1 ? bytes[0] : nil) else {
        throw TerraceError(.invalid, "--delimiter takes one ASCII character, not “\(text)”")
      }
      options.csv.delimiter = byte
      options.delimiterIsDefault = false
    }
    options.csv.hasHeader = !arguments.has("--no-header")
    if let text = arguments.text("--null") { options.csv.null = text }
    options.ignoresUnknown = arguments.has("--ignore-unknown")
    options.skipsErrors = arguments.text("--on-error") == "skip"
    options.errorLimit = try arguments.integer("--max-errors") ?? Int.max
    options.rejectsPath = arguments.text("--rejects")
    options.commitRows = try arguments.integer("--commit-every", from: 1)
    if !options.skipsErrors {
      for flag in ["--max-errors", "--rejects"] where arguments.has(flag) {
        throw TerraceError(.invalid, "\(flag) belongs to --on-error skip")
      }
    }
    return options
  }

  private static func importFiles(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    let paths = arguments.operands("FILE") + arguments.all("--input")
    guard !paths.isEmpty else {
      throw TerraceError(.invalid, "no file to import", hint: "- reads standard input")
    }
    let options = try importOptions(arguments)
    let name = try arguments.tableName()
    let workers = Workers(count: max(1, min(8, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))))
    defer { workers.stop() }
    let table = try arguments.warehouse(workers: workers).open(name)
    let importer = try Importer(table, options)
    let progress = Progress(console)
    Interruption.watch()
    let outcome: ImportOutcome
    do throws(TerraceError) {
      outcome = try importer.run(
        paths, progress: { progress.show($0) }, isInterrupted: { Interruption.happened })
    } catch {
      progress.clear()
      throw error
    }
    progress.clear()
    try report(outcome, name, progress, console)
  }

  private static func report(
    _ outcome: ImportOutcome, _ name: TableName, _ progress: Progress, _ console: Console
  ) throws(TerraceError) {
    if outcome.rejected > 0 {
      console.note("\(DisplayText.count(outcome.rejected, "record")) left out, the first:")
      for sample in outcome.samples {
        Console.writeError(ErrorReport.text(sample, isStyled: console.styledError))
      }
    }
    if let failure = outcome.maintenanceFailure {
      console.note("terrace: the rows are committed, but old snapshots could not be removed:")
      Console.writeError(ErrorReport.text(failure, isStyled: console.styledError))
    }
    if outcome.isInterrupted {
      console.exitCode = Interruption.exitCode ?? 1
      console.note(
        "terrace: interrupted; \(DisplayText.count(outcome.committedRows, "row")) committed, "
          + "the rest is not in the table")
      return
    }
    try console.say("Successfully imported \(outcome.rows) rows into '\(name)'.")
    try console.output.flush()
    var parts = [DisplayText.bytes(outcome.bytes), seconds(progress.seconds)]
    parts.append(progress.rate(outcome.rows))
    if let snapshot = outcome.snapshot { parts.append("snapshot \(snapshot.id)") }
    if outcome.commits > 1 { parts.append("\(outcome.commits) commits") }
    if console.errorIsTerminal || outcome.rows > 0 {
      console.note("-- " + parts.joined(separator: ", "))
    }
  }

  static func seconds(_ value: Double) -> String {
    let hundredths = (value * 100).rounded() / 100
    return "\(hundredths) s"
  }
}
