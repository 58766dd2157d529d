import Columns
import Formats
import Store

/// What a job's snapshot says beside its rows: how far the sources were read, and where the state is.
struct Root {
  /// The period that the job's tags have reached.
  struct Tags {
    /// End instant of the last period that is tagged, here or before.
    var last: Int64?
    /// End instants of the periods that this very snapshot is tagged as.
    var made: [Int64] = []
    /// Sources that had not come this far when the time to wait for them was over.
    var partial: [String] = []
  }

  var job: String
  var fingerprint: String
  var generation: Int64
  var epoch: Int64
  /// Positions up to which the target reflects the sources.
  var sources: [String: JSONValue]
  /// Snapshots of the job's hidden tables; 0 for one without a snapshot.
  var state: [String: Int64] = [:]
  /// Positions that the state reflects; nil: there is no state in tables.
  var stateSources: [String: JSONValue]?
  /// Source tables that play state, by reference.
  var played: Set<String> = []
  var watermarks: [Int64] = []
  var stateWatermarks: [Int64] = []
  var tags: Tags?
  /// How the target's tags follow each other, encoded.
  var schedule: String?
  /// Snapshot of the dead letters' table; nil before the first letter.
  var letters: Int64?
  var letterCount: Int64 = 0
  /// What the sink outside has prepared.
  var prepared: String?
  /// Rows outside that a first read may yet have to take back; nil once it is whole.
  var tentative: TentativeRows.Place?
  /// The next epoch takes away all rows outside before it writes its own.
  var clears = false

  static let prefix = Snapshot.rootPropertyPrefix

  /// The job of a snapshot was started over between it and a later one: its rows are what another query, or
  /// other sources, gave.
  static func isOutlived(_ snapshot: Snapshot, by later: Snapshot) -> Bool {
    guard let job = snapshot.properties?[prefix + "job"], later.properties?[prefix + "job"] == job,
      let old = generation(of: snapshot), let new = generation(of: later)
    else { return false }
    return old < new
  }

  static func generation(of snapshot: Snapshot) -> Int64? {
    snapshot.properties?[prefix + "generation"].flatMap { Int64($0) }
  }

  /// Stands among the state tables where source tables play: binaries that do not know of it then make the
  /// state anew.
  private static let playedMark = "played"

  var properties: [String: String] {
    var found = [
      "job": job, "fingerprint": fingerprint, "generation": String(generation),
      "epoch": String(epoch), "sources": Root.text(sources),
      "watermarks": Root.text(watermarks),
    ]
    if let stateSources {
      var tables = state
      if !played.isEmpty { tables[Root.playedMark] = 0 }
      found["state"] = Root.text(tables.mapValues { .int($0) })
      found["state-sources"] = Root.text(stateSources)
      found["state-watermarks"] = Root.text(stateWatermarks)
    }
    if !played.isEmpty {
      found["played"] = JSONValue.array(played.sorted().map { .string($0) }).text()
    }
    if let tags { found["tags"] = tags.json.text() }
    if let schedule { found["tag-schedule"] = schedule }
    if let letters {
      found["letters"] = String(letters)
      found["letter-count"] = String(letterCount)
    }
    if let prepared { found["prepared"] = prepared }
    if clears { found["clears"] = "true" }
    if let tentative { found["tentative"] = tentative.json.text() }
    return Dictionary(uniqueKeysWithValues: found.map { (Root.prefix + $0.key, $0.value) })
  }

  private static func text(_ members: [String: JSONValue]) -> String {
    JSONValue.object(members.sorted { $0.key < $1.key }.map { JSONValue.Member($0.key, $0.value) })
      .text()
  }

  private static func text(_ numbers: [Int64]) -> String {
    JSONValue.array(numbers.map { .int($0) }).text()
  }
}

extension Root {
  /// Reads a snapshot's root; nil when it has none.
  ///
  /// - Throws: kind `corrupted` for a root that cannot be read.
  init?(_ snapshot: Snapshot) throws(TerraceError) {
    func property(_ name: String) -> String? { snapshot.properties?[Root.prefix + name] }
    guard let job = property("job") else { return nil }
    func json(_ name: String) throws(TerraceError) -> JSONValue? {
      guard let text = property(name) else { return nil }
      do {
        return try parseJSON(Array(text.utf8))
      } catch { throw error.with("property", Root.prefix + name).with("snapshot", snapshot.id) }
    }
    func members(_ name: String) throws(TerraceError) -> [String: JSONValue]? {
      guard let members = try json(name)?.asMembers else { return nil }
      return Dictionary(members.map { ($0.name, $0.value) }) { $1 }
    }
    guard let generation = property("generation").flatMap({ Int64($0) }),
      let epoch = property("epoch").flatMap({ Int64($0) }), let sources = try members("sources")
    else {
      throw TerraceError(.corrupted, "the root of a job is incomplete").with("job", job)
        .with("snapshot", snapshot.id)
    }
    self.init(
      job: job, fingerprint: property("fingerprint") ?? "", generation: generation, epoch: epoch,
      sources: sources)
    watermarks = try json("watermarks")?.asArray?.compactMap(\.asInt) ?? []
    if let stateSources = try members("state-sources") {
      self.stateSources = stateSources
      state = (try members("state") ?? [:]).compactMapValues(\.asInt)
      state[Root.playedMark] = nil
      stateWatermarks = try json("state-watermarks")?.asArray?.compactMap(\.asInt) ?? []
    }
    played = Set(try json("played")?.asArray?.compactMap(\.asString) ?? [])
    tags = try Tags(of: snapshot)
    schedule = property("tag-schedule")
    letters = property("letters").flatMap { Int64($0) }
    letterCount = property("letter-count").flatMap { Int64($0) } ?? 0
    prepared = property("prepared")
    clears = property("clears") == "true"
    tentative = try json("tentative").map { (json) throws(TerraceError) in try .init(json) }
  }
}

extension Root.Tags {
  init(_ json: JSONValue) throws(TerraceError) {
    self.init(
      last: try json.optionalInt("last"),
      made: try json.optionalArray("made")?.compactMap(\.asInt) ?? [],
      partial: json["partial"] == nil ? [] : try json.strings("partial"))
  }

  /// What a snapshot says; nil when it is no root of a job that tags.
  init?(of snapshot: Snapshot) throws(TerraceError) {
    guard let text = snapshot.properties?[Root.prefix + "tags"] else { return nil }
    try self.init(try parseJSON(Array(text.utf8)))
  }

  var json: JSONValue {
    .members([
      ("last", last.map { .int($0) }),
      ("made", made.isEmpty ? nil : .array(made.map { .int($0) })),
      ("partial", partial.isEmpty ? nil : .array(partial.map { .string($0) })),
    ])
  }
}
