package import Columns
import Connectors
import Store

extension OpenProject {
  private func outside(_ project: Project) -> [ConnectorTable] {
    project.jobs.flatMap { job in
      job.sources.values.compactMap { source in
        if case .connector(let table) = source { return table }
        return nil
      }
    }
  }

  /// Says of replication slots that no job uses them any more.
  package func unusedSlots(_ project: Project) throws(TerraceError) -> [String] {
    try slots(project).map(\.text)
  }

  /// None while there are jobs that cannot be made.
  private func slots(_ project: Project) throws(TerraceError) -> [UnusedSlot] {
    if !project.absent.isEmpty { return [] }
    return try UnusedSlot.all(outside(project), folder: folder, warehouse.environment.files)
  }

  /// Drops those of them that may be dropped.
  ///
  /// - Returns: what was done, and what is to be done by hand.
  package func settleSlots(_ project: Project) throws(TerraceError) -> [String] {
    var told: [String] = []
    for slot in try slots(project) {
      if let text = try slot.settle(outside(project), warehouse.environment.files) {
        told.append(text)
      }
    }
    return told
  }
}
