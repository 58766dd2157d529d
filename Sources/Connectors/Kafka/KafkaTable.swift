import Columns
import Formats
import Store

/// The topics of a source.
enum KafkaTopics {
  case names([String])
  case pattern(NamePattern)
}

/// A table of messages: its options, checked.
struct KafkaTable {
  enum Purpose { case source, sink, style }

  let table: ConnectorTable
  let properties: KafkaProperties
  let isUpsert: Bool
  let topics: KafkaTopics
  let start: KafkaPlace
  let bound: KafkaPlace
  let discoveryMillis: Int64
  let style: ChangeStyle
  /// Of a source.
  let decoder: MessageDecoder?
  /// Of a sink.
  let encoder: MessageEncoder?
  let delivery: KafkaDelivery
  let notices: [String]

  static let names = ["kafka", "kafka-0.11", "kafka-0.10", "universal"]
  static let upsertName = "upsert-kafka"
  static func isKafka(_ name: String) -> Bool { names.contains(name) || name == upsertName }

  /// - Throws: `invalid` and `unsupported`, with the fact `option`.
  init(_ given: ConnectorTable, _ purpose: Purpose) throws(TerraceError) {
    table = purpose == .sink ? given.written : given
    var options = ConnectorOptions(table)
    isUpsert = table.options["connector"] == Self.upsertName
    properties = try KafkaProperties(&options)
    topics = try Self.topics(&options)
    start = isUpsert ? KafkaPlace(mode: .earliest) : try KafkaPlace.start(&options)
    bound = try KafkaPlace.bound(&options)
    discoveryMillis =
      try options.duration("scan.topic-partition-discovery.interval")
      ?? properties.discoveryMillis ?? 300_000
    delivery = try KafkaDelivery(&options, isUpsert: isUpsert)
    let remarks = try Self.watermarks(&options)
    notices = properties.notices + remarks
    let layout = try MessageLayout(&options, isUpsert: isUpsert)
    style = layout.style(table)
    decoder = purpose == .source ? try MessageDecoder(&options, isUpsert: isUpsert) : nil
    encoder = purpose == .sink ? try MessageEncoder(&options, isUpsert: isUpsert) : nil
    try options.finish()
    try KafkaMetadata.check(table, isSink: purpose == .sink)
    if case .inserts = style, !table.primaryKey.isEmpty {
      throw TerraceError(
        .invalid,
        "a kafka table of format '\(layout.value.kind.rawValue)' cannot have a PRIMARY KEY",
        hint: "use 'connector' = 'upsert-kafka', or a format of changes such as debezium-json"
      ).with("table", table.name)
    }
    if purpose != .sink, start.mode == .group || bound.mode == .group, properties.group == nil {
      throw options.missing(
        "properties.group.id", "the mode 'group-offsets', which is the default,")
    }
    try checkOffsets()
    do throws(TerraceError) { try KafkaClient.check(properties.settings) } catch {
      throw error.with("table", table.name)
    }
    if delivery.guarantee == .exactlyOnce { try checkTransactions() }
    if purpose == .sink, case .names(let names) = topics, names.count == 1 { return }
    if purpose == .sink {
      throw TerraceError(.invalid, "a sink writes to one topic: the option 'topic'")
        .with("table", table.name)
    }
  }

  /// - Throws: `invalid` for what would make transactions worthless.
  private func checkTransactions() throws(TerraceError) {
    for (name, wanted) in [("acks", ["all", "-1"]), ("enable.idempotence", ["true"])] {
      guard let value = properties.settings.first(where: { $0.name == name })?.value,
        !wanted.contains(value.lowercased())
      else { continue }
      throw TerraceError(
        .invalid, "transactions need '\(name)' = '\(wanted[0])'", hint: "leave it out"
      )
      .with("table", table.name).with("option", KafkaProperties.prefix + name)
    }
  }

  /// Offsets have numbers of partitions, not names of topics.
  private func checkOffsets() throws(TerraceError) {
    if case .names(let names) = topics, names.count == 1 { return }
    for (place, option) in [(start, "scan.startup.mode"), (bound, "scan.bounded.mode")] {
      guard case .offsets = place.mode else { continue }
      throw TerraceError(.invalid, "'\(option)' = 'specific-offsets' is for one topic")
        .with("table", table.name).with("option", option)
    }
  }

  /// Options about watermarks and threads: some are the job's, some mean nothing here.
  private static func watermarks(
    _ options: inout ConnectorOptions
  ) throws(TerraceError) -> [String] {
    for name in ["scan.parallelism", "sink.parallelism", "scan.watermark.emit.on-event.gap"] {
      try options.parallelism(name)
    }
    _ = try options.choice("scan.watermark.emit.strategy", ["on-periodic", "on-event"])
    _ = try options.duration("scan.watermark.idle-timeout")
    options.allow(["property-version"])
    let table = options.table
    let alignment = table.options.keys.filter { $0.hasPrefix("scan.watermark.alignment.") }
    options.allow(Array(alignment))
    if alignment.isEmpty { return [] }
    return [
      "\(table.name): scan.watermark.alignment.* has no effect: a job takes its sources in turns, "
        + "in epochs of bounded size, so that none runs far ahead"
    ]
  }

  private static func topics(_ options: inout ConnectorOptions) throws(TerraceError) -> KafkaTopics
  {
    let (names, pattern) = (options.text("topic"), options.text("topic-pattern"))
    switch (names, pattern) {
    case (let names?, nil):
      let list = names.split(separator: ";").map(\.trimmed).filter { !$0.isEmpty }
      if list.isEmpty { throw options.wrong("topic", "names of topics") }
      for name in list where !isTopic(name) {
        throw TerraceError(
          .invalid, "no name of a topic",
          hint: "up to 249 of the letters a-z, A-Z, digits, '.', '_' and '-'"
        ).with("table", options.table.name).with("topic", name)
      }
      return .names(Array(Set(list)).sorted())
    case (nil, let pattern?):
      return .pattern(try NamePattern(pattern, option: "topic-pattern"))
    default:
      throw TerraceError(
        .invalid,
        names == nil
          ? "the option 'topic' is missing"
          : "'topic' and 'topic-pattern' cannot both be set"
      ).with("table", options.table.name).with("option", "topic")
    }
  }

  /// Kafka's own rule.
  static func isTopic(_ name: String) -> Bool {
    if name.isEmpty || name.utf8.count > 249 || name == "." || name == ".." { return false }
    return name.utf8.allSatisfy {
      ($0 >= 0x30 && $0 <= 0x39) || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7a) || $0 == 0x2e
        || $0 == 0x5f || $0 == 0x2d
    }
  }
}
