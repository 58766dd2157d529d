import Columns
import Glibc
import Store
import Warehouse

extension Terrace {
  static let exportCommands: Command = Command(
    name: "export", summary: "Tables as files for others",
    subcommands: [exportTableCommand])

  private static let exportTableCommand: Command = Command(
    name: "table", summary: "Write a table's rows to files, once",
    details: """
      The files appear together when all are written, and _SUCCESS last. CSV has the names in its
      first line; CSV and JSON are as “terrace table import” reads them.
      """,
    operands: [.table],
    flags: [
      Flag("--to", "", "DIR", "a folder that is empty or not there yet"),
      Flag(
        "--format", "-f", "FORMAT", "of the files (default: parquet)",
        choices: ["json", "csv", "parquet", "avro"]),
      Flag("--where", "-w", "CONDITION", "an SQL condition, also on a tag's partition"),
      Flag("--as-of", "", "VERSION", "a snapshot's number or a tag (default: the newest)"),
      Flag("--partition-by", "", "COLUMNS", "columns that become column=value folders"),
    ],
    examples: [
      "terrace export table ads.top_shops --to out/top --format csv",
      "terrace export table dws.user_day --to out/day -w \"dt = '2026-11-19'\" --partition-by dt",
    ],
    run: exportTable)

  private static func exportTable(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    guard let folder = arguments.text("--to") else {
      throw TerraceError(.invalid, "--to DIR says where the files go")
    }
    let session = try session(arguments, console)
    let export = TableExport(
      table: try arguments.tableName(), folder: try Self.absolute(folder),
      format: arguments.text("--format") ?? "parquet", condition: arguments.text("--where"),
      version: arguments.text("--as-of"),
      partitions: arguments.text("--partition-by")?.split(separator: ",").map { $0.trimmed } ?? [])
    let rows = try session.export(export)
    console.note("exported \(rows) row\(rows == 1 ? "" : "s") of \(export.table) to \(folder)")
  }

  /// A path of the command line belongs to the current folder, not to the project's.
  private static func absolute(_ path: String) throws(TerraceError) -> String {
    if path.hasPrefix("/") { return path }
    guard let current = getcwd(nil, 0) else {
      throw TerraceError(.unavailable, "the current folder is gone")
    }
    defer { free(current) }
    return String(cString: current) + "/" + path
  }
}
