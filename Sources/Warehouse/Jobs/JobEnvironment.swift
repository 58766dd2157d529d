package import Catalog
package import Columns
package import Connectors
package import Dataflow

/// What a job works with and shares with the other jobs of its process.
package struct JobEnvironment: Sendable {
  /// Files, clock and workers come from its environment.
  package var warehouse: OpenWarehouse
  /// Bounds the operators' state and the write buffers; nil for no bound.
  package var budget: MemoryBudget?
  /// Changes just committed, for the jobs that read them next; nil to hand on through files only.
  package var changes: ChangeCache?
  /// Tags are published as partitions here; nil for a warehouse without one.
  package var metastore: Metastore?
  /// `table.local-time-zone`.
  package var zone: SessionZone
  /// The project's: paths of connectors are relative to it.
  package var folder: String
  /// Tables that the project's jobs write and look up: see ``SourcePlay``.
  var lookedUp: Set<TableName> = []
  /// Jobs that write a target outside which others of the project write as well.
  var sharedTargets: Set<String> = []
  var connectors = ConnectorDoor()
  /// So much change of state is committed before its time has come, while the next slice is taken.
  var stateBytes = 64 << 20

  package init(
    warehouse: OpenWarehouse, budget: MemoryBudget? = nil, changes: ChangeCache? = nil,
    metastore: Metastore? = nil, zone: SessionZone = .utc, folder: String = "."
  ) {
    self.warehouse = warehouse
    self.budget = budget
    self.changes = changes
    self.metastore = metastore
    self.zone = zone
    self.folder = folder
  }
}

/// How much one epoch may take from its sources. It takes at least one batch, and a whole snapshot of a
/// source table unless that is much larger.
package struct EpochLimits: Sendable {
  package var rows: Int
  package var bytes: Int
  /// No more is taken after this long.
  package var millis: Int64

  package init(rows: Int = 1 << 18, bytes: Int = 64 << 20, millis: Int64 = 1000) {
    self.rows = rows
    self.bytes = bytes
    self.millis = millis
  }
}

package enum EpochOutcome: Sendable {
  /// There is nothing to do now.
  case idle
  /// Something was taken, or a tag was made: there may be more.
  case committed(EpochReport)
  /// After ``Job/stopAtPresent()``: everything there was is committed.
  case drained
  /// A source has other columns from here on. All before is committed; the job gives nothing more, and is to
  /// be made anew by a spec that fits.
  case drifted(reference: String, SchemaDrift)
}

/// What an epoch did.
package struct EpochReport: Sendable {
  package var epoch: Int64 = 0
  /// The target's newest snapshot; nil while positions only wait to be committed.
  package var snapshot: Int64?
  package var rowsIn = 0
  package var rowsOut = 0
  package var millis: Int64 = 0
  package var bytesRead = 0
  package var bytesWritten = 0
  /// Tags made at the end of it.
  package var tags: [String] = []
}

extension JobSpec {
  /// Jobs that write one target outside together.
  static func sharingTargets(_ jobs: [JobSpec]) -> Set<String> {
    var writers: [[String?]: [String]] = [:]
    for job in jobs {
      guard case .connector(let table) = job.target else { continue }
      let place = ["connector", "url", "table-name"].map { table.options[$0] }
      writers[place, default: []].append(job.name)
    }
    return Set(writers.values.filter { $0.count > 1 }.joined())
  }

  /// `table.local-time-zone` as the head of the spec sets it, else the project's: what its expressions are
  /// computed in. Tags go by the project's, so that all tables have the same.
  func zone(_ environment: JobEnvironment) -> SessionZone {
    settings["table.local-time-zone"].flatMap { SessionZone($0) } ?? environment.zone
  }
}
