import CKafka
import Columns
import Store

/// A topic as a sink.
///
/// At least once: an epoch is prepared when the servers have acknowledged all its messages. Exactly once: an
/// epoch is a transaction, committed by ``publish(_:)`` and marked inside with the name of the epoch, so
/// that a process that comes back knows whether it was: see ``KafkaTransactions``.
final class KafkaSink: Sink {
  private let table: KafkaTable
  private let encoder: MessageEncoder
  private let names: any NameSource
  private let topicName: String
  private var producer: KafkaClient?
  private var topic: OpaquePointer?
  private var transactions: KafkaTransactions?
  private var partitionCount: Int32 = 1
  /// Of the rows in hand, where we choose by what they hold.
  private var chosen: [Int32] = []
  private var turn: Int32 = 0
  private let timestamps: Int?
  private let headers: Int?

  /// Longer than this no acknowledgement is waited for when none comes: as long as electing a leader takes.
  private static let patienceMillis: Int32 = 30_000

  init(_ given: ConnectorTable, _ environment: Environment) throws(TerraceError) {
    let table = try KafkaTable(given, .sink)
    guard let encoder = table.encoder, case .names(let topics) = table.topics else {
      preconditionFailure("made for a sink")
    }
    self.table = table
    self.encoder = encoder
    topicName = topics[0]
    names = environment.names
    func place(_ kind: KafkaMetadata) -> Int? {
      table.table.metadata.first { $0.key == kind.rawValue }.flatMap {
        table.table.type.index(of: $0.column)
      }
    }
    timestamps = place(.timestamp)
    headers = place(.headers)
  }

  // MARK: Opening

  private func open() throws(TerraceError) -> KafkaClient {
    if let producer { return producer }
    let made = try KafkaClient(.producer, settings(), servers: table.properties.servers)
    // Asked first: a server that does not answer, or not to us, is told before rows wait for it.
    partitionCount = Int32(try made.partitions(of: .names([topicName])).count)
    guard let topic = rd_kafka_topic_new(made.handle, topicName, nil) else {
      throw TerraceError(.invalid, "no name of a topic").with("topic", topicName)
    }
    producer = made
    self.topic = topic
    if let id = transactionalID {
      transactions = try KafkaTransactions(made, id: id, topic: topicName, table.properties)
    }
    return made
  }

  private var transactionalID: String? {
    guard table.delivery.guarantee == .exactlyOnce else { return nil }
    return table.delivery.transactionalPrefix.map { "\($0)-\(table.table.name)" }
  }

  private func settings() -> [(name: String, value: String)] {
    let given = table.properties.settings.filter { $0.name != "group.id" }
    func value(_ name: String) -> String? { given.first { $0.name == name }?.value }
    var settings: [(name: String, value: String)] = [
      ("client.id", "terrace"), ("partitioner", "murmur2_random"),
      ("delivery.report.only.error", "true"), ("linger.ms", "5"),
    ]
    // A message that is tried again must not come behind a younger one of its key.
    if value("enable.idempotence") == nil, transactionalID == nil {
      let acks = value("acks") ?? "all"
      if acks == "all" || acks == "-1", value("retries") != "0" {
        settings.append(("enable.idempotence", "true"))
      } else {
        settings.append(("max.in.flight.requests.per.connection", "1"))
      }
    }
    if let transactionalID { settings.append(("transactional.id", transactionalID)) }
    return settings + given
  }

  // MARK: Writing

  func write(_ rows: Batch, kinds: Buffer?) throws(TerraceError) {
    if rows.count == 0 { return }
    let producer = try open()
    try transactions?.begin()
    let messages = try encoder.encode(rows, kinds: kinds)
    choose(rows)
    for message in 0..<messages.count {
      try send(messages, message, rows, producer)
      if message & 0xfff == 0 { producer.serve() }
    }
    try check(producer)
  }

  private func send(
    _ messages: EncodedMessages, _ message: Int, _ rows: Batch, _ producer: KafkaClient
  ) throws(TerraceError) {
    let (value, key) = (messages.value(message), messages.key(message))
    let partition = partition(of: Int(messages.rows[message]))
    var waited: Int32 = 0
    while true {
      let code: rd_kafka_resp_err_t
      if timestamps == nil, headers == nil {
        let result = rd_kafka_produce(
          topic, partition, Int32(RD_KAFKA_MSG_F_COPY),
          UnsafeMutableRawPointer(mutating: value?.baseAddress), value?.count ?? 0,
          key?.baseAddress, key?.count ?? 0, nil)
        code = result == 0 ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_last_error()
      } else {
        code = sendWhole(
          value, key, partition, rows, Int(messages.rows[message]), producer)
      }
      if code == RD_KAFKA_RESP_ERR_NO_ERROR { return }
      guard code == RD_KAFKA_RESP_ERR__QUEUE_FULL, waited < Self.patienceMillis else {
        throw producer.error(code, "a message cannot be sent").with("topic", topicName)
      }
      producer.serve(millis: 50)
      waited += 50
      try check(producer)
    }
  }

  /// Without keys, changes of a row go where the row went.
  private func choose(_ rows: Batch) {
    chosen = []
    let columns = encoder.orderingColumns
    if columns.isEmpty || table.delivery.partitioner != .byKey { return }
    chosen = [Int32](unsafeUninitializedCapacity: rows.count) { room, count in
      guard let base = room.baseAddress else { return }
      BucketHash.buckets(
        columns.map { rows.columns[$0] }, count: rows.count, of: max(1, Int(partitionCount)),
        into: base)
      count = rows.count
    }
  }

  private func partition(of row: Int) -> Int32 {
    switch table.delivery.partitioner {
    case .byKey: return chosen.isEmpty ? RD_KAFKA_PARTITION_UA : chosen[row]
    case .fixed: return 0
    case .roundRobin:
      turn = (turn + 1) % max(1, partitionCount)
      return turn
    }
  }

  /// With a time or headers of its own.
  private func sendWhole(
    _ value: UnsafeRawBufferPointer?, _ key: UnsafeRawBufferPointer?, _ partition: Int32,
    _ rows: Batch, _ row: Int, _ producer: KafkaClient
  ) -> rd_kafka_resp_err_t {
    func memory(
      _ type: rd_kafka_vtype_t, _ bytes: UnsafeRawBufferPointer?
    ) -> rd_kafka_vu_t {
      var part = rd_kafka_vu_t()
      part.vtype = type
      part.u.mem.ptr = UnsafeMutableRawPointer(mutating: bytes?.baseAddress)
      part.u.mem.size = bytes?.count ?? 0
      return part
    }
    var parts = [memory(RD_KAFKA_VTYPE_VALUE, value), memory(RD_KAFKA_VTYPE_KEY, key)]
    var part = rd_kafka_vu_t()
    part.vtype = RD_KAFKA_VTYPE_RKT
    part.u.rkt = topic
    parts.append(part)
    part = rd_kafka_vu_t()
    part.vtype = RD_KAFKA_VTYPE_PARTITION
    part.u.i32 = partition
    parts.append(part)
    part = rd_kafka_vu_t()
    part.vtype = RD_KAFKA_VTYPE_MSGFLAGS
    part.u.i = Int32(RD_KAFKA_MSG_F_COPY)
    parts.append(part)
    if let timestamps, !rows.columns[timestamps].isNull(row) {
      part = rd_kafka_vu_t()
      part.vtype = RD_KAFKA_VTYPE_TIMESTAMP
      part.u.i64 = rows.columns[timestamps].pointer(Int64.self)[row]
      parts.append(part)
    }
    let list = headers.flatMap { Self.headers(rows.columns[$0], row) }
    if let list {
      part = rd_kafka_vu_t()
      part.vtype = RD_KAFKA_VTYPE_HEADERS
      part.u.headers = list
      parts.append(part)
    }
    guard let error = rd_kafka_produceva(producer.handle, &parts, parts.count) else {
      return RD_KAFKA_RESP_ERR_NO_ERROR
    }
    defer { rd_kafka_error_destroy(error) }
    if let list { rd_kafka_headers_destroy(list) }
    return rd_kafka_error_code(error)
  }

  private static func headers(_ column: Column, _ row: Int) -> OpaquePointer? {
    if column.isNull(row) { return nil }
    let (first, end) = (Int(column.offsets[row]), Int(column.offsets[row + 1]))
    let list = rd_kafka_headers_new(end - first)
    for item in first..<end {
      let name = String(decoding: column.children[0].bytes(item), as: UTF8.self)
      let values = column.children[1]
      if values.isNull(item) {
        rd_kafka_header_add(list, name, -1, nil, 0)
      } else {
        let value = values.bytes(item)
        rd_kafka_header_add(list, name, -1, value.baseAddress, value.count)
      }
    }
    return list
  }

  /// - Throws: `unavailable` for messages that could not be delivered: the job does them again.
  private func check(_ producer: KafkaClient) throws(TerraceError) {
    if let refusal = producer.events.refusal {
      throw producer.error("Kafka's servers refuse us", refusal, isRefusal: true)
        .with("topic", topicName)
    }
    guard let failures = producer.events.takeFailures() else { return }
    if table.delivery.guarantee == .none { return }
    throw producer.error("\(failures.count) messages could not be delivered", failures.reason)
      .with("topic", topicName)
  }

  // MARK: Epochs

  func prepare(epoch: Int64) throws(TerraceError) -> String {
    guard let producer else { return "" }
    if table.delivery.guarantee != .none {
      var (waited, left): (Int32, Int32) = (0, .max)
      while rd_kafka_flush(producer.handle, 500) == RD_KAFKA_RESP_ERR__TIMED_OUT {
        try check(producer)
        let now = rd_kafka_outq_len(producer.handle)
        waited = now < left ? 0 : waited + 500
        left = min(left, now)
        if waited >= Self.patienceMillis {
          throw producer.error("messages are not acknowledged", "timed out")
            .with("topic", topicName).with("waiting", now)
        }
      }
    }
    try check(producer)
    guard let transactions, transactions.isOpen else { return "" }
    return "\(epoch) \(names.uuid())"
  }

  func publish(_ prepared: String) throws(TerraceError) {
    if prepared.isEmpty { return }
    try transactions?.commit(prepared)
  }

  func recover(_ prepared: String?) throws(TerraceError) -> SinkRecovery {
    guard let transactionalID else { return .complete }
    // What a dead process left open is given up by the servers before this returns.
    _ = try open()
    guard let prepared, !prepared.isEmpty else { return .complete }
    let last = try KafkaTransactions.last(
      id: transactionalID, topic: topicName, table.properties)
    return KafkaTransactions.isCommitted(prepared, last) ? .complete : .redo
  }

  func close() {
    if table.delivery.guarantee == .none, let producer { rd_kafka_flush(producer.handle, 5000) }
    if let topic { rd_kafka_topic_destroy(topic) }
    topic = nil
    transactions = nil
    // What was not acknowledged is sent again by whoever does the epoch again.
    if let producer {
      rd_kafka_purge(producer.handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
    }
    producer?.close()
    producer = nil
  }
}
