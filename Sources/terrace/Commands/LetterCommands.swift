import Columns
import Formats
import Warehouse

/// Records that could not be read.
extension Terrace {
  static let letterCommands: Command = Command(
    name: "dlq", summary: "Records that could not be read: list, replay",
    subcommands: [
      Command(
        name: "list", summary: "Show what was put aside, where it stood and why",
        details: """
          Without TABLE a line for each source and reason; with it the records themselves. They are
          rows of dead_letters.<layer>_<table> too.
          """,
        operands: [Operand("TABLE", "the table of the job that met them", .optional)],
        flags: [limit("100"), format],
        examples: ["terrace dlq list", "terrace dlq list ods.orders -f json"], run: listLetters),
      Command(
        name: "replay", summary: "Read records again that were put aside, as the spec is now",
        details: """
          Those that are rows now go through the job once, as if they had just come, and leave the
          list; the others stay. While the project runs it is done at the end of an epoch, otherwise
          by the next run.
          """,
        operands: [.table],
        flags: [
          Flag("--dry-run", "", nil, "say what would become of them, and do nothing"), format,
        ],
        examples: ["terrace dlq replay ods.orders --dry-run", "terrace dlq replay ods.orders"],
        run: replayLetters),
    ])

  private static func letterBox(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) -> LetterBox {
    let open = try project(arguments)
    return LetterBox(open, try load(open, console, asksServers: false))
  }

  private static func listLetters(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    let box = try letterBox(arguments, console)
    let listing: Listing
    if let name = arguments.operands("TABLE").first {
      listing = try box.list(
        name, limit: try arguments.integer("--limit") ?? 100,
        isWhole: arguments.printFormat != .table)
    } else {
      listing = try box.overview()
    }
    try console.show(listing, arguments.printFormat, nothing: "Nothing is put aside.")
  }

  private static func replayLetters(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    let box = try letterBox(arguments, console)
    let name = arguments.operand("TABLE")
    let outcome = try box.tryOut(name)
    if !arguments.has("--dry-run"), outcome.rows + outcome.passed > 0 { try box.request(name) }
    if arguments.printFormat == .json {
      let value = JSONValue.members([
        ("rows", .int(Int64(outcome.rows))), ("passedOver", .int(Int64(outcome.passed))),
        ("refused", .int(Int64(outcome.refused))), ("dryRun", .bool(arguments.has("--dry-run"))),
      ])
      return try console.output.line(value.text())
    }
    try console.say(
      "\(DisplayText.count(outcome.rows, "record")) would be rows now, "
        + "\(outcome.passed) would be passed over, \(outcome.refused) are still refused")
    for (reason, count) in outcome.reasons.sorted(by: { $0.value > $1.value }).prefix(5) {
      try console.say("  \(count) × \(DisplayText.oneLine(reason))")
    }
    if arguments.has("--dry-run") || outcome.rows + outcome.passed == 0 { return }
    try console.output.flush()
    console.note(
      box.isRunning
        ? "The run takes them at the end of its next epoch." : "“terrace run” takes them first.")
  }
}
