package import Catalog
package import Columns
import Connectors
import Store

extension OpenProject {
  /// Makes and changes tables, and registers everything. Doing it again changes nothing.
  ///
  /// - Parameters:
  ///   - changes: of the tables and jobs that are to be registered.
  ///   - rebuilds: jobs whose table is emptied, so that they start over from their sources.
  /// - Returns: what a person should know of tables that were emptied.
  /// - Throws: `invalid` for changes that cannot be done, before anything is changed.
  @discardableResult package func apply(
    _ project: Project, _ changes: ProjectChanges, _ metastore: Metastore,
    rebuilds: Set<String> = []
  ) throws(TerraceError) -> [String] {
    if let first = changes.impossible.first {
      throw TerraceError(
        .invalid, "\(first.name): \(first.lines.joined(separator: "; "))",
        hint: "nothing was changed; drop the table, or put the spec back")
    }
    if let first = changes.jobs.first(where: { $0.needsRebuild && !rebuilds.contains($0.name) }) {
      throw TerraceError(
        .invalid, "\(first.name): \(first.rebuildReason ?? "")",
        hint: "nothing was changed; --rebuild \(first.name) empties the table and fills it again, "
          + "or put the spec back")
    }
    for name in rebuilds where !project.jobs.contains(where: { $0.name == name }) {
      throw TerraceError(
        .notFound, "job \(name)",
        hint: NearestName.hint(name, among: project.jobs.map(\.name), else: "there are "))
    }
    for change in changes.tables { try make(change, project) }
    var notices: [String] = []
    for job in project.jobs where rebuilds.contains(job.name) {
      try start(over: job.name, project, metastore)
      if let notice = try oldTags(of: job) { notices.append(notice) }
    }
    try forget(project, metastore)
    let names = Set(changes.jobs.map(\.name))
    try register(project, jobs: project.jobs.filter { names.contains($0.name) }, metastore)
    let tables = Set(changes.tables.map(\.name))
    try register(tables: project.tables.filter { tables.contains($0.name) }, metastore)
    return notices
  }

  /// Names the tags of a table that were made before its job was started over.
  private func oldTags(of job: JobSpec) throws(TerraceError) -> String? {
    guard case .table(let name) = job.target, try hasTable(name) else { return nil }
    let table = try warehouse.open(name)
    guard let latest = try table.snapshots.latest() else { return nil }
    let old = try TagDirectory(table.path, warehouse.environment).list()
      .filter { Root.isOutlived($0.snapshot, by: latest) }.map(\.name).sorted()
    guard let first = old.first, let last = old.last else { return nil }
    let names = old.count <= 6 ? old.joined(separator: ", ") : "\(first) … \(last)"
    return
      "\(name) keeps \(old.count) tag\(old.count == 1 ? "" : "s") of what it held before (\(names)): "
      + "each is made anew when the job passes its time again; "
      + "“terrace tag delete \(name) TAG” removes one that is not"
  }

  /// Empties a job's table, so that the job begins anew. Snapshots go on: those who read the table see its
  /// rows go and come.
  private func start(
    over name: String, _ project: Project, _ metastore: Metastore
  ) throws(TerraceError) {
    guard let spec = project.jobs.first(where: { $0.name == name }), !spec.isRefresh else { return }
    let environment = JobEnvironment(
      warehouse: warehouse, metastore: metastore, zone: try config.zone, folder: folder)
    let job = try Job(spec, in: environment)
    defer { job.close() }
    try job.startOver()
  }

  /// Takes up the consumers that removed jobs left in their sources: nobody reads on behind them.
  private func forget(_ project: Project, _ metastore: Metastore) throws(TerraceError) {
    let now = warehouse.environment.time.nowMillis()
    for table in project.synced { try SyncMemory.remember(table, metastore, nowMillis: now) }
    let gone = try metastore.jobs().map(\.name).filter { !project.wants($0) }
    if gone.isEmpty { return }
    let lineage = try metastore.lineage()
    for job in gone {
      var tables = Set(lineage.filter { $0.job == job }.map(\.from))
      tables.insert(job)
      for text in tables {
        // A source outside is no table of the warehouse.
        guard let name = try? TableName(text), try hasTable(name) else { continue }
        let path = try warehouse.path(of: name)
        let consumers = Consumers(path, warehouse.environment)
        for consumer in try consumers.list()
        where SyncMemory.isConsumer(consumer.id, of: job) {
          try consumers.delete(consumer.id)
        }
      }
      try metastore.deleteSynced(job)
    }
  }

  private func make(
    _ change: ProjectChanges.TableChange, _ project: Project
  ) throws(TerraceError) {
    guard let table = project.tables.first(where: { $0.name == change.name }) else { return }
    if try !warehouse.has(change.name) {
      if try !warehouse.hasFolder {
        try warehouse.environment.files.makeDirectories(warehouse.location.path)
      }
      _ = try warehouse.create(database: change.name.database)
      let schema = try table.schema(timeMillis: warehouse.environment.time.nowMillis())
      _ = try warehouse.create(change.name, schema)
    } else if change.kind == .changed {
      try SchemaDirectory(try warehouse.path(of: change.name), warehouse.environment)
        .change(change.steps)
    }
  }

  private func register(
    _ project: Project, jobs: [JobSpec], _ metastore: Metastore
  ) throws(TerraceError) {
    let now = warehouse.environment.time.nowMillis()
    let texts = project.specTexts
    try metastore.transaction { () throws(TerraceError) in
      try metastore.replaceLayers(project.layers)
      for job in jobs {
        let old = try metastore.job(job.name)
        try metastore.put(
          JobRow(
            name: job.name, target: job.targetText, fingerprint: job.fingerprint,
            spec: texts[job.name] ?? "", state: old?.state ?? "new",
            counters: old?.counters ?? "{}", updatedMillis: now))
        try metastore.replaceLineage(
          of: job.name,
          project.edges.filter { $0.job == job.name }.map {
            LineageEdge(from: $0.from.text, to: $0.to.text, job: $0.job)
          })
      }
      for job in project.absent where !job.isOpen {
        if try metastore.job(job.name) != nil { continue }
        try metastore.put(
          JobRow(
            name: job.name, target: job.name, fingerprint: AbsentJob.fingerprint, spec: "",
            state: "new", counters: "{}", updatedMillis: now))
      }
      for old in try metastore.jobs() where !project.wants(old.name) {
        try metastore.delete(job: old.name)
      }
    }
  }

  private func register(
    tables: [ProjectTable], _ metastore: Metastore
  ) throws(TerraceError) {
    let now = warehouse.environment.time.nowMillis()
    try metastore.transaction { () throws(TerraceError) in
      for table in tables {
        let name = table.name
        try metastore.register(
          database: name.database,
          location: warehouse.location.path + "/" + name.database + ".db")
        try metastore.register(database: name.database, table: name.table)
        try metastore.put(
          SchemaRow(
            table: name.description, layer: name.database, ddl: Redaction.clean(table.sql),
            hash: TextHash.digits(table.sql), updatedMillis: now))
      }
    }
  }
}

extension JobSpec {
  var targetText: String {
    switch target {
    case .table(let name): name.description
    case .connector(let table): "\(table.options["connector"] ?? ""):\(table.name)"
    }
  }
}

/// FNV-1a in 16 hexadecimal digits: tells texts apart, guards nothing.
enum TextHash {
  static func digits(_ text: String) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
