import Columns
import Formats
import Store
import Warehouse

/// Commands on a project: what it would change, and the change itself.
extension Terrace {
  static let planCommand: Command = Command(
    name: "plan", summary: "Check the specs and show what apply would change",
    details: "Reads layers/ and terrace.conf, binds everything, and changes nothing.",
    flags: [format], examples: ["terrace -C myshop plan"], run: runPlan)

  static let applyCommand: Command = Command(
    name: "apply", summary: "Make and change tables as the specs say, and register the jobs",
    details: """
      Doing it again changes nothing. A job whose query has changed holds what the old query gave:
      --rebuild empties its table, and the next run fills it again from its sources.
      """,
    flags: [
      Flag("--rebuild", "", "TABLE", "empty this table and start its job over", repeats: true),
      format,
    ],
    examples: ["terrace apply", "terrace apply --rebuild dws.shop_daily"], run: runApply)

  static let lineageCommand: Command = Command(
    name: "lineage", summary: "Show which table is made of which",
    flags: [
      Flag(
        "--format", "-f", "FORMAT", "text, JSON, a graph for Graphviz, or a picture",
        choices: ["text", "json", "dot", "svg"])
    ], examples: ["terrace lineage -f svg > lineage.svg"], run: runLineage)

  static let initCommand: Command = Command(
    name: "init", summary: "Make a new project that runs at once",
    operands: [Operand("DIR", "its folder (default: the current one)", .optional)],
    flags: [format], examples: ["terrace init myshop && terrace -C myshop run --once"],
    run: { (arguments, console) throws(TerraceError) in
      let folder = arguments.operandIfGiven("DIR") ?? arguments.text("--project") ?? "."
      var listing = Listing("file")
      for file in try ProjectTemplate.write(to: folder, Environment()) {
        listing.add(.string(file))
      }
      try console.show(listing, arguments.printFormat, nothing: "")
      console.noteAfterOutput("Next: terrace -C \(folder) run --once")
    })

  /// The project of `-C`, or of the current folder.
  static func project(
    _ arguments: Arguments, workers: Workers = Workers(count: 0)
  ) throws(TerraceError) -> OpenProject {
    if arguments.has("--warehouse") || arguments.has("--config") {
      throw TerraceError(
        .invalid, "this command works on a project", hint: "name its folder with -C DIR")
    }
    return try OpenProject(
      folder: arguments.text("--project") ?? ".", Environment(workers: workers))
  }

  /// The project's specs. Prints all that is wrong with them, and throws how much that is.
  ///
  /// - Parameters: see ``Warehouse/OpenProject/load(asksServers:leavesOutWrong:rebuilds:)``.
  static func load(
    _ open: OpenProject, _ console: Console, asksServers: Bool = true, rebuilds: Set<String> = [],
    isJSON: Bool = false
  ) throws(TerraceError) -> Project {
    for warning in open.config.warnings { console.note("warning: \(warning)") }
    let (project, problems) = try open.load(asksServers: asksServers, rebuilds: rebuilds)
    if let project, problems.isEmpty {
      for warning in project.warnings { console.note("warning: \(warning)") }
      return project
    }
    if isJSON {
      let errors = JSONValue.members([("errors", .array(problems.map(ErrorReport.json)))])
      try console.output.line(errors.text())
      try console.output.flush()
    }
    for problem in problems where !isJSON {
      Console.writeError(ErrorReport.text(problem, isStyled: console.styledError))
    }
    let count = DisplayText.count(problems.count, "error")
    throw TerraceError(.invalid, "\(count) in the specs: nothing was changed")
  }

  private static func runPlan(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    let open = try project(arguments)
    let project = try load(open, console, isJSON: arguments.printFormat == .json)
    let changes = try changes(open, project)
    for text in try open.unusedSlots(project) { console.note("warning: \(text)") }
    if arguments.printFormat != .table {
      try console.output.write(ChangesText.listing(changes).text(arguments.printFormat))
    } else {
      try console.output.write(ChangesText.text(changes, isStyled: console.styledOutput))
      try console.output.write("\n" + Lineage(project).text)
    }
    if changes.isEmpty {
      console.note("Nothing to apply: the warehouse agrees with the specs.")
    } else if !changes.impossible.isEmpty {
      console.exitCode = 2
    } else {
      console.note("Apply with: \(changes.command)   (nothing was changed)")
    }
  }

  static func changes(
    _ open: OpenProject, _ project: Project
  ) throws(TerraceError) -> ProjectChanges {
    let metastore = try open.isApplied ? open.metastore() : nil
    return try ProjectChanges(project, open.warehouse, metastore)
  }

  private static func runApply(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    let open = try project(arguments)
    let project = try load(
      open, console, rebuilds: Set(arguments.all("--rebuild")),
      isJSON: arguments.printFormat == .json)
    let metastore = try open.metastore()
    let lock = try ProjectLock.take(
      open.lockFile, command: "terrace apply",
      nowMillis: open.warehouse.environment.time.nowMillis())
    defer { lock.release() }
    let changes = try ProjectChanges(project, open.warehouse, metastore)
    let notices = try open.apply(
      project, changes, metastore, rebuilds: Set(arguments.all("--rebuild")))
    for notice in notices { console.note(notice) }
    for text in try open.settleSlots(project) { console.note(text) }
    if arguments.printFormat != .table {
      return try console.output.write(ChangesText.listing(changes).text(arguments.printFormat))
    }
    if changes.isEmpty && !arguments.has("--rebuild") {
      return try console.say("Nothing to apply: the warehouse agrees with the specs.")
    }
    try console.output.write(ChangesText.text(changes, isStyled: console.styledOutput))
    try console.say("Applied.")
  }

  private static func runLineage(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    let lineage = Lineage(
      try load(
        try project(arguments), console, asksServers: false,
        isJSON: arguments.text("--format") == "json"))
    switch arguments.text("--format") {
    case "json": try console.output.write(lineage.json)
    case "svg": try console.output.write(lineage.svg)
    case "dot": try console.output.write(lineage.dot)
    default: try console.output.write(lineage.text)
    }
  }
}
