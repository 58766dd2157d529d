import Columns
import Formats
import Store
import Warehouse

extension Terrace {
  private static let tagName = Operand("NAME", "of the tag")
  private static let retained = Flag(
    "--time-retained", "", "DURATION", "how long the tag is kept, such as “7 d” (default: for ever)"
  )

  static let tagCommands: Command = Command(
    name: "tag", summary: "Tags, which keep snapshots: create, list, get, delete, …",
    subcommands: [
      Command(
        name: "create", summary: "Name a snapshot, so that it is kept",
        operands: [.table, tagName],
        flags: [
          Flag(
            "--snapshot-id", "-s", "ID", "the snapshot (default: the latest)",
            aliases: ["--snapshot"]),
          retained, .ifNotExists, .branch,
        ],
        examples: ["terrace tag create ads.top_shops 2026-11-20 --time-retained \"90 d\""],
        run: createTag),
      Command(
        name: "list", summary: "List the tags of a table, oldest snapshot first",
        operands: [.table],
        flags: [Flag("--prefix", "-p", "PREFIX", "only names that begin so"), format, .branch],
        run: listTags),
      Command(
        name: "get", summary: "Show a tag", operands: [.table, tagName], flags: [format, .branch],
        run: getTag),
      Command(
        name: "delete", summary: "Delete a tag, and the files that only it kept",
        operands: [.table, tagName],
        flags: [
          Flag("--ignore-if-not-exists", "-i", nil, "do nothing when there is none"), .branch,
        ],
        aliases: ["drop"],
        run: { (arguments, console) throws(TerraceError) in
          let (tags, table, partitions) = try tagsToChange(arguments)
          let name = arguments.operand("NAME")
          try Tag.checkName(name)
          if try partitions.remove([name]).isEmpty {
            guard arguments.has("--ignore-if-not-exists") else {
              throw try noTag(name, tags, table)
            }
            try console.say("There is no tag '\(name)'.")
            return
          }
          try console.say("Tag '\(name)' deleted from table '\(table)'.")
        }),
      Command(
        name: "rename", summary: "Rename a tag",
        operands: [.table, tagName, Operand("TARGET", "its new name")], flags: [.branch],
        run: { (arguments, console) throws(TerraceError) in
          let (tags, table, partitions) = try tagsToChange(arguments)
          let (name, target) = (arguments.operand("NAME"), arguments.operand("TARGET"))
          _ = try found(name, tags, table)
          try partitions.rename(name, to: target)
          try console.say("Tag '\(name)' renamed to '\(target)' on table '\(table)'.")
        }),
      Command(
        name: "replace", summary: "Let a tag name another snapshot, or be kept for another time",
        operands: [.table, tagName],
        flags: [
          Flag(
            "--snapshot-id", "-s", "ID", "the snapshot (default: as it is)", aliases: ["--snapshot"]
          ), retained, .branch,
        ],
        run: { (arguments, console) throws(TerraceError) in
          let (tags, table, partitions) = try tagsToChange(arguments)
          let name = arguments.operand("NAME")
          _ = try found(name, tags, table)
          let tag = try partitions.replace(
            name, snapshotID: try arguments.integer("--snapshot-id", from: 1).map { Int64($0) },
            retainedMillis: try duration(arguments, "--time-retained"))
          try console.say(
            "Tag '\(name)' names snapshot \(tag.snapshot.id) of table '\(table)' now.")
        }),
      Command(
        name: "sync", summary: "Make the metastore's partitions what the tags are",
        details: """
          Tags that another engine made or deleted become partitions, or are partitions no more. Tables
          without metastore.tag-to-partition have none.
          """,
        operands: [Operand("TABLE", "DATABASE.TABLE (default: all tables)", .optional)],
        flags: [format], run: syncTags),
    ])

  private static func syncTags(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    let warehouse = try arguments.warehouse()
    guard try warehouse.metastore != nil else {
      throw TerraceError(
        .notFound, "metastore", hint: "“terrace repair” makes one; -C DIR names the project")
    }
    var names: [TableName] = []
    if let text = arguments.operandIfGiven("TABLE") {
      names.append(try TableName(text))
    } else {
      names = try warehouse.allTables()
    }
    var listing = Listing("table", "change", "partition")
    for name in names {
      let partitions = try warehouse.tagPartitions(of: name)
      let column = partitions.column ?? ""
      let (added, removed) = try partitions.reconcile()
      for value in added {
        listing.add(.string(name.description), .string("added"), .string("\(column)=\(value)"))
      }
      for value in removed {
        listing.add(.string(name.description), .string("removed"), .string("\(column)=\(value)"))
      }
    }
    try console.show(listing, arguments.printFormat, nothing: "All partitions are as the tags are.")
  }

  private static func tags(
    _ arguments: Arguments
  ) throws(TerraceError) -> (TagDirectory, TableName) {
    let warehouse = try arguments.warehouse()
    let name = try arguments.tableName()
    try warehouse.mustHave(name)
    return (TagDirectory(try warehouse.path(of: name), warehouse.environment), name)
  }

  /// The tags with what keeps their partitions in step.
  private static func tagsToChange(
    _ arguments: Arguments
  ) throws(TerraceError) -> (TagDirectory, TableName, PartitionDirectory) {
    try arguments.mustRest()
    let (warehouse, name) = (try arguments.warehouse(), try arguments.tableName())
    let partitions = try warehouse.tagPartitions(of: name)
    return (TagDirectory(try warehouse.path(of: name), warehouse.environment), name, partitions)
  }

  /// The value of a flag such as “7 d” in milliseconds.
  static func duration(
    _ arguments: Arguments, _ flag: String
  ) throws(TerraceError) -> Int64? {
    guard let text = arguments.text(flag) else { return nil }
    guard let millis = OptionValue.durationMillis(text), millis > 0 else {
      throw TerraceError(
        .invalid, "\(flag) takes a duration, not “\(text)”", hint: "for example 7 d, 12 h, 30 min")
    }
    return millis
  }

  private static func noTag(
    _ name: String, _ tags: TagDirectory, _ table: TableName
  ) throws(TerraceError) -> TerraceError {
    TerraceError(
      .notFound, "tag \(name) of \(table)",
      hint: NearestName.hint(name, among: try tags.list().map(\.name), else: "there are "))
  }

  private static func found(
    _ name: String, _ tags: TagDirectory, _ table: TableName
  ) throws(TerraceError) -> Tag {
    guard let tag = try tags.find(name) else { throw try noTag(name, tags, table) }
    return tag
  }

  private static func createTag(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    let (tags, table, partitions) = try tagsToChange(arguments)
    let name = arguments.operand("NAME")
    if try tags.find(name) != nil {
      guard arguments.has("--ignore-if-exists") else {
        throw TerraceError(
          .invalid, "tag \(name) is there already",
          hint: "--ignore-if-exists accepts that; “tag replace” moves it")
      }
      try console.say("Tag '\(name)' is there already.")
      return
    }
    try partitions.publish(
      tag: name, snapshotID: try arguments.integer("--snapshot-id", from: 1).map { Int64($0) },
      retainedMillis: try duration(arguments, "--time-retained"))
    try console.say("Tag '\(name)' created on table '\(table)'.")
  }

  private static func listTags(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    let (tags, _) = try tags(arguments)
    var listing = Listing(
      "tag", "snapshot", "schema", "committed", "rows", "created", "retained_until")
    for tag in try tags.list() {
      if let prefix = arguments.text("--prefix"), !tag.name.hasPrefix(prefix) { continue }
      listing.add(
        .string(tag.name), .int(tag.snapshot.id), JSONValue(tag.snapshot.schemaID),
        JSONValue(millis: tag.snapshot.timeMillis), .int(tag.snapshot.totalRecordCount),
        JSONValue(millis: tag.retention?.createdMillis),
        JSONValue(millis: tag.retention?.endMillis))
    }
    try console.show(listing, arguments.printFormat, nothing: "No tags found.")
  }

  private static func getTag(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    let (tags, table) = try tags(arguments)
    let tag = try found(arguments.operand("NAME"), tags, table)
    if arguments.printFormat == .json {
      guard case .object(let members) = tag.json else { return }
      let named = [JSONValue.Member("tagName", .string(tag.name))] + members
      try console.output.line(JSONValue.object(named).text())
      return
    }
    // As pypaimon prints it.
    try console.output.line("Tag: \(tag.name)")
    try console.output.line("  Snapshot ID: \(tag.snapshot.id)")
    try console.output.line("  Schema ID: \(tag.snapshot.schemaID)")
    try console.output.line("  Record Count: \(tag.snapshot.totalRecordCount)")
    if let retention = tag.retention {
      try console.output.line(
        "  Create Time: \(InstantText.text(millis: retention.createdMillis))")
      try console.output.line(
        "  Retained Until: \(InstantText.text(millis: retention.endMillis))")
    }
  }
}
