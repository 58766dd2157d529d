package import Connectors
package import Formats

/// What `status` shows of a job; counted since the process began, unless said otherwise.
package struct JobCounters: Hashable, Sendable {
  package struct Source: Hashable, Sendable {
    /// Records taken, and those that were taken before and had to be read again after a restart.
    package var rows: Int64 = 0
    package var reread: Int64 = 0
    /// Records that were no rows and were passed over, as the source's options say.
    package var skipped: Int64 = 0
    /// What is known to be there and not yet taken, in `backlogUnit`.
    package var backlog: Int64?
    package var backlogUnit = ""
    /// As the root says it.
    package var position = ""
    /// The event time up to which it has come, milliseconds since 1970.
    package var watermark: Int64?
    /// The table plays the state of a join: it is looked up, and the job keeps none of that side.
    package var plays = false
  }

  package var epoch: Int64 = 0
  package var snapshot: Int64?
  package var commits = 0
  package var rowsIn: Int64 = 0
  package var rowsOut: Int64 = 0
  /// Since the job began, in whatever process.
  package var deadLetters: Int64 = 0
  /// Of the epochs.
  package var bytesRead: Int64 = 0
  package var bytesWritten: Int64 = 0
  /// Of compactions in the background.
  package var compactionRead: Int64 = 0
  package var compactionWritten: Int64 = 0
  /// Of the last epoch that took something.
  package var lastRowsIn = 0
  package var lastRowsOut = 0
  package var lastBytesRead = 0
  package var lastBytesWritten = 0
  package var lastMillis: Int64 = 0
  /// When the last commit was made, milliseconds since 1970.
  package var lastCommitMillis: Int64?
  package var stateBytes = 0
  package var lastTag: String?
  /// Why nothing is taken: a source is waited for.
  package var waiting: String?
  /// Records whose event time came after their window had passed, and were dropped.
  package var lateRows = 0
  package var lastError: String?
  /// Why a source gives nothing now, or the whole job is tried again: since when, and until when.
  package var trouble: SourceTrouble?
  package var sources: [String: Source] = [:]

  package init() {}

  package var json: JSONValue {
    let sources = self.sources.sorted { $0.key < $1.key }.map { name, source in
      JSONValue.Member(
        name,
        .members([
          ("rows", .int(source.rows)), ("reread", .int(source.reread)),
          ("skipped", .int(source.skipped)),
          ("backlog", source.backlog.map { .int($0) }),
          ("backlogUnit", source.backlog.map { _ in .string(source.backlogUnit) }),
          ("position", .string(source.position)),
          ("watermark", source.watermark.map { .int($0) }),
          ("playsState", source.plays ? .bool(true) : nil),
        ]))
    }
    return .members([
      ("epoch", .int(epoch)), ("snapshot", snapshot.map { .int($0) }),
      ("commits", .int(Int64(commits))), ("rowsIn", .int(rowsIn)), ("rowsOut", .int(rowsOut)),
      ("deadLetters", .int(deadLetters)), ("bytesRead", .int(bytesRead)),
      ("bytesWritten", .int(bytesWritten)),
      (
        "compaction",
        .members([
          ("bytesRead", .int(compactionRead)), ("bytesWritten", .int(compactionWritten)),
        ])
      ),
      (
        "lastEpoch",
        .members([
          ("rowsIn", .int(Int64(lastRowsIn))), ("rowsOut", .int(Int64(lastRowsOut))),
          ("bytesRead", .int(Int64(lastBytesRead))),
          ("bytesWritten", .int(Int64(lastBytesWritten))), ("millis", .int(lastMillis)),
        ])
      ),
      ("lastCommitMillis", lastCommitMillis.map { .int($0) }),
      ("stateBytes", .int(Int64(stateBytes))), ("lastTag", lastTag.map { .string($0) }),
      ("waiting", waiting.map { .string($0) }), ("lateRows", .int(Int64(lateRows))),
      ("lastError", lastError.map { .string($0) }),
      (
        "trouble",
        trouble.map {
          .members([
            ("since", JSONValue(millis: $0.sinceMillis)),
            ("nextTry", $0.nextMillis.map { JSONValue(millis: $0) }),
          ])
        }
      ), ("sources", .object(sources)),
    ])
  }
}
