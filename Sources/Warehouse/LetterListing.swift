package import Columns
import Connectors
package import Formats
import Store

/// How many records of a job are put aside, why, and a few of them.
package struct LetterSummary: Sendable {
  package struct Reason: Sendable {
    package var source: String
    package var reason: String
    package var count: Int
    /// The newest of them.
    package var place: String
    package var sample: String
    package var millis: Int64
  }

  package var count: Int
  package var reasons: [Reason]
  /// Letters that are looked at for reasons; there may be more.
  static let scanLimit = 100_000

  /// Nil when there are none.
  package init?(_ job: String, _ warehouse: OpenWarehouse) throws(TerraceError) {
    let letters = try DeadLetters.stored(job, warehouse, limit: Self.scanLimit)
    if letters.isEmpty { return nil }
    count = letters.count
    var found: [String: Reason] = [:]
    for letter in letters {
      let reason = Self.kind(letter.reason)
      let key = letter.source + "\n" + reason
      var entry =
        found[key]
        ?? Reason(
          source: letter.source, reason: reason, count: 0, place: "", sample: "", millis: 0)
      entry.count += 1
      entry.place = letter.place
      entry.sample = LetterText.text(letter.bytes, limit: 120)
      entry.millis = letter.millis
      found[key] = entry
    }
    reasons = found.values.sorted { ($1.count, $0.reason) < ($0.count, $1.reason) }
  }

  /// The reason without the place in the record and what stands there.
  private static func kind(_ reason: String) -> String {
    var end = reason.endIndex
    for mark in [", column ", ", near ", ", field "] {
      if let found = reason.firstRange(of: mark) { end = min(end, found.lowerBound) }
    }
    return String(reason[..<end])
  }

  package var json: JSONValue {
    .members([
      ("count", .int(Int64(count))),
      (
        "reasons",
        .array(
          reasons.prefix(20).map { reason in
            .members([
              ("source", .string(reason.source)), ("reason", .string(reason.reason)),
              ("count", .int(Int64(reason.count))),
              (
                "sample",
                .members([
                  ("place", .string(reason.place)), ("text", .string(reason.sample)),
                  ("time", JSONValue(millis: reason.millis)),
                ])
              ),
            ])
          })
      ),
    ])
  }

  /// A line a reason, for people.
  package var lines: [String] {
    reasons.prefix(3).map {
      "\($0.count) × \($0.reason), at last \($0.place): \($0.sample)"
    }
  }
}

/// Bytes of a record as a person reads them.
enum LetterText {
  /// On one line; what is no text is shown in hexadecimal.
  static func text(_ bytes: [UInt8], limit: Int) -> String {
    let part = Array(bytes.prefix(limit))
    var text: String
    let isText = part.withUnsafeBytes { UTF8Text.isValid($0) } || bytes.count > limit
    if isText, !part.contains(0) {
      text = DisplayText.oneLine(String(decoding: part, as: UTF8.self))
    } else {
      let digits = Array("0123456789abcdef")
      text = "0x" + part.map { "\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined()
    }
    if bytes.count > limit { text += "…" }
    return text
  }
}

/// The records of a project that could not be read, and reading them again.
package struct LetterBox {
  private let open: OpenProject
  private let project: Project

  package init(_ open: OpenProject, _ project: Project) {
    self.open = open
    self.project = project
  }

  /// The job's name for a table's name, as the command has it.
  private func job(_ name: String) throws(TerraceError) -> JobSpec {
    if let job = project.jobs.first(where: { $0.name == name }) { return job }
    throw TerraceError(
      .notFound, "job \(name)",
      hint: NearestName.hint(name, among: project.jobs.map(\.name), else: "there are "))
  }

  /// All jobs with letters: a row a source and reason.
  package func overview() throws(TerraceError) -> Listing {
    var listing = Listing("table", "source", "reason", "count", "last", "place", "sample")
    for job in project.jobs {
      guard let summary = try LetterSummary(job.name, open.warehouse) else { continue }
      for reason in summary.reasons {
        listing.add(
          .string(job.name), .string(reason.source), .string(reason.reason),
          .int(Int64(reason.count)), JSONValue(millis: reason.millis), .string(reason.place),
          .string(reason.sample))
      }
    }
    return listing
  }

  /// The letters of one table, the oldest first.
  ///
  /// - Parameter limit: 0: all.
  package func list(
    _ name: String, limit: Int, isWhole: Bool
  ) throws(TerraceError) -> Listing {
    _ = try job(name)
    var listing = Listing("id", "time", "source", "place", "reason", "record")
    let letters = try DeadLetters.stored(
      name, open.warehouse, limit: limit == 0 ? .max : limit)
    for letter in letters {
      listing.add(
        .int(letter.id), JSONValue(millis: letter.millis), .string(letter.source),
        .string(letter.place), .string(letter.reason),
        .string(LetterText.text(letter.bytes, limit: isWhole ? 1 << 20 : 100)))
    }
    return listing
  }

  package struct Outcome {
    /// Letters that would be rows now, that are passed over now, and that are still refused.
    package var rows = 0
    package var passed = 0
    package var refused = 0
    package var reasons: [String: Int] = [:]
  }

  /// What today's specs make of the letters of a table.
  package func tryOut(_ name: String) throws(TerraceError) -> Outcome {
    let spec = try job(name)
    var outcome = Outcome()
    var decoders: [String: any LetterDecoder] = [:]
    for letter in try DeadLetters.stored(name, open.warehouse) {
      if decoders[letter.source] == nil {
        guard let table = Self.connector(letter.source, spec) else {
          outcome.refused += 1
          outcome.reasons["the source \(letter.source) is no more", default: 0] += 1
          continue
        }
        decoders[letter.source] = try Connectors.letterDecoder(
          table, open.warehouse.environment)
      }
      switch try decoders[letter.source]?.decode(letter.letter, keepsKey: letter.keepsKey) {
      case .rows(let rows, _)?:
        if rows.count > 0 { outcome.rows += 1 } else { outcome.passed += 1 }
      case .refused(let reason)?:
        outcome.refused += 1
        outcome.reasons[reason, default: 0] += 1
      case nil: break
      }
    }
    return outcome
  }

  /// The table of a source, whose name may have a number behind it.
  private static func connector(_ source: String, _ spec: JobSpec) -> ConnectorTable? {
    for (name, found) in spec.sources {
      guard case .connector(let table) = found else { continue }
      if name == source || source.hasPrefix(name + " #") { return table }
    }
    return nil
  }

  /// Asks the job to take the letters that are rows now; it does so at the end of an epoch, or when it runs
  /// next. Each is taken once.
  package func request(_ name: String) throws(TerraceError) {
    let spec = try job(name)
    // What cannot be read again is refused now, and not when the job runs.
    for case .connector(let table) in spec.sources.values {
      _ = try Connectors.letterDecoder(table, open.warehouse.environment)
    }
    _ = try ReplayRequest.write(name, folder: open.folder, open.warehouse.environment)
  }

  package var isRunning: Bool { ProjectLock.holder(open.lockFile) != nil }
}
