package import Connectors
package import Dataflow

/// A streaming job: what to read, what to do with it, and the one table it goes to.
///
/// Made from a layer's spec, without opening anything; several INSERTs into one table are one job, whose
/// plan is the union of theirs.
package struct JobSpec: Sendable {
  package enum Source: Sendable {
    /// A table of the warehouse with the options of its hint (`scan.mode` …).
    case table(TableName, options: [String: String])
    case connector(ConnectorTable)
  }

  package enum Target: Sendable {
    case table(TableName)
    case connector(ConnectorTable)
  }

  /// `dwd.orders`: of the target table, or of the file for targets outside.
  package var name: String
  package var target: Target
  /// Columns of the target, in its order and types.
  package var plan: Plan
  /// Watermarked time columns of the result, of use to `tag.automatic-creation` = `watermark`.
  package var eventTimes: Set<Int>
  /// By ``Dataflow/Plan/Source/reference``.
  package var sources: [String: Source]
  /// Upper bound of the epoch's length, from FRESHNESS or `execution.checkpointing.interval`.
  package var freshnessMillis: Int64?
  /// SET statements of the file over `terrace.conf`.
  package var settings: [String: String]
  /// Changes when plan, sources' identities or target keys change in a way that makes old state wrong.
  package var fingerprint: String
  /// REFRESH_MODE = FULL: the plan is a batch's, run whenever ``freshnessMillis`` have passed.
  package var isRefresh = false
  /// The tables at a server that the target follows.
  package var sync: SyncTable?

  package init(
    name: String, target: Target, plan: Plan, eventTimes: Set<Int> = [],
    sources: [String: Source], freshnessMillis: Int64? = nil, settings: [String: String] = [:],
    fingerprint: String
  ) {
    self.name = name
    self.target = target
    self.plan = plan
    self.eventTimes = eventTimes
    self.sources = sources
    self.freshnessMillis = freshnessMillis
    self.settings = settings
    self.fingerprint = fingerprint
  }
}
