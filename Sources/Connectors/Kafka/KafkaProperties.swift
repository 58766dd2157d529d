import Columns
import Store

/// The options `properties.*`: the Java client's names, as librdkafka calls them.
///
/// Names that both have are passed through; what means nothing here is left out; what would weaken what the
/// user asked for, or cannot be done, is refused with the reason.
struct KafkaProperties {
  /// For librdkafka, in the order of their names.
  private(set) var settings: [(name: String, value: String)] = []
  /// `max.poll.records`: the most records of one poll.
  private(set) var maxPollRecords: Int?
  /// `auto.offset.reset`: earliest, latest or none.
  private(set) var reset: String?
  private(set) var group: String?
  private(set) var servers = ""
  /// False when `commit.offsets.on.checkpoint` says so.
  private(set) var commitsOffsets = true
  private(set) var discoveryMillis: Int64?
  private(set) var isolation: String?
  /// Settings that a person should know of.
  private(set) var notices: [String] = []

  static let prefix = "properties."

  /// Means nothing here: classes of Java, the group's own choice of members.
  private static let ignored: Set<String> = [
    "key.deserializer", "value.deserializer", "key.serializer", "value.serializer",
    "partition.assignment.strategy", "enable.auto.commit", "auto.commit.interval.ms",
    "default.api.timeout.ms", "max.block.ms", "metrics.num.samples", "metrics.recording.level",
    "metrics.sample.window.ms", "metric.reporters", "auto.include.jmx.reporter",
    "register.consumer.metrics", "register.producer.metrics", "client.id.prefix",
    "exclude.internal.topics", "metadata.max.idle.ms", "security.providers",
    "sasl.login.refresh.window.factor", "sasl.login.refresh.window.jitter",
    "sasl.login.refresh.min.period.seconds", "sasl.login.refresh.buffer.seconds",
    "ssl.secure.random.implementation", "ssl.trustmanager.algorithm", "ssl.provider",
    "ssl.keymanager.algorithm", "zookeeper.connect", "group.instance.id",
    "internal.leave.group.on.close", "client.dns.lookup", "enable.metrics.push", "group.protocol",
    "metadata.recovery.strategy", "metadata.recovery.rebootstrap.trigger.ms",
    "socket.connection.setup.timeout.max.ms", "retry.backoff.max.ms",
    "partitioner.adaptive.partitioning.enable", "partitioner.availability.timeout.ms",
  ]

  private static let renamed = [
    "max.request.size": "message.max.bytes", "fetch.max.wait.ms": "fetch.wait.max.ms",
    "receive.buffer.bytes": "socket.receive.buffer.bytes",
    "send.buffer.bytes": "socket.send.buffer.bytes", "sasl.mechanism": "sasl.mechanisms",
    "ssl.truststore.certificates": "ssl.ca.pem", "ssl.keystore.key": "ssl.key.pem",
    "ssl.keystore.certificate.chain": "ssl.certificate.pem",
    "ssl.cipher.suites": "ssl.cipher.suites",
    "socket.connection.setup.timeout.ms": "socket.connection.setup.timeout.ms",
  ]

  private static let refused = [
    "interceptor.classes": "there are no Java classes here",
    "transactional.id": "set 'sink.transactional-id-prefix'",
    "partitioner.class": "set 'sink.partitioner'",
    "ssl.engine.factory.class": "there are no Java classes here",
    "sasl.login.class": "there are no Java classes here",
    "sasl.client.callback.handler.class": "there are no Java classes here",
    "sasl.login.callback.handler.class": "there are no Java classes here",
    "ssl.protocol": "TLS 1.2 and newer are used",
    "ssl.enabled.protocols": "TLS 1.2 and newer are used",
  ]

  /// Takes all options that begin with `properties.`.
  ///
  /// - Throws: `invalid` and `unsupported`, with the fact `option`.
  init(_ options: inout ConnectorOptions) throws(TerraceError) {
    let table = options.table
    let names = table.options.keys.filter { $0.hasPrefix(Self.prefix) }.sorted()
    options.allow(names)
    var java: [String: String] = [:]
    for name in names { java[String(name.dropFirst(Self.prefix.count))] = table.options[name] }
    guard let servers = java["bootstrap.servers"], !servers.trimmed.isEmpty else {
      throw TerraceError(.invalid, "the option 'properties.bootstrap.servers' is missing")
        .with("table", table.name).with("option", "properties.bootstrap.servers")
    }
    self.servers = servers
    var taken: [String: String] = [:]
    for (name, value) in java.sorted(by: { $0.key < $1.key }) {
      do throws(TerraceError) {
        try take(name, value, &taken)
      } catch {
        throw error.with("table", table.name).with("option", Self.prefix + name)
      }
    }
    do throws(TerraceError) {
      try KafkaSecurity.translate(java, &taken, &notices)
    } catch { throw error.with("table", table.name) }
    settings = taken.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  private mutating func take(
    _ name: String, _ value: String, _ out: inout [String: String]
  ) throws(TerraceError) {
    if KafkaSecurity.names.contains(name) || Self.ignored.contains(name) { return }
    if let why = Self.refused[name] {
      throw TerraceError(.unsupported, "the Kafka property \(name)", hint: why)
    }
    func number() throws(TerraceError) -> Int64 {
      guard let number = Int64(value.trimmed), number >= 0 else {
        throw TerraceError(.invalid, "the property '\(name)' takes a whole number")
          .with("value", value)
      }
      return number
    }
    switch name {
    case "max.poll.records":
      let records = try number()
      if records == 0 || records > 1 << 30 {
        throw TerraceError(.invalid, "'max.poll.records' is at least 1").with("value", value)
      }
      maxPollRecords = Int(records)
    case "auto.offset.reset":
      let word = value.trimmed.lowercased()
      guard ["earliest", "latest", "none"].contains(word) else {
        throw TerraceError(.invalid, "'auto.offset.reset' takes earliest, latest, none")
          .with("value", value)
      }
      reset = word
    case "buffer.memory": out["queue.buffering.max.kbytes"] = String(max(1, try number() / 1024))
    case "commit.offsets.on.checkpoint": commitsOffsets = value.trimmed.lowercased() != "false"
    case "partition.discovery.interval.ms", "flink.partition-discovery.interval-millis":
      discoveryMillis = Int64(value.trimmed) ?? 0
    case "isolation.level":
      isolation = value.trimmed.lowercased()
      out[name] = isolation
    case "acks":
      let word = value.trimmed.lowercased()
      guard ["all", "-1", "0", "1"].contains(word) else {
        throw TerraceError(.invalid, "the Kafka property 'acks' takes all, -1, 0, 1")
          .with("value", value)
      }
      out[name] = word
    case "compression.gzip.level", "compression.lz4.level", "compression.zstd.level":
      // One option has the level of whatever is used.
      out["compression.level"] = String(try number())
    default:
      if name == "group.id" { group = value }
      out[Self.renamed[name] ?? name] = value
    }
  }
}
