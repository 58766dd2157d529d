import Columns
import SQL
import Store

/// CALL sys.…
extension SQLSession {
  func call(
    _ path: NamePath, _ arguments: [CallSyntax.Argument], _ at: SessionStatement,
    _ output: any ResultOutput
  ) throws(TerraceError) {
    let parts =
      path.texts.count == 3 && path.texts[0] == SQLSession.catalogName
      ? Array(path.texts.dropFirst()) : path.texts
    guard parts.count == 2, parts[0] == "sys", let procedure = Procedure(rawValue: parts[1]) else {
      let known = Procedure.allCases.map { "sys.\($0.rawValue)" }
      throw at.source.unsupported(
        "the procedure \(path.text)", at: path.span,
        hint: NearestName.hint(path.text, among: known, else: "there are "))
    }
    let binder = Binder(at.source, resolver: SessionCatalog(self), isStreaming: false)
    let call = try ProcedureCall(procedure, try binder.arguments(arguments), at)
    let text = try call.neededText("table")
    do throws(TerraceError) {
      let lead = SQLSession.catalogName + "."
      let own =
        text.hasPrefix(lead) && text.dropFirst(lead.count).contains(".")
        ? String(text.dropFirst(lead.count)) : text
      let name =
        own.contains(".") ? try TableName(own) : try TableName(database: database, sqlName: own)
      try warehouse.mustHave(name)
      if call.procedure.needsRest { try mustRest() }
      let results = try run(call, name)
      // What is a tag is a partition.
      if call.procedure.changesTags { try directory(name).reconcile() }
      try output.show(["result"], results.map { [$0] })
    } catch { throw at.placed(error, call.span("table")) }
  }

  private func run(_ call: ProcedureCall, _ name: TableName) throws(TerraceError) -> [String] {
    let path = try warehouse.path(of: name)
    let environment = warehouse.environment
    let tags = TagDirectory(path, environment)
    switch call.procedure {
    case .compact: try compact(call, name)
    case .createTag:
      try directory(name).publish(
        tag: try call.neededText("tag"),
        snapshotID: try call.number("snapshot_id").map { Int64($0) },
        retainedMillis: try retained(call))
    case .replaceTag:
      try tags.replace(
        try call.neededText("tag"), snapshotID: try call.number("snapshot_id").map { Int64($0) },
        retainedMillis: try retained(call))
    case .renameTag:
      try tags.rename(try call.neededText("tag"), to: try call.neededText("target_tag"))
    case .deleteTag:
      for tag in try call.neededText("tag").split(separator: ",") {
        guard try !directory(name).remove([tag.trimmed]).isEmpty else {
          throw TerraceError(.notFound, "there is no tag '\(tag.trimmed)'")
            .hint(
              NearestName.hint(tag.trimmed, among: try tags.list().map(\.name), else: "there are "))
        }
      }
    case .expireTags: return try tags.expire().map(\.name)
    case .createBranch:
      try Branches(path, environment).create(
        try call.neededText("branch"), tag: try call.text("tag"))
    case .deleteBranch:
      for branch in try call.neededText("branch").split(separator: ",") {
        try Branches(path, environment).delete(branch.trimmed)
      }
    case .rollbackTo: try rollBack(call, Rollback(path, environment), tags)
    case .rollbackToTimestamp:
      guard let millis = try call.number("timestamp") else {
        throw TerraceError(.invalid, "sys.rollback_to_timestamp needs 'timestamp' in milliseconds")
      }
      try Rollback(path, environment).to(millis: Int64(millis))
    case .expireSnapshots: return [try expire(call, path)]
    case .resetConsumer, .clearConsumers: try changeConsumers(call, Consumers(path, environment))
    case .removeOrphanFiles: return try removeOrphans(call, Orphans(path, environment))
    case .dropPartition: try dropPartitions(call, name)
    }
    return ["Success"]
  }

  /// Tags that are partitions change together with the metastore.
  private func directory(_ name: TableName) throws(TerraceError) -> PartitionDirectory {
    try warehouse.tagPartitions(of: name, session: zone)
  }

  private func retained(_ call: ProcedureCall) throws(TerraceError) -> Int64? {
    guard let text = try call.text("time_retained") else { return nil }
    return try TableOptions(["time_retained": text]).millis("time_retained")
  }

  private func compact(_ call: ProcedureCall, _ name: TableName) throws(TerraceError) {
    let strategy = try call.text("compact_strategy") ?? "full"
    guard strategy == "full" || strategy == "minor" else {
      throw TerraceError(.invalid, "compact_strategy is full or minor, not '\(strategy)'")
    }
    let table = try warehouse.open(name)
    var chosen: Set<[UInt8]>?
    if let found = try partitions(call, name, table) {
      if found.isEmpty { return }
      chosen = found
    }
    if try table.compact(full: strategy == "full", partitions: chosen) != nil { maintain(table) }
  }

  /// `dt=2026-11-19,hh=07;dt=2026-11-20`
  private func partitions(
    _ call: ProcedureCall, _ name: TableName, _ table: Table
  ) throws(TerraceError) -> Set<[UInt8]>? {
    guard let text = try call.text("partitions") else { return nil }
    let parts = text.split(separator: ";").map(String.init)
    let selection = try PartitionSelection(parts, of: name, table.schema)
    return Set(try warehouse.partitions(selection, of: table).map(\.row))
  }

  private func dropPartitions(
    _ call: ProcedureCall, _ name: TableName
  ) throws(TerraceError) {
    _ = try call.neededText("partitions")
    let table = try warehouse.open(name)
    guard let found = try partitions(call, name, table), !found.isEmpty else {
      throw TerraceError(.notFound, "there is no such partition")
        .hint("SHOW PARTITIONS lists them")
    }
    _ = try table.commit().overwrite(.partitions(found), [])
  }

  private func rollBack(
    _ call: ProcedureCall, _ rollback: Rollback, _ tags: TagDirectory
  ) throws(TerraceError) {
    if let id = try call.number("snapshot_id") { return try rollback.to(snapshotID: Int64(id)) }
    // By position it may be either.
    let named = try? call.text("tag")  // A number is no text: see below.
    if let tag = named, try tags.find(tag) != nil {
      return try rollback.to(tag: tag)
    }
    if let id = try? call.number("tag") {  // Text that is no number is a tag that is not there.
      return try rollback.to(snapshotID: Int64(id))
    }
    try rollback.to(tag: try call.neededText("tag"))
  }

  private func expire(_ call: ProcedureCall, _ path: TablePath) throws(TerraceError) -> String {
    var policy = Expiration.Policy(
      retainMin: try call.number("retain_min"), retainMax: try call.number("retain_max"),
      limit: try call.number("max_deletes"))
    if let text = try call.text("older_than") {
      policy.olderThanMillis = try InstantText.millis(text, for: "older_than")
    }
    let outcome = try Maintenance(path, warehouse.environment).run(policy)
    return String(outcome.files.snapshots)
  }

  private func changeConsumers(
    _ call: ProcedureCall, _ consumers: Consumers
  ) throws(TerraceError) {
    if case .resetConsumer = call.procedure {
      let id = try call.neededText("consumer_id")
      if let next = try call.number("next_snapshot_id") {
        try consumers.set(id, next: Int64(next))
      } else {
        guard try consumers.delete(id) else {
          throw TerraceError(.notFound, "there is no consumer '\(id)'")
        }
      }
      return
    }
    for name in ["including_consumers", "excluding_consumers"]
    where try call.text(name) != nil {
      throw TerraceError(.unsupported, "sys.clear_consumers with \(name)")
        .hint("sys.reset_consumer removes one")
    }
    for consumer in try consumers.list() { try consumers.delete(consumer.id) }
  }

  private func removeOrphans(
    _ call: ProcedureCall, _ orphans: Orphans
  ) throws(TerraceError) -> [String] {
    var age: Int64?
    if let text = try call.text("older_than") {
      let instant = try InstantText.millis(text, for: "older_than")
      age = max(0, warehouse.environment.time.nowMillis() - instant)
    }
    let isDry = try call.flag("dry_run") ?? false
    let files =
      isDry
      ? try orphans.list(olderThanMillis: age) : try orphans.remove(olderThanMillis: age)
    return [String(files.count)]
  }
}
