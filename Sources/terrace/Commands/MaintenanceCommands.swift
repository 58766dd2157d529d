import Columns
import Formats
import Glibc
import Store
import Warehouse

extension Terrace {
  private static let partition = Flag(
    "--partition", "-p", "SPEC", "only this partition, such as dt=2026-11-20,hh=07", repeats: true)

  static let compactCommand: Command = Command(
    name: "compact", summary: "Merge the files of a table",
    details: """
      Without --full only what is worth merging is merged, as a writer would. A full compaction
      rewrites everything into the last level.
      """,
    operands: [.table],
    flags: [Flag("--full", "", nil, "merge everything"), partition, .branch],
    run: compactTable)

  static let expireCommand: Command = Command(
    name: "expire", summary: "Remove old snapshots and the files that only they used",
    details: """
      What is kept is told by the table's options (snapshot.num-retained.min, …max,
      snapshot.time-retained), or by these flags. Tags and consumers keep what they need. Tags whose
      time is over and consumers that stand still too long go as well.
      """,
    operands: [.table],
    flags: [
      Flag("--retain-min", "", "N", "keep at least N snapshots"),
      Flag("--retain-max", "", "N", "keep at most N snapshots"),
      Flag("--older-than", "", "TIME", "only snapshots before this time"),
      Flag("--limit", "-l", "N", "remove at most N snapshots"), .branch,
    ],
    examples: ["terrace expire ods.orders --retain-max 20 --older-than '2026-11-20 00:00:00'"],
    run: expireTable)

  static let maintenanceCommands: [Command] = [
    Command(
      name: "rollback", summary: "Take a table back; what came later is removed",
      operands: [.table],
      flags: [
        Flag("--snapshot", "", "ID", "to this snapshot"),
        Flag("--tag", "", "NAME", "to the snapshot that this tag names"),
        Flag("--timestamp", "", "TIME", "to the last snapshot at or before this time"), .branch,
      ],
      run: rollbackTable),
    Command(
      name: "drop-partition", summary: "Remove all rows of some partitions", operands: [.table],
      flags: [partition, .branch],
      examples: ["terrace table drop-partition ods.orders -p dt=2026-11-19 -p dt=2026-11-20"],
      run: dropPartitions),
  ]

  private static func compactTable(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    try arguments.mustRest()
    let workers = Workers(count: max(1, min(8, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))))
    defer { workers.stop() }
    let warehouse = try arguments.warehouse(workers: workers)
    let name = try arguments.tableName()
    let table = try warehouse.open(name)
    var partitions: Set<[UInt8]>?
    if arguments.has("--partition") {
      let selection = try PartitionSelection(
        arguments.all("--partition"), of: name, table.schema)
      let found = try warehouse.partitions(selection, of: table)
      if found.isEmpty { throw noPartition(arguments, name) }
      partitions = Set(found.map(\.row))
    }
    let start = Progress.now()
    if let snapshot = try table.compact(full: arguments.has("--full"), partitions: partitions) {
      try console.say(
        "Table '\(name)' compacted in snapshot \(snapshot.id) "
          + "(\(seconds(Progress.now() - start))).")
    } else {
      try console.say("Table '\(name)' has nothing to compact.")
      return
    }
    if let failure = table.maintain() {
      console.note("terrace: the table is compacted, but old snapshots could not be removed:")
      Console.writeError(ErrorReport.text(failure, isStyled: console.styledError))
    }
  }

  private static func expireTable(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    try arguments.mustRest()
    let warehouse = try arguments.warehouse()
    let name = try arguments.tableName()
    try warehouse.mustHave(name)
    let path = try warehouse.path(of: name)
    var policy = Expiration.Policy(
      retainMin: try arguments.integer("--retain-min", from: 1),
      retainMax: try arguments.integer("--retain-max", from: 1),
      limit: try arguments.integer("--limit", from: 1))
    if let text = arguments.text("--older-than") {
      policy.olderThanMillis = try InstantText.millis(text, for: "--older-than")
    }
    // First the tags with their partitions: what only they kept may go then.
    let tags = try warehouse.tagPartitions(of: name).retain()
    var outcome = try Maintenance(path, warehouse.environment).run(policy)
    outcome.tags += tags.count
    var parts = [DisplayText.count(outcome.files.snapshots, "snapshot")]
    if outcome.files.changelogs > 0 {
      parts.append(DisplayText.count(outcome.files.changelogs, "changelog"))
    }
    parts.append(DisplayText.count(outcome.files.dataFiles, "data file"))
    if outcome.tags > 0 { parts.append(DisplayText.count(outcome.tags, "tag")) }
    if outcome.consumers > 0 { parts.append(DisplayText.count(outcome.consumers, "consumer")) }
    try console.say("Removed \(parts.joined(separator: ", ")) of table '\(name)'.")
  }

  private static func rollbackTable(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    let flags = ["--snapshot", "--tag", "--timestamp"].filter { arguments.has($0) }
    guard flags.count == 1 else {
      throw TerraceError(.invalid, "exactly one of --snapshot, --tag and --timestamp is needed")
    }
    try arguments.mustRest()
    let warehouse = try arguments.warehouse()
    let name = try arguments.tableName()
    try warehouse.mustHave(name)
    let rollback = Rollback(try warehouse.path(of: name), warehouse.environment)
    let target: String
    switch try timeTravel(arguments) {
    case .snapshot(let id):
      try rollback.to(snapshotID: id)
      target = "snapshot \(id)"
    case .tag(let tag):
      try rollback.to(tag: tag)
      target = "tag '\(tag)'"
    case .timestamp(let millis):
      try rollback.to(millis: millis)
      target = InstantText.text(millis: millis)
    case .latest, .watermark, .version: return
    }
    try console.say("Table '\(name)' rolled back to \(target).")
  }

  private static func noPartition(_ arguments: Arguments, _ name: TableName) -> TerraceError {
    TerraceError(
      .notFound, "partition \(arguments.all("--partition").joined(separator: " or ")) of \(name)",
      hint: "“table list-partitions \(name)” lists them")
  }

  private static func dropPartitions(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    guard arguments.has("--partition") else {
      throw TerraceError(
        .invalid, "no partition is named", hint: "for example --partition dt=2026-11-20")
    }
    try arguments.mustRest()
    let warehouse = try arguments.warehouse()
    let name = try arguments.tableName()
    let table = try warehouse.open(name)
    let selection = try PartitionSelection(arguments.all("--partition"), of: name, table.schema)
    let found = try warehouse.partitions(selection, of: table)
    if found.isEmpty { throw noPartition(arguments, name) }
    _ = try table.commit().overwrite(.partitions(Set(found.map(\.row))), [])
    try console.say(
      "Successfully dropped partition(s) [\(found.map(\.name).joined(separator: "; "))] "
        + "from table '\(name)'.")
  }
}
