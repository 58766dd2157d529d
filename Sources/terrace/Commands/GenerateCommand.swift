import Columns
import Store
import Warehouse

extension Terrace {
  static let generateCommands: Command = Command(
    name: "generate", summary: "Source files to try things with: shop, nexmark",
    subcommands: [shopCommand, nexmarkCommand])

  private static let shopCommand: Command = Command(
    name: "shop", summary: "Write change streams of a shop, as the example in layers/ reads them",
    details: """
      Four folders of JSON lines: orders and users as Debezium writes them, payments as Canal does,
      products as plain rows. The history is endless and the same for the same seed; it opens at six
      in the morning of the first day. Files appear whole, in the order of their names.
      """,
    operands: [Operand("DIR", "the folder that gets orders/, payments/, products/ and users/")],
    flags: [
      Flag("--seed", "", "N", "another history (default: 7)"),
      Flag("--start", "", "DAY", "its first day (default: 2026-11-16)"),
      Flag("--changes-per-day", "", "N", "how much happens, about (default: 400000)"),
      Flag(
        "--days", "", "N",
        "what arrives until half an hour after so many days from the first (default: 3)"),
      Flag("--changes", "", "N", "so many changes instead"),
      Flag("--append", "", nil, "go on with the history in DIR; needs --changes or --days"),
      Flag(
        "--file-changes", "", "N",
        "changes in a slice, which is one file of each stream (default: 10000)"),
      Flag("--rate", "", "N", "changes a second, with files five times a second"),
      Flag(
        "--format", "-f", "FORMAT", "how to print what was written", choices: ["table", "json"]),
    ],
    examples: [
      "terrace generate shop input",
      "terrace generate shop input --append --changes 100000 --rate 2000",
    ],
    run: generateShop)

  private static let nexmarkCommand: Command = Command(
    name: "nexmark", summary: "Write persons, auctions and bids of the NEXMark model",
    details: """
      Three folders of JSON lines: person, auction and bid; of 50 events one is a person, three are
      auctions. The same seed gives the same files. As a source of a spec: 'connector' = 'nexmark'.
      """,
    operands: [Operand("DIR", "the folder that gets person/, auction/ and bid/")],
    flags: [
      Flag("--events", "", "N", "events in all (default: 1000000)"),
      Flag("--seed", "", "N", "another history (default: 0)"),
      Flag("--start", "", "DAY", "the day of the first event (default: 2015-07-15)"),
      Flag(
        "--file-events", "", "N",
        "events in a slice, which is one file in each folder (default: 100000)"),
      Flag("--rate", "", "N", "events a second, with files as time goes by"),
      Flag(
        "--format", "-f", "FORMAT", "how to print what was written", choices: ["table", "json"]),
    ],
    examples: ["terrace generate nexmark input --events 100000"],
    run: generateNexmark)

  private static func generateNexmark(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    var wanted = NexmarkGeneration(folder: arguments.operand("DIR"))
    wanted.events = try arguments.integer("--events", from: 1) ?? wanted.events
    wanted.seed = try arguments.integer("--seed")
    wanted.start = arguments.text("--start")
    wanted.sliceSize = try arguments.integer("--file-events", from: 1) ?? wanted.sliceSize
    wanted.rate = try arguments.integer("--rate", from: 1)
    let isWhole = try generate("event", arguments, console) {
      (progress) throws(TerraceError) in
      try wanted.run(
        Environment(), progress: progress, isInterrupted: { Interruption.happened })
    }
    if !isWhole { console.exitCode = Interruption.exitCode ?? 1 }
  }

  private static func generateShop(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    var wanted = ShopGeneration(folder: arguments.operand("DIR"))
    wanted.appends = arguments.has("--append")
    try arguments.atMostOne(of: "--days", "--changes")
    for flag in ["--seed", "--start", "--changes-per-day"] {
      try arguments.atMostOne(of: "--append", flag)
    }
    if wanted.appends, !arguments.has("--changes"), !arguments.has("--days") {
      throw TerraceError(.invalid, "--append needs --changes or --days")
    }
    wanted.seed = try arguments.integer("--seed")
    wanted.start = arguments.text("--start")
    wanted.changesPerDay = try arguments.integer("--changes-per-day", from: 1)
    wanted.days = try arguments.integer("--days", from: 1)
    wanted.changes = try arguments.integer("--changes", from: 0)
    wanted.sliceSize = try arguments.integer("--file-changes", from: 1) ?? wanted.sliceSize
    wanted.rate = try arguments.integer("--rate", from: 1)
    let isWhole = try generate("change", arguments, console) {
      (progress) throws(TerraceError) in
      try wanted.run(
        Environment(), progress: progress, isInterrupted: { Interruption.happened })
    }
    // A steady stream is ended by whoever watches it: nothing has failed.
    if !isWhole, wanted.rate == nil { console.exitCode = Interruption.exitCode ?? 1 }
  }

  /// Shows how far it is, and what was written.
  ///
  /// - Parameter run: gets what wants to know the lines written so far.
  /// - Returns: whether all of it was written.
  private static func generate(
    _ noun: String, _ arguments: Arguments, _ console: Console,
    _ run: ((Int) -> Void) throws(TerraceError) -> GenerationOutcome
  ) throws(TerraceError) -> Bool {
    let progress = Progress(console)
    Interruption.watch()
    let outcome: GenerationOutcome
    do throws(TerraceError) {
      outcome = try run { progress.show("\(DisplayText.count($0, noun))") }
    } catch {
      progress.clear()
      throw error
    }
    progress.clear()
    if arguments.text("--format") == "json" {
      try console.output.line(outcome.json)
    } else {
      for stream in outcome.streams where stream.files > 0 {
        try console.say(
          "\(stream.name): \(DisplayText.count(stream.lines, noun)) in "
            + "\(DisplayText.count(stream.files, "file")), \(DisplayText.bytes(stream.bytes))")
      }
    }
    try console.output.flush()
    console.note("-- \(DisplayText.count(outcome.lines, noun)), \(seconds(progress.seconds))")
    return outcome.isWhole
  }
}
