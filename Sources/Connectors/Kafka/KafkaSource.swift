import CKafka
import Columns
import Glibc
import Store

/// Topics of Kafka as a source, read through librdkafka.
///
/// Partitions are assigned by us and not by the group, so nothing is rebalanced; the group's offsets follow
/// behind what is durable here, for people and tools. A batch is of one partition, and the position says the
/// order of the batches: see ``KafkaProgress``.
final class KafkaSource: Source {
  let table: KafkaTable
  private let time: any Timekeeper
  private let rows: KafkaRows
  private var client: KafkaClient?
  private(set) var progress = KafkaProgress()
  private var partitions: [KafkaPartition] = []
  /// The end of each partition, where there is one: bounded tables, `run --once`.
  private var ends: [Int64] = []
  /// Partitions that were read once and were not there when this source was opened.
  private var gone: Set<Int> = []
  private var isRestored = false
  private var isBounded = false
  /// What must come first, in this order: it was given before.
  private var replays: ArraySlice<KafkaProgress.Step> = []
  private var turn = 0
  private var lastDiscovery: Int64 = 0
  private var isDiscoveryTold = false
  private var notices: [String]
  private(set) var trouble: SourceTrouble?
  /// How often servers that are gone are asked whether they are back.
  private static let askMillis: Int64 = 2_000
  private let room = UnsafeMutableBufferPointer<KafkaPartition.Message?>.allocate(
    capacity: KafkaSource.rowsMax)

  private static let rowsMax = 1 << 16
  /// Memory for what was fetched and not taken yet, of all partitions together.
  private static let queueKilobytes = 16 << 10
  /// How long records that were given before may take to come again.
  private static let replayPatienceMillis: Int32 = 60_000

  var type: RowType { table.table.type }
  var style: ChangeStyle { table.style }
  var skipped: Int64 { rows.skipped }

  init(_ table: ConnectorTable, _ environment: Environment) throws(TerraceError) {
    let checked = try KafkaTable(table, .source)
    self.table = checked
    rows = try KafkaRows(checked)
    time = environment.time
    notices = checked.notices
  }

  deinit { room.deallocate() }

  // MARK: Opening

  private func open() throws(TerraceError) -> KafkaClient {
    if let client { return client }
    // How much each partition may hold depends on how many there are.
    let asking = try connect(partitions: 1)
    let found = try asking.partitions(of: table.topics)
    let client = found.count > 1 ? try connect(partitions: found.count) : asking
    if client !== asking { asking.close() }
    self.client = client
    do throws(TerraceError) {
      try begin(found, client)
    } catch {
      close()
      throw error
    }
    lastDiscovery = time.nowMillis()
    return client
  }

  private func connect(partitions: Int) throws(TerraceError) -> KafkaClient {
    var settings: [(name: String, value: String)] = [
      ("client.id", "terrace"), ("group.id", "terrace-\(table.table.name)"),
      ("enable.auto.commit", "false"), ("enable.auto.offset.store", "false"),
      ("auto.offset.reset", "error"), ("enable.partition.eof", "true"),
      ("isolation.level", "read_committed"), ("fetch.wait.max.ms", "100"),
      ("fetch.error.backoff.ms", "100"), ("queued.min.messages", "1000000"),
      (
        "queued.max.messages.kbytes",
        String(max(256, Self.queueKilobytes / max(1, partitions)))
      ), ("topic.metadata.refresh.interval.ms", "30000"),
    ]
    settings += table.properties.settings.filter { !Self.isProducers($0.name) }
    return try KafkaClient(.consumer, settings, servers: table.properties.servers)
  }

  private static func isProducers(_ name: String) -> Bool {
    [
      "acks", "retries", "batch.size", "linger.ms", "queue.buffering.max.kbytes",
      "compression.type", "enable.idempotence", "transaction.timeout.ms",
      "max.in.flight.requests.per.connection", "delivery.timeout.ms", "request.timeout.ms",
    ].contains(name)
  }

  private func begin(
    _ found: [KafkaProgress.Partition], _ client: KafkaClient
  ) throws(TerraceError) {
    let fresh = found.filter { progress.id(of: $0) == nil }
    let place = isRestored ? KafkaPlace(mode: .earliest) : table.start
    let begins = try KafkaOffsets.starts(place, fresh, table, client)
    for (partition, offset) in zip(fresh, begins) { progress.add(partition, at: offset) }
    let known = Set(found)
    for (id, partition) in progress.partitions.enumerated() where !known.contains(partition) {
      gone.insert(id)
      notices.append(
        "\(partition.topic)-\(partition.number) is not there any more; nothing is read of it")
    }
    try attach(client)
    isBounded = table.bound.mode != .unbounded
    if isBounded { try setEnds(table.bound, client) }
  }

  /// Starts to read the partitions that are not read yet.
  private func attach(_ client: KafkaClient) throws(TerraceError) {
    for id in partitions.count..<progress.partitions.count {
      let partition = try KafkaPartition(id, progress.partitions[id], client)
      partitions.append(partition)
      ends.append(.max)
      if !gone.contains(id) { try partition.start(at: progress.next[id]) }
    }
  }

  private func setEnds(_ place: KafkaPlace, _ client: KafkaClient) throws(TerraceError) {
    for id in gone { ends[id] = min(ends[id], progress.next[id]) }
    let there = partitions.indices.filter { !gone.contains($0) }
    let places = there.map { progress.partitions[$0] }
    for (id, end) in zip(there, try KafkaOffsets.ends(place, places, table, client)) {
      // What was read is more than there is: the topic was made anew.
      if place.mode == .latest, end < progress.next[id] {
        let replays = replays.contains { $0.id == id }
        try reset(partitions[id], client, "it ends at \(end)", replays: replays)
      }
      ends[id] = min(ends[id], end)
    }
  }

  private func discover(_ client: KafkaClient) throws(TerraceError) {
    let now = time.nowMillis()
    guard table.discoveryMillis > 0, !isBounded, now - lastDiscovery >= table.discoveryMillis
    else { return }
    lastDiscovery = now
    let found: [KafkaProgress.Partition]
    do throws(TerraceError) { found = try client.partitions(of: table.topics, millis: 500) } catch {
      if !isDiscoveryTold { notices.append("new partitions cannot be looked for: \(error)") }
      isDiscoveryTold = true
      return
    }
    isDiscoveryTold = false
    for id in found.compactMap({ progress.id(of: $0) }) where gone.remove(id) != nil {
      try partitions[id].start(at: progress.next[id])
    }
    let fresh = found.filter { progress.id(of: $0) == nil }
    if fresh.isEmpty { return }
    let begins = try KafkaOffsets.starts(KafkaPlace(mode: .earliest), fresh, table, client)
    for (partition, offset) in zip(fresh, begins) { progress.add(partition, at: offset) }
    let names = fresh.prefix(5).map { "\($0.topic)-\($0.number)" }.joined(separator: ", ")
    notices.append(
      "\(fresh.count) new partition\(fresh.count == 1 ? "" : "s"): \(names)"
        + (fresh.count > 5 ? ", …" : ""))
    try attach(client)
  }

  /// Notes when all servers are gone, and when one is back; librdkafka connects by itself.
  private func lookForServers(_ client: KafkaClient) {
    guard let reason = client.events.silence else {
      trouble = nil
      return
    }
    let now = time.nowMillis()
    let text = "no server of Kafka answers (\(client.servers)): \(reason)"
    guard let known = trouble else {
      trouble = SourceTrouble(text, sinceMillis: now, nextMillis: now + Self.askMillis)
      return
    }
    if let next = known.nextMillis, now < next { return }
    // That nobody answers is what is known already.
    if (try? client.partitions(of: table.topics, millis: 300)) != nil {
      client.events.endSilence()
      trouble = nil
    } else {
      trouble?.nextMillis = now + Self.askMillis
    }
  }

  // MARK: Reading

  func poll(rows count: Int, bytes: Int) throws(TerraceError) -> SourceBatch? {
    let client = try open()
    client.serve()
    try check(client)
    lookForServers(client)
    if replays.isEmpty, trouble == nil { try discover(client) }
    let limit = min(max(count, 1), table.properties.maxPollRecords ?? Self.rowsMax, Self.rowsMax)
    var waits = 0
    while true {
      if let batch = try step(client, limit, min(bytes, 64 << 20)) { return batch }
      if !replays.isEmpty {
        try wait(client, waits)
        waits += 1
        continue
      }
      let expects = partitions.contains {
        !$0.isAtEnd && progress.next[$0.id] < ends[$0.id]
      }
      if !expects || waits == 10 { return nil }
      waits += 1
      usleep(1000)
    }
  }

  /// Waits a moment for records that were given before: they are there, but they come over a network.
  private func wait(_ client: KafkaClient, _ waits: Int) throws(TerraceError) {
    client.serve(millis: 2)
    try check(client)
    if waits < Int(Self.replayPatienceMillis) / 2 {
      usleep(2000)
      return
    }
    guard let step = replays.first else { return }
    let place = partitions[step.id].partition
    throw client.error("records that were read before do not come again", "timed out")
      .with("partition", "\(place.topic)-\(place.number)").with("offset", progress.next[step.id])
  }

  private func check(_ client: KafkaClient) throws(TerraceError) {
    guard let refusal = client.events.refusal else { return }
    throw TerraceError(.invalid, "Kafka's servers refuse us").with("reason", refusal)
      .with("servers", client.servers)
  }

  private func step(
    _ client: KafkaClient, _ limit: Int, _ bytes: Int
  ) throws(TerraceError) -> SourceBatch? {
    if let step = replays.first {
      let partition = partitions[step.id]
      let before = progress.next[step.id]
      if step.count < 0 {
        // The topic was made anew there.
        replays.removeFirst()
        progress.move(step.id, to: max(0, before + step.count))
        try partition.start(at: progress.next[step.id])
        return nil
      }
      let batch = try take(
        partition, client, limit, bytes, end: before + step.count, replays: true)
      let gone = progress.next[step.id] - before
      replays.removeFirst()
      if gone < step.count {
        replays = [KafkaProgress.Step(id: step.id, count: step.count - gone)] + replays
      }
      return batch
    }
    for i in 0..<partitions.count {
      let partition = partitions[(turn + i) % partitions.count]
      if progress.next[partition.id] >= ends[partition.id] { continue }
      let batch = try take(
        partition, client, limit, bytes, end: ends[partition.id], replays: false)
      if let batch {
        turn = (turn + i + 1) % partitions.count
        return batch
      }
    }
    return nil
  }

  private func take(
    _ partition: KafkaPartition, _ client: KafkaClient, _ limit: Int, _ bytes: Int, end: Int64,
    replays: Bool
  ) throws(TerraceError) -> SourceBatch? {
    let next = progress.next[partition.id]
    let part = partition.take(room, rows: limit, bytes: bytes, next: next, end: end)
    defer { for message in part.messages { rd_kafka_message_destroy(message) } }
    switch part.event {
    case .none: break
    case .outOfRange(let text):
      try reset(partition, client, text, replays: replays)
      return nil
    case .failed(let code, let text): try fail(partition, client, code, text)
    }
    var batch = part.messages.isEmpty ? nil : try rows.batch(part.messages)
    batch?.part = (partition.id, partitions.count)
    progress.advance(partition.id, to: part.reach)
    return batch
  }

  // MARK: Trouble

  /// The offset that comes next is gone (retention), or never was (the topic was made anew).
  private func reset(
    _ partition: KafkaPartition, _ client: KafkaClient, _ text: String, replays: Bool
  ) throws(TerraceError) {
    let place = partition.partition
    let name = "\(place.topic)-\(place.number)"
    let next = progress.next[partition.id]
    guard let low = try client.offsets(at: [(place, -2)])[0] else { return }
    let high = try client.offsets(at: [(place, -1)])[0] ?? low
    if next >= low && next <= high { return try partition.start(at: next) }
    func lost(_ hint: String) -> TerraceError {
      TerraceError(.notFound, "records are gone from Kafka before they were read", hint: hint)
        .with("partition", name).with("offset", next).with("first", low).with("last", high)
        .with("reason", text)
    }
    if replays {
      throw lost(
        "records that must be read again are gone: “terrace run --rebuild TABLE” starts over")
    }
    let rule = table.properties.reset ?? table.start.defaultReset
    switch rule {
    case "earliest":
      notices.append(
        next < low
          ? "\(name): offsets \(next) to \(low - 1) are gone; it goes on at \(low)"
          : "\(name) ends at \(high), before offset \(next): it was made anew and is read from \(low)"
      )
      progress.move(partition.id, to: low)
    case "latest":
      notices.append("\(name): offset \(next) is not there; it goes on at the end, \(high)")
      progress.move(partition.id, to: high)
    default:
      throw lost("'properties.auto.offset.reset' = 'earliest' or 'latest' goes on without them")
    }
    try partition.start(at: progress.next[partition.id])
  }

  private var told: Set<Int> = []
  private var toldCodes: Set<Int32> = []

  private func fail(
    _ partition: KafkaPartition, _ client: KafkaClient, _ code: rd_kafka_resp_err_t, _ text: String
  ) throws(TerraceError) {
    let name = "\(partition.partition.topic)-\(partition.partition.number)"
    switch code {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
      RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      // It may come back: librdkafka goes on asking.
      if told.insert(partition.id).inserted {
        notices.append("\(name) is not there any more; nothing is read of it until it is back")
      }
    default:
      if KafkaClient.isRefusal(code) || rd_kafka_fatal_error(client.handle, nil, 0).rawValue != 0 {
        throw client.error(code, "a partition cannot be read").with("partition", name)
          .with("text", text)
      }
      if KafkaClient.isDamage(code) {
        throw TerraceError(
          .corrupted, "records cannot be unpacked",
          hint: "one batch may have 'properties.receive.message.max.bytes' unpacked, 100 MB else"
        ).with("partition", name).with("offset", progress.next[partition.id]).with("reason", text)
      }
      if toldCodes.insert(code.rawValue).inserted {
        notices.append("\(name) cannot be read now, and is tried again: \(text)")
      }
    }
  }

  // MARK: The end

  func stopAtPresent() throws(TerraceError) {
    let client = try open()
    isBounded = true
    try setEnds(KafkaPlace(mode: .latest), client)
  }

  var isDrained: Bool {
    isBounded && replays.isEmpty && client != nil
      && partitions.allSatisfy { progress.next[$0.id] >= ends[$0.id] }
  }

  // MARK: Positions

  var position: String { progress.text }
  var positionTable: (type: RowType, keyCount: Int)? { (KafkaProgress.tableType, 1) }

  func takePositions() throws(TerraceError) -> DeltaBatch? {
    _ = try open()
    return progress.take()
  }

  func restorePositions(_ rows: DeltaBatch) throws(TerraceError) { try progress.restore(rows) }

  func seek(_ position: String) throws(TerraceError) {
    isRestored = true
    try progress.seek(position)
  }

  func replay(to position: String) throws(TerraceError) {
    let steps = try progress.steps(to: position)
    if steps.reduce(0, { $0 + $1.count }) > replays.reduce(0, { $0 + $1.count }) {
      replays = steps[...]
    }
  }

  func confirm(_ position: String) throws(TerraceError) {
    guard let client, table.properties.commitsOffsets, table.properties.group != nil else { return }
    client.commit(try progress.offsets(at: position))
  }

  // MARK: Status

  var backlog: (amount: Int64, unit: String)? {
    guard let client else { return nil }
    var amount: Int64 = 0
    for partition in partitions {
      var (low, high): (Int64, Int64) = (0, 0)
      let place = partition.partition
      let code = rd_kafka_get_watermark_offsets(
        client.handle, place.topic, place.number, &low, &high)
      if code == RD_KAFKA_RESP_ERR_NO_ERROR, high >= 0 {
        amount += max(0, high - progress.next[partition.id])
      }
    }
    return (amount, "records")
  }

  func takeNotices() -> [String] {
    defer { notices = [] }
    return notices
  }

  func close() {
    for partition in partitions { partition.close() }
    partitions = []
    client?.close()
    client = nil
  }
}
