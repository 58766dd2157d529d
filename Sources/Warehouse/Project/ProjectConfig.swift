package import Columns
package import Dataflow
import Glibc
import Store

/// What `terrace.conf` says: flat `key: value` lines under Flink's names.
package struct ProjectConfig: Sendable {
  /// All keys that are known or belong to a known family, in the text's order of last mention.
  package let values: [String: String]
  /// What a person should know: unknown keys, settings of a cluster that have no meaning here.
  package let warnings: [String]

  /// Of the environment, for `${NAME}` in specs.
  let variables: [String: String]

  package static let fileName = "terrace.conf"
  private static let byteCountMax = 1 << 20

  /// - Parameter variables: of the environment, for `${NAME}`; values made of them are never printed.
  /// - Throws: `invalid` with file, line and column.
  package init(text: String, file: String, variables: [String: String]) throws(TerraceError) {
    var values: [String: String] = [:]
    var warnings: [String] = []
    for (index, raw) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let line = raw.trimmed
      if line.isEmpty || line.hasPrefix("#") { continue }
      func wrong(_ message: String, hint: String = "") -> TerraceError {
        TerraceError(.invalid, message, hint: hint).with("source", file).with("line", index + 1)
          .with("column", 1).with("text", String(raw)).with("length", line.unicodeScalars.count)
      }
      guard let colon = line.firstIndex(of: ":"), colon != line.startIndex else {
        throw wrong("a line is “key: value”")
      }
      let key = line[..<colon].trimmed
      var value = line[line.index(after: colon)...].trimmed
      if let comment = value.firstRange(of: " #") { value = value[..<comment.lowerBound].trimmed }
      for mark in ["\"", "'"]
      where value.count >= 2 && value.hasPrefix(mark) && value.hasSuffix(mark) {
        value = String(value.dropFirst().dropLast())
      }
      if values[key] != nil { throw wrong("'\(key)' is set twice") }
      let expanded = try ProjectConfig.expanded(value, variables) { wrong($0, hint: $1) }
      switch ProjectKeys.kind(of: key, expanded) {
      case .known: break
      case .ignored(let why): warnings.append("\(file):\(index + 1): \(key) has no effect: \(why)")
      case .refused(let why):
        throw wrong("not supported: \(key) = \(value)", hint: why)
      case .wrong(let wanted): throw wrong("'\(key)' takes \(wanted)")
      case .unknown:
        let hint = NearestName.hint(key, among: ProjectKeys.known) ?? ""
        warnings.append(
          "\(file):\(index + 1): unknown key '\(key)'" + (hint.isEmpty ? "" : "; " + hint))
      }
      values[key] = expanded
    }
    self.variables = variables
    self.values = values
    self.warnings = warnings
  }

  /// A connector's option: what says which records there are is put in now; other references stay until
  /// the table is opened, so that no plan holds a secret, and one of a variable that is not set stops its job
  /// alone. Those to files are not opened here.
  static func reference(
    _ key: String, _ value: String, _ variables: [String: String],
    _ wrong: (String, String) -> TerraceError
  ) throws(TerraceError) -> String {
    if Redaction.isSecret(key) { Redaction.note(value) }
    return try replaced(value, wrong) { (name, whole) throws(TerraceError) in
      if name.hasPrefix("file:") { return whole }
      return PlanIdentity.identifying.contains(key)
        ? try expanded(whole, variables, wrong) : "${env:\(variable(name))}"
    }
  }

  static func expanded(
    _ value: String, _ variables: [String: String],
    _ wrong: (String, String) -> TerraceError
  ) throws(TerraceError) -> String {
    try replaced(value, wrong) { (name, _) throws(TerraceError) in
      guard let found = variables[variable(name)] else {
        throw wrong(
          "the environment has no variable \(variable(name))", "set it before the command"
        ).with("variable", variable(name))
      }
      return found
    }
  }

  /// Variables of the environment that a text names and that are not set.
  static func unset(in value: String, _ variables: [String: String]) -> [String] {
    value.matches(of: /\$\{env:([^}]*)\}/).map { String($0.1) }.filter { variables[$0] == nil }
  }

  private static func variable(_ name: Substring) -> String {
    String(name.hasPrefix("env:") ? name.dropFirst(4) : name)
  }

  /// The text with something else where `${NAME}` stands.
  ///
  /// - Parameter put: gets the name and the whole reference.
  private static func replaced(
    _ value: String, _ wrong: (String, String) -> TerraceError,
    _ put: (_ name: Substring, _ whole: String) throws(TerraceError) -> String
  ) throws(TerraceError) -> String {
    var out = ""
    var rest = value[...]
    while let start = rest.firstRange(of: "${") {
      out += rest[..<start.lowerBound]
      guard let end = rest[start.upperBound...].firstIndex(of: "}") else {
        throw wrong("'${' without '}'", "")
      }
      out += try put(rest[start.upperBound..<end], String(rest[start.lowerBound...end]))
      rest = rest[rest.index(after: end)...]
    }
    return out + rest
  }

  /// Reads the file of a project; a project without one has the defaults.
  static func read(
    folder: String, _ environment: Environment, variables: [String: String]
  ) throws(TerraceError) -> ProjectConfig {
    let file = folder + "/" + fileName
    guard let bytes = try environment.files.readSmall(file, limit: byteCountMax) else {
      return try ProjectConfig(text: "", file: fileName, variables: variables)
    }
    return try ProjectConfig(
      text: String(decoding: bytes, as: UTF8.self), file: fileName, variables: variables)
  }

  // MARK: Values

  /// Layers from the lowest up.
  package var layers: [String] {
    get throws(TerraceError) {
      let text = values["layers"] ?? "ods, dwd, dws, ads"
      let names = text.split(separator: ",").map(\.trimmed)
      for name in names { try TableName.check(name, "layer") }
      return names
    }
  }

  /// What the value of `layers` should be, if it is not.
  fileprivate static func layersProblem(_ value: String) -> String? {
    let names = value.split(separator: ",").map(\.trimmed)
    if names.isEmpty { return "names of folders from the lowest layer up, such as ods, dwd, ads" }
    for (index, name) in names.enumerated() {
      if names[..<index].contains(name) { return "each layer once; '\(name)' stands there twice" }
      if name.hasPrefix("_") { return "names without a '_' before them; '\(name)' has one" }
    }
    return nil
  }

  /// What a Flink cluster would have had for a process, too.
  fileprivate static let memoryKeys = [
    "memory.limit", "taskmanager.memory.process.size", "taskmanager.memory.flink.size",
  ]
  fileprivate static let memoryBytesMin = 64 << 20

  package var memoryLimitBytes: Int {
    get throws(TerraceError) {
      guard let name = ProjectConfig.memoryKeys.first(where: { values[$0] != nil }) else {
        return 1 << 30
      }
      return try TableOptions(values).bytes(name) ?? 1 << 30
    }
  }

  package var zone: SessionZone {
    get throws(TerraceError) {
      guard let name = values["table.local-time-zone"], name != "default" else { return .utc }
      guard let zone = SessionZone(name) else {
        throw TerraceError(.invalid, "table.local-time-zone names no time zone").with("value", name)
      }
      return zone
    }
  }
}

/// Which keys of `terrace.conf` mean something, and what those of a Flink cluster mean here.
enum ProjectKeys {
  enum Kind {
    case known, unknown
    case ignored(String)
    case refused(String)
    /// What the value should be.
    case wrong(String)
  }

  static let known = [
    SourcePlay.option, "layers", "warehouse", "catalog.uri", "memory.limit",
    "tag.alignment-timeout", "handing-on",
    "table.local-time-zone", "execution.checkpointing.interval", "execution.checkpointing.mode",
    "table.exec.state.ttl", "table.exec.source.cdc-events-duplicate",
    "table.exec.source.idle-timeout", "execution.runtime-mode",
    "execution.checkpointing.min-pause", "taskmanager.memory.process.size",
    "taskmanager.memory.flink.size", "restart-strategy", "restart-strategy.type",
    "restart-strategy.fixed-delay.attempts", "restart-strategy.fixed-delay.delay",
    "restart-strategy.exponential-delay.initial-backoff",
    "restart-strategy.exponential-delay.max-backoff",
    "restart-strategy.exponential-delay.backoff-multiplier",
    "restart-strategy.exponential-delay.attempts-before-reset-backoff",
    "restart-strategy.failure-rate.delay", "restart-strategy.failure-rate.failure-rate-interval",
    "restart-strategy.failure-rate.max-failures-per-interval",
  ]

  private static let durations = [
    "execution.checkpointing.interval", "execution.checkpointing.min-pause",
    "table.exec.source.idle-timeout", "tag.alignment-timeout",
  ]

  /// Options of tables that the configuration gives all tables which do not set them.
  static let tableDefaults = ["tag.alignment-timeout"]

  /// Settings that tune a cluster: nothing here needs them.
  private static let cluster: [(prefix: String, why: String)] = [
    ("taskmanager.memory.", "memory.limit bounds the one process"),
    ("taskmanager.numberOfTaskSlots", "threads are shared; there are no slots"),
    ("taskmanager.", "there are no task managers"),
    ("jobmanager.", "there is no job manager"),
    ("heartbeat.", "there is one process and nothing to lose touch with"),
    ("akka.", "there is no cluster"), ("pekko.", "there is no cluster"),
    ("rest.", "there is no cluster"), ("web.", "there is no cluster"),
    ("slotmanager.", "threads are shared; there are no slots"),
    ("resourcemanager.", "there is no cluster"), ("blob.", "there is no cluster"),
    ("state.", "state lies in tables of the warehouse"),
    (
      "execution.checkpointing.timeout",
      "a commit has no barriers to wait for: it is as long as its epoch's changes"
    ),
    (
      "execution.checkpointing.tolerable-failed-checkpoints",
      "a commit that fails is done again as restart-strategy says"
    ),
    ("execution.checkpointing.", "every commit is one: whole, exactly once and kept"),
    ("restart-strategy.", "the pause grows without chance, and is reset by a commit"),
    ("execution.buffer-timeout", "rows go on in epochs"),
    ("execution.batch.", "the layers are streams"), ("execution.attached", "there is no cluster"),
    ("execution.target", "there is no cluster"), ("classloader.", "there are no Java classes"),
    ("sql-client.", "see “terrace sql --help”"),
    ("table.dml-sync", "“terrace run” runs jobs until it is told to stop"),
    ("pipeline.auto-watermark-interval", "watermarks move with every epoch"),
    ("parallelism.", "the runner shares its threads among the jobs"),
    ("table.exec.", "jobs always do it the exact way"), ("env.", "there is no JVM"),
    ("yarn.", "there is no cluster"),
    ("kubernetes.", "there is no cluster"),
    ("high-availability", "there is one process"), ("metrics.", "see “terrace status -f json”"),
    ("table.exec.mini-batch.", "epochs are mini-batches"),
    ("table.optimizer.", "the planner has no switches"), ("pipeline.", "there is one process"),
    ("cluster.", "there is no cluster"), ("io.", "there is no cluster"),
  ]

  static func kind(of key: String, _ value: String) -> Kind {
    switch (key, value.lowercased()) {
    case ("table.exec.state.ttl", let ttl) where !isZero(ttl):
      return .refused("state is kept as long as its rows; only 0 is understood")
    case ("execution.runtime-mode", "batch"):
      return .refused(
        "the layers are streams; “terrace run --once --end-of-input” ends with the input")
    case ("table.exec.sink.not-null-enforcer", "drop"):
      return .refused("a row with a null where none may be stops the job; filter it in the query")
    case ("table.exec.sink.type-length-enforcer", let way) where way != "ignore":
      return .refused("texts keep their length, whatever their type says; CAST them in the query")
    case ("execution.savepoint.path", _):
      return .refused("there are no savepoints: a job goes on from the newest root of its target")
    case ("table.sql-dialect", let dialect) where dialect != "default":
      return .refused("one dialect is understood: Flink's")
    case ("table.exec.legacy-cast-behaviour", "enabled"):
      return .refused("casts follow SQL; TRY_CAST gives null where they fail")
    case (let name, _) where name.hasPrefix("properties.") || name.hasPrefix("scan."):
      return .refused("it is an option of a table: write it into its WITH (…)")
    case (SourcePlay.option, _) where SourcePlay.strategy([key: value]) == nil:
      return .wrong("AUTO, FORCE or NONE")
    default: break
    }
    if let wanted = wrong(key, value) { return .wrong(wanted) }
    if key == "execution.checkpointing.mode",
      !["exactly_once", "exactly-once", "at_least_once", "at-least-once"]
        .contains(value.lowercased())
    {
      return .wrong("EXACTLY_ONCE (what jobs always are) or AT_LEAST_ONCE (which it includes)")
    }
    if known.contains(key) { return .known }
    for family in cluster where key.hasPrefix(family.prefix) { return .ignored(family.why) }
    return .unknown
  }

  /// What a value should be that is something else.
  private static func wrong(_ key: String, _ value: String) -> String? {
    switch key {
    case _ where durations.contains(key) && OptionValue.durationMillis(value) == nil:
      return "a duration such as 10 s"
    case _
    where ProjectConfig.memoryKeys.contains(key)
      && (OptionValue.memoryBytes(value) ?? 0) < ProjectConfig.memoryBytesMin:
      return "a size of at least 64 mb, such as 1 gb"
    case "table.local-time-zone" where value != "default" && SessionZone(value) == nil:
      return "the name of a time zone such as Asia/Shanghai, or default"
    case "handing-on" where OptionValue.boolean(value) == nil: return "true or false"
    case "layers": return ProjectConfig.layersProblem(value)
    default: return nil
    }
  }

  private static func isZero(_ duration: String) -> Bool {
    duration.prefix { $0 == "0" }.count > 0 && !duration.contains { ("1"..."9").contains($0) }
  }
}
