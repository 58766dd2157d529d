package import Catalog
package import Columns
package import Formats
import Store

/// What is known of a project's tables and jobs, whether it runs or not.
package struct ProjectStatus: Sendable {
  package struct TableRow: Sendable {
    package var layer: String
    package var name: String
    package var state: String
    /// Milliseconds since the table's newest snapshot.
    package var ageMillis: Int64?
    package var snapshot: Int64?
    /// Rows in its files: those that newer ones replace are counted until a compaction.
    package var records: Int64?
    package var tag: String?
    /// FRESHNESS, or the interval of the settings.
    package var targetMillis: Int64?
    /// How far the table may be behind its sources: since it was last seen to be in step, or since the last
    /// commit of a job that is at work.
    package var lagMillis: Int64?
    /// Of the data files of the newest snapshot.
    package var bytes: Int64?
    package var error: String?
    package var counters: JSONValue
    /// Records that are put aside now, where there are any.
    package var letters: LetterSummary?

    /// What a person should know of its records, a line each.
    package var remarks: [String] {
      var lines = (letters?.lines ?? []).map { "put aside: \($0)" }
      guard case .object(let sources)? = counters["sources"] else { return lines }
      for source in sources {
        guard case .int(let count)? = source.value["skipped"], count > 0 else { continue }
        lines.append(
          "passed over: \(DisplayText.count(Int(count), "record")) of \(source.name)"
            + " that \(count == 1 ? "was no row" : "were no rows")")
      }
      return lines
    }
  }

  package var tables: [TableRow] = []
  /// Who runs the project now.
  package var holder: ProjectLock.Holder?

  package init(
    _ open: OpenProject, _ project: Project, _ metastore: Metastore
  ) throws(TerraceError) {
    holder = ProjectLock.holder(open.lockFile)
    let now = open.warehouse.environment.time.nowMillis()
    let jobs = try metastore.jobs()
    for job in project.jobs {
      let known = jobs.first { $0.name == job.name }
      let counters = try known.map { (row) throws(TerraceError) in
        try parseJSON(Array(row.counters.utf8))
      }
      var row = TableRow(
        layer: "", name: job.name, state: known?.state ?? "new", counters: counters ?? .object([]))
      if holder == nil, ["running", "idle", "starting", "retrying", "waiting"].contains(row.state) {
        // The process that said so is gone.
        row.state = "stopped"
      }
      row.error = try counters?.optionalString("lastError")
      if let error = row.error, row.state == "retrying" || row.state == "waiting" {
        let since = try counters?["trouble"]?.optionalString("since").map { ", since \($0)" }
        let next = try counters?["trouble"]?.optionalString("nextTry").map { ", next try \($0)" }
        row.error = error + (since ?? "") + (next ?? "")
      }
      row.targetMillis = job.freshnessMillis
      let isInStep = ["idle", "drained"].contains(known?.state)
      row.lagMillis =
        isInStep
        ? known.map { max(0, now - $0.updatedMillis) }
        : try counters?.optionalInt("lastCommitMillis").map { max(0, now - $0) }
      row.letters = try LetterSummary(job.name, open.warehouse)
      if case .table(let name) = job.target {
        row.layer = name.database
        if try open.warehouse.hasFolder, try open.warehouse.databases().contains(name.database),
          try open.warehouse.has(name)
        {
          let path = try open.warehouse.path(of: name)
          let snapshot = try SnapshotDirectory(path, open.warehouse.environment).latest()
          row.snapshot = snapshot?.id
          row.records = snapshot?.totalRecordCount
          if let snapshot {
            let environment = open.warehouse.environment
            let schema = try SchemaDirectory(path, environment).latest()
            row.bytes = try ProjectStatus.bytes(
              TableState(at: snapshot, try ManifestFiles(path, schema, environment)))
          }
          row.ageMillis = snapshot.map { now - $0.timeMillis }
          row.tag = try TagDirectory(path, open.warehouse.environment).list().last?.name
        }
      } else {
        row.layer = "out"
      }
      tables.append(row)
    }
    for job in project.absent {
      var row = TableRow(
        layer: String(job.name.prefix { $0 != "." }), name: job.name,
        state: job.askedAgainMillis != nil && holder != nil ? "retrying" : "failed",
        counters: .object([]))
      row.error = job.reason.message
      tables.append(row)
    }
  }

  private static func bytes(_ state: TableState) -> Int64 {
    state.buckets.values.reduce(0) { sum, bucket in
      bucket.files.reduce(sum) { $0 &+ $1.byteCount }
    }
  }

  package var json: JSONValue {
    .members([
      (
        "running",
        holder.map {
          .members([
            ("pid", .int(Int64($0.pid))), ("host", .string($0.host)),
            ("since", JSONValue(millis: $0.since)),
          ])
        } ?? .null
      ),
      (
        "jobs",
        .array(
          tables.map { row in
            .members([
              ("name", .string(row.name)), ("layer", .string(row.layer)),
              ("state", .string(row.state)), ("ageMillis", JSONValue(row.ageMillis)),
              ("snapshot", JSONValue(row.snapshot)), ("records", JSONValue(row.records)),
              ("bytes", JSONValue(row.bytes)), ("freshnessMillis", JSONValue(row.targetMillis)),
              ("lagMillis", JSONValue(row.lagMillis)),
              ("tag", JSONValue(row.tag)), ("error", JSONValue(row.error)),
              ("counters", row.counters), ("deadLetters", row.letters?.json),
            ])
          })
      ),
    ])
  }

  package var listing: Listing {
    var listing = Listing(
      "layer", "table", "state", "age", "target", "snapshot", "records", "bytes", "rows in",
      "rows out", "dead", "tag",
      "error")
    for row in tables {
      func number(_ name: String) -> JSONValue { row.counters[name] ?? .null }
      listing.add(
        .string(row.layer), .string(row.name), .string(row.state),
        JSONValue(row.ageMillis.map(DisplayText.duration(millis:))),
        JSONValue(row.targetMillis.map(DisplayText.duration(millis:))), JSONValue(row.snapshot),
        JSONValue(row.records), JSONValue(row.bytes), number("rowsIn"), number("rowsOut"),
        number("deadLetters"),
        JSONValue(row.tag), JSONValue(row.error))
    }
    return listing
  }
}
