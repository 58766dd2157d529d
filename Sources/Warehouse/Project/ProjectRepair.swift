import Catalog
package import Columns
import Store

extension OpenProject {
  /// Makes the metastore what the warehouse and the specs say.
  ///
  /// - Parameter isDry: tell what would be done, and do nothing.
  package func repair(isDry: Bool) throws(TerraceError) -> [Repair.Change] {
    let repair = Repair(file: metastoreFile, warehouse.location, warehouse.environment) {
      (store) throws(TerraceError) in try restore(store)
    }
    return try repair.run(isDry: isDry)
  }

  /// Adds the layers, specs, jobs and lineage that the metastore lacks. Those that it has were applied so, and
  /// stay: `apply` changes them. Specs that cannot be read are told, and the rest is repaired all the same.
  private func restore(_ store: Metastore) throws(TerraceError) -> [Repair.Change] {
    guard try warehouse.environment.files.exists(folder + "/layers") else { return [] }
    let (loaded, problems) = try load()
    guard let project = loaded else {
      return problems.prefix(1).map { Repair.Change("spec", "not read", $0.message) }
    }
    var changes: [Repair.Change] = []
    let layers = try store.layers().map(\.name)
    if layers.isEmpty {
      try store.replaceLayers(project.layers)
      changes += project.layers.map { Repair.Change("layer", "added", $0) }
    }
    let now = warehouse.environment.time.nowMillis()
    for table in project.tables {
      let name = table.name.description
      guard try hasTable(table.name), try store.schema(of: name) == nil else { continue }
      try store.put(
        SchemaRow(
          table: name, layer: table.name.database, ddl: Redaction.clean(table.sql),
          hash: TextHash.digits(table.sql), updatedMillis: now))
      changes.append(Repair.Change("schema", "added", name))
    }
    for job in project.jobs where try store.job(job.name) == nil {
      try store.put(
        JobRow(
          name: job.name, target: job.targetText, fingerprint: job.fingerprint,
          spec: project.specTexts[job.name] ?? "", state: "new", updatedMillis: now))
      try store.replaceLineage(
        of: job.name,
        project.edges.filter { $0.job == job.name }.map {
          LineageEdge(from: $0.from.text, to: $0.to.text, job: $0.job)
        })
      changes.append(Repair.Change("job", "added", job.name))
    }
    return changes
  }

  func hasTable(_ name: TableName) throws(TerraceError) -> Bool {
    guard try warehouse.allDatabases().contains(name.database) else { return false }
    return try warehouse.has(name)
  }
}
