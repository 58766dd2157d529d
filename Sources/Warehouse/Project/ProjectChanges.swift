package import Catalog
package import Columns
package import Store

/// What applying a project would change: specs beside what the warehouse and the metastore hold.
package struct ProjectChanges: Sendable {
  package enum Kind: String, Sendable { case new, changed, unchanged, removed, impossible }

  package struct TableChange: Sendable {
    package var name: TableName
    package var kind: Kind
    /// For `changed`.
    package var steps: [SchemaChange] = []
    /// What a person reads: `+ column note STRING`; or why it cannot be done.
    package var lines: [String] = []
    /// Rows that are there lie in other buckets than those of the new schema.
    var movesRows = false
  }

  package struct JobChange: Sendable {
    package var name: String
    package var kind: Kind
    /// Lines of the spec that went (`- …`) and came (`+ …`).
    package var lines: [String] = []
    /// Source tables that the job is to look up, instead of keeping state of them.
    package var looksUp: [TableName] = []
    /// Why the table must be made anew from its sources; nil: it need not.
    package var rebuildReason: String?
    package var needsRebuild: Bool { rebuildReason != nil }
    /// Nobody touched its spec: a table above has other columns, so its query says something else.
    var isOutdated = false
  }

  package var tables: [TableChange] = []
  package var jobs: [JobChange] = []

  package var isEmpty: Bool {
    tables.allSatisfy { $0.kind == .unchanged } && jobs.allSatisfy { $0.kind == .unchanged }
  }

  /// Whether jobs or tables would do anything else than they do: texts may differ in comments.
  ///
  /// - Parameter followed: tables that follow those of servers: they come and change without being asked for.
  package func isHarmless(but followed: Set<String> = []) -> Bool {
    tables.allSatisfy {
      $0.kind == .unchanged
        || ($0.kind != .impossible && followed.contains($0.name.description))
        || outdated.contains($0.name.description)
    }
      && jobs.allSatisfy {
        $0.kind == .unchanged || $0.isOutdated
          || (!$0.needsRebuild && ($0.kind == .changed || followed.contains($0.name)))
      }
  }

  /// Jobs that stand until somebody starts them over; the others need not wait for that.
  private var outdated: Set<String> { Set(jobs.filter(\.isOutdated).map(\.name)) }

  /// What may be taken in without a word: all but jobs that are outdated, and their tables.
  package var withoutOutdated: ProjectChanges {
    var rest = self
    rest.jobs.removeAll(where: \.isOutdated)
    rest.tables.removeAll { outdated.contains($0.name.description) }
    return rest
  }

  package var impossible: [TableChange] { tables.filter { $0.kind == .impossible } }

  /// What takes the changes in.
  package var command: String {
    "terrace apply" + jobs.filter(\.needsRebuild).map { " --rebuild \($0.name)" }.joined()
  }

  package var hint: String {
    impossible.isEmpty
      ? "“\(command)” takes the changes above in"
      : "put the specs back that cannot be followed, or drop the tables"
  }

  /// - Parameter metastore: nil for a project that was never applied.
  package init(
    _ project: Project, _ warehouse: OpenWarehouse, _ metastore: Metastore?
  ) throws(TerraceError) {
    for table in project.tables {
      tables.append(
        try ProjectChanges.change(
          table, warehouse, isFilled: project.jobs.contains { $0.name == table.name.description }))
    }
    let specs = project.specTexts
    let known = try metastore?.jobs() ?? []
    for job in project.jobs {
      let text = specs[job.name] ?? ""
      let moved = tables.first { $0.name.description == job.name }?.movesRows ?? false
      guard let old = known.first(where: { $0.name == job.name }),
        old.fingerprint != AbsentJob.fingerprint
      else {
        jobs.append(
          JobChange(
            name: job.name, kind: .new, looksUp: try SourcePlay.planned(job, project),
            rebuildReason: try ProjectChanges.rowsOfAnother(job, warehouse)))
        continue
      }
      if old.fingerprint == job.fingerprint && old.spec == text && !moved {
        jobs.append(JobChange(name: job.name, kind: .unchanged))
        continue
      }
      var change = JobChange(
        name: job.name, kind: .changed, lines: LineDiff.lines(from: old.spec, to: text))
      // What is made anew each time needs no word from anybody.
      if !job.isRefresh {
        if old.fingerprint != job.fingerprint {
          change.isOutdated = old.spec == text
          change.rebuildReason =
            change.isOutdated
            ? "the columns of a table that it reads have changed" : "the query has changed"
        } else if moved {
          change.rebuildReason = "the rows lie in another number of buckets"
        }
      }
      jobs.append(change)
    }
    for old in known where !project.wants(old.name) {
      jobs.append(JobChange(name: old.name, kind: .removed))
    }
  }

  /// A job that comes to a table which an earlier one of its name has filled by another query.
  private static func rowsOfAnother(
    _ job: JobSpec, _ warehouse: OpenWarehouse
  ) throws(TerraceError) -> String? {
    guard case .table(let name) = job.target, !job.isRefresh, try warehouse.hasFolder,
      try warehouse.databases().contains(name.database), try warehouse.has(name)
    else { return nil }
    let table = try Table.open(warehouse.environment, try warehouse.path(of: name).root)
    guard let latest = try table.snapshots.latest(), let root = try Root(latest),
      root.job == job.name, root.fingerprint != job.fingerprint
    else { return nil }
    return "the table holds the rows of another query"
  }

  private static func change(
    _ table: ProjectTable, _ warehouse: OpenWarehouse, isFilled: Bool
  ) throws(TerraceError) -> TableChange {
    let name = table.name
    let wanted = try table.schema(timeMillis: warehouse.environment.time.nowMillis())
    guard try warehouse.hasFolder, try warehouse.databases().contains(name.database),
      try warehouse.has(name)
    else {
      return TableChange(name: name, kind: .new)
    }
    let current = try warehouse.schema(of: name)
    if let reason = fixed(current, wanted) {
      return TableChange(name: name, kind: .impossible, lines: [reason])
    }
    let (steps, lines) = steps(from: current, to: wanted)
    let isMoved = try current.bucketMode != wanted.bucketMode
    let moves = isMoved ? try warehouse.holdsRows(name) : false
    if moves, !isFilled {
      return TableChange(
        name: name, kind: .impossible,
        lines: lines + ["it has rows, which lie in \(current.options["bucket"] ?? "-1") buckets"])
    }
    if steps.isEmpty { return TableChange(name: name, kind: .unchanged) }
    do throws(TerraceError) {
      let path = try warehouse.path(of: name)
      _ = try SchemaDirectory(path, warehouse.environment).preview(steps)
    } catch {
      return TableChange(name: name, kind: .impossible, lines: lines + [error.message])
    }
    return TableChange(
      name: name, kind: .changed, steps: steps, lines: lines, movesRows: moves)
  }

  /// What no change of a schema can do.
  private static func fixed(_ current: TableSchema, _ wanted: TableSchema) -> String? {
    func list(_ names: [String]) -> String {
      names.isEmpty ? "none" : names.joined(separator: ", ")
    }
    if current.primaryKeys != wanted.primaryKeys {
      return
        "the primary key is \(list(current.primaryKeys)), the spec wants \(list(wanted.primaryKeys))"
    }
    if current.partitionKeys != wanted.partitionKeys {
      return
        "it is partitioned by \(list(current.partitionKeys)), the spec wants \(list(wanted.partitionKeys))"
    }
    let gone = current.fields.map(\.name).filter { name in
      !wanted.fields.contains { $0.name == name }
    }
    if let first = gone.first {
      return
        "column \(first) is not in the spec any more; “terrace table alter” drops or renames columns"
    }
    return nil
  }

  /// What makes one schema of another, and the same for people.
  static func steps(
    from current: TableSchema, to wanted: TableSchema
  ) -> (steps: [SchemaChange], lines: [String]) {
    var steps: [SchemaChange] = []
    var lines: [String] = []
    for field in wanted.fields {
      guard let old = current.fields.first(where: { $0.name == field.name }) else {
        steps.append(.addColumn([field.name], field.type.nullable, comment: field.comment))
        lines.append("+ column \(field.name) \(field.type.nullable.text)")
        continue
      }
      if old.type.nullable != field.type.nullable {
        steps.append(.setType([field.name], field.type))
        lines.append(
          "~ column \(field.name) \(old.type.nullable.text) → \(field.type.nullable.text)")
      }
      if old.type.isNullable != field.type.isNullable {
        steps.append(.setNullable([field.name], field.type.isNullable))
        lines.append("~ column \(field.name) \(field.type.isNullable ? "may be null" : "NOT NULL")")
      }
      if old.comment != field.comment {
        steps.append(.setColumnComment([field.name], field.comment))
        lines.append("~ comment of \(field.name)")
      }
    }
    for (key, value) in wanted.options.entries.sorted(by: { $0.key < $1.key })
    where current.options[key] != value {
      steps.append(.setOption(key, value))
      let old = current.options[key].map { Redaction.shown(key, $0) + " → " } ?? ""
      lines.append("~ option \(key) \(old)\(Redaction.shown(key, value))")
    }
    if current.comment != wanted.comment {
      steps.append(.setComment(wanted.comment))
      lines.append("~ comment of the table")
    }
    return (steps, lines)
  }
}

extension Project {
  /// The text of the files that each job is made of, without secrets.
  var specTexts: [String: String] {
    Dictionary(
      uniqueKeysWithValues: jobs.map { ($0.name, Redaction.clean(files[$0.name] ?? "")) })
  }
}

/// The lines that differ between two short texts: Myers' difference, as the standard library has it.
enum LineDiff {
  static func lines(from old: String, to new: String) -> [String] {
    let a = old.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    let b = new.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    guard a.count < 5_000, b.count < 5_000 else { return [] }
    var lines: [(place: Int, text: String)] = []
    for change in b.difference(from: a) {
      switch change {
      case .remove(let offset, let element, _): lines.append((offset * 2, "- " + element))
      case .insert(let offset, let element, _): lines.append((offset * 2 + 1, "+ " + element))
      }
    }
    return lines.sorted { $0.place < $1.place }.map(\.text)
      .filter { !$0.dropFirst(2).allSatisfy(\.isWhitespace) }
  }
}
