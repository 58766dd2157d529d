import CKafka
import Columns
import Glibc

/// The transactions of one sink, one an epoch.
///
/// To know after a crash whether an epoch was committed, its name is committed with it: as the metadata of an
/// offset of a group that is called like the transactional id. Offsets that are sent to a transaction count
/// only if it is committed.
final class KafkaTransactions {
  private let producer: KafkaClient
  private let id: String
  private let topic: String
  private(set) var isOpen = false

  private static let patienceMillis: Int32 = 30_000

  /// Ends what another process of this id has left open.
  ///
  /// - Throws: `unavailable`; `invalid` where transactions are refused.
  init(
    _ producer: KafkaClient, id: String, topic: String, _ properties: KafkaProperties
  ) throws(TerraceError) {
    self.producer = producer
    self.id = id
    self.topic = topic
    try call("transactions cannot begin") { rd_kafka_init_transactions($0, Self.patienceMillis) }
  }

  func begin() throws(TerraceError) {
    if isOpen { return }
    try call("a transaction cannot begin") { rd_kafka_begin_transaction($0) }
    isOpen = true
  }

  /// - Parameter name: of the epoch; see ``last(id:topic:_:)``.
  func commit(_ name: String) throws(TerraceError) {
    guard isOpen else {
      throw TerraceError(.unavailable, "the transaction is not open any more").with("name", name)
    }
    let epoch = name.split(separator: " ").first.flatMap { Int64($0) } ?? 0
    let offsets = PartitionList([(.init(topic: topic, number: 0), epoch)])
    offsets.entries[0].metadata = UnsafeMutableRawPointer(strdup(name))
    offsets.entries[0].metadata_size = name.utf8.count
    guard let group = rd_kafka_consumer_group_metadata_new(id) else {
      throw TerraceError(.unavailable, "no memory for a transaction")
    }
    defer { rd_kafka_consumer_group_metadata_destroy(group) }
    try call("an epoch's name cannot be sent to its transaction") {
      rd_kafka_send_offsets_to_transaction($0, offsets.pointer, group, Self.patienceMillis)
    }
    try call("a transaction cannot be committed") {
      rd_kafka_commit_transaction($0, Self.patienceMillis)
    }
    isOpen = false
  }

  /// Calls until it works or fails for a reason that trying again does not change.
  private func call(
    _ doing: String, _ body: (OpaquePointer) -> OpaquePointer?
  ) throws(TerraceError) {
    var tries = 0
    while let error = body(producer.handle) {
      defer { rd_kafka_error_destroy(error) }
      tries += 1
      if rd_kafka_error_is_retriable(error) != 0, tries < 3 { continue }
      let code = rd_kafka_error_code(error)
      throw producer.error(
        doing, String(cString: rd_kafka_error_string(error)),
        isRefusal: KafkaClient.isRefusal(code)
      ).with("transactional.id", id)
    }
  }

  // MARK: Afterwards

  /// The name of the last epoch that was committed; nil when there is none.
  static func last(
    id: String, topic: String, _ properties: KafkaProperties
  ) throws(TerraceError) -> String? {
    let settings = properties.settings.filter {
      $0.name.hasPrefix("s") || $0.name.hasPrefix("bootstrap") || $0.name.hasPrefix("enable.ssl")
    }
    let client = try KafkaClient(
      .consumer, settings + [("group.id", id)], servers: properties.servers)
    defer { client.close() }
    let list = PartitionList([(.init(topic: topic, number: 0), Int64(RD_KAFKA_OFFSET_INVALID))])
    let code = rd_kafka_committed(client.handle, list.pointer, patienceMillis)
    if code == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND { return nil }
    if code != RD_KAFKA_RESP_ERR_NO_ERROR {
      throw client.error(code, "the servers do not say what epoch was committed last")
        .with("group", id)
    }
    let entry = list.entries[0]
    guard entry.offset >= 0, let metadata = entry.metadata else { return nil }
    return String(
      decoding: UnsafeRawBufferPointer(start: metadata, count: entry.metadata_size), as: UTF8.self)
  }

  /// Whether the epoch of a name was committed, after whose name is the last one.
  static func isCommitted(_ name: String, _ last: String?) -> Bool {
    last == name
  }
}
