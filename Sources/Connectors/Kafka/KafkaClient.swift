import CKafka
import Columns
import Store
import Synchronization

/// What librdkafka's threads tell, kept until somebody asks.
final class KafkaEvents: Sendable {
  private struct State {
    /// The last trouble with a server, for messages about things that did not come.
    var trouble: String?
    /// Trouble that trying again does not end: a login or a certificate that was refused.
    var refusal: String?
    /// No server answers: said by librdkafka once, and taken back when one does.
    var isAlone = false
    var failures = 0
    var failure: String?
  }
  private let state = Mutex(State())

  func note(_ text: String, isRefusal: Bool) {
    state.withLock {
      $0.trouble = text
      if isRefusal { $0.refusal = text }
    }
  }
  func noteAlone(_ text: String) {
    state.withLock {
      $0.isAlone = true
      if $0.trouble == nil { $0.trouble = text }
    }
  }
  /// Why no server answers; nil as long as that is not known.
  var silence: String? { state.withLock { $0.isAlone ? $0.trouble ?? "" : nil } }
  func endSilence() { state.withLock { $0.isAlone = false } }
  func noteFailure(_ text: String) {
    state.withLock {
      $0.failures += 1
      if $0.failure == nil { $0.failure = text }
    }
  }
  var trouble: String? { state.withLock { $0.trouble } }
  var refusal: String? { state.withLock { $0.refusal } }
  /// Messages that could not be delivered since the last call, and why the first was not.
  func takeFailures() -> (count: Int, reason: String)? {
    state.withLock { state in
      defer { (state.failures, state.failure) = (0, nil) }
      return state.failure.map { (state.failures, $0) }
    }
  }
}

/// One instance of librdkafka. Closed once; its calls come from one thread.
final class KafkaClient {
  enum Role { case consumer, producer }

  let handle: OpaquePointer
  let events = KafkaEvents()
  let servers: String
  private var isOpen = true

  /// How long a server may take to answer a question that nothing goes on without.
  static let patienceMillis: Int32 = 10_000

  /// - Throws: `invalid` for a setting that librdkafka does not know or refuses.
  init(
    _ role: Role, _ settings: [(name: String, value: String)], servers: String
  ) throws(TerraceError) {
    self.servers = servers
    guard let conf = rd_kafka_conf_new() else {
      throw TerraceError(.unavailable, "no memory for a Kafka client")
    }
    for (name, value) in settings {
      do throws(TerraceError) { try Self.set(conf, name, value) } catch {
        rd_kafka_conf_destroy(conf)
        throw error
      }
    }
    rd_kafka_conf_set_opaque(conf, Unmanaged.passUnretained(events).toOpaque())
    rd_kafka_conf_set_log_cb(conf) { client, level, facility, text in
      guard let text, let facility, let events = KafkaClient.events(rd_kafka_opaque(client)) else {
        return
      }
      // Why a connection ended is told as news, not as trouble.
      let isTrouble = level <= 4 || ["FAIL", "ERROR"].contains(String(cString: facility))
      if isTrouble { events.note(String(cString: text), isRefusal: false) }
    }
    rd_kafka_conf_set_error_cb(conf) { _, code, reason, opaque in
      guard let events = KafkaClient.events(opaque) else { return }
      let text = reason.map { String(cString: $0) } ?? ""
      let code = rd_kafka_resp_err_t(rawValue: code)
      if code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN { return events.noteAlone(text) }
      events.note(text, isRefusal: KafkaClient.isRefusal(code))
    }
    if role == .producer {
      rd_kafka_conf_set_dr_msg_cb(conf) { _, message, opaque in
        guard let message, message.pointee.err != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
        let reason = String(cString: rd_kafka_err2str(message.pointee.err))
        KafkaClient.events(opaque)?.noteFailure(reason)
      }
    }
    let made = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { text in
      let kind = role == .consumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER
      return (rd_kafka_new(kind, conf, text.baseAddress, 512), String(cString: text.baseAddress!))
    }
    guard let handle = made.0 else {
      rd_kafka_conf_destroy(conf)
      throw TerraceError(.invalid, "Kafka's settings do not go together")
        .with("reason", made.1)
    }
    self.handle = handle
  }

  deinit { close() }

  func close() {
    if !isOpen { return }
    isOpen = false
    KafkaFarewell.end(handle, events)
  }

  private static func events(_ opaque: UnsafeMutableRawPointer?) -> KafkaEvents? {
    opaque.map { Unmanaged<KafkaEvents>.fromOpaque($0).takeUnretainedValue() }
  }

  /// Says what librdkafka does not take, without making a client.
  ///
  /// - Throws: `invalid` with the fact `option`.
  static func check(_ settings: [(name: String, value: String)]) throws(TerraceError) {
    guard let conf = rd_kafka_conf_new() else {
      throw TerraceError(.unavailable, "no memory for a Kafka client")
    }
    defer { rd_kafka_conf_destroy(conf) }
    for (name, value) in settings { try set(conf, name, value) }
  }

  private static func set(
    _ conf: OpaquePointer, _ name: String, _ value: String
  ) throws(TerraceError) {
    let (result, text) = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { text in
      text[0] = 0
      return (
        rd_kafka_conf_set(conf, name, value, text.baseAddress, 512),
        text.baseAddress.map { String(cString: $0) } ?? ""
      )
    }
    if result == RD_KAFKA_CONF_OK { return }
    let isUnknown = result == RD_KAFKA_CONF_UNKNOWN
    throw TerraceError(
      .invalid, isUnknown ? "unknown Kafka property '\(name)'" : "a wrong Kafka property",
      hint: isUnknown ? "names of the Java client and of librdkafka are known" : text
    ).with("option", KafkaProperties.prefix + name)
  }

  // MARK: Errors

  /// Trying again does not help.
  static func isRefusal(_ code: rd_kafka_resp_err_t) -> Bool {
    [
      RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,
      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
      RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
      RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
      RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT,
    ].contains(code)
  }

  /// What a server has stored is no batch of records, or larger than may be.
  static func isDamage(_ code: rd_kafka_resp_err_t) -> Bool {
    [
      RD_KAFKA_RESP_ERR__BAD_COMPRESSION, RD_KAFKA_RESP_ERR__BAD_MSG, RD_KAFKA_RESP_ERR_INVALID_MSG,
      RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE, RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED,
    ].contains(code)
  }

  func error(_ code: rd_kafka_resp_err_t, _ doing: String) -> TerraceError {
    let reason = String(cString: rd_kafka_err2str(code))
    return error(doing, reason, isRefusal: Self.isRefusal(code))
  }

  func error(_ doing: String, _ reason: String, isRefusal: Bool = false) -> TerraceError {
    let refusal = events.refusal
    var error = TerraceError(isRefusal || refusal != nil ? .invalid : .unavailable, doing)
      .with("servers", servers).with("reason", reason)
    if let text = refusal ?? events.trouble { error = error.with("last", text) }
    return error
  }

  /// Lets librdkafka tell what it has to tell.
  func serve(millis: Int32 = 0) { rd_kafka_poll(handle, millis) }

  // MARK: Topics

  /// All partitions of the topics that are named, or of those whose names match.
  ///
  /// - Throws: `notFound` for a named topic that is not there, `unavailable`.
  func partitions(
    of topics: KafkaTopics, millis: Int32 = patienceMillis
  ) throws(TerraceError) -> [KafkaProgress.Partition] {
    switch topics {
    case .names(let names):
      var all: [KafkaProgress.Partition] = []
      for name in names {
        guard let topic = rd_kafka_topic_new(handle, name, nil) else {
          throw TerraceError(.invalid, "no name of a topic").with("topic", name)
        }
        defer { rd_kafka_topic_destroy(topic) }
        all += try metadata(topic, millis) { $0 == name }
      }
      return all
    case .pattern(let pattern):
      return try metadata(nil, millis) { pattern.matches($0) }
    }
  }

  private func metadata(
    _ topic: OpaquePointer?, _ millis: Int32, _ isWanted: (String) -> Bool
  ) throws(TerraceError) -> [KafkaProgress.Partition] {
    var found: UnsafePointer<rd_kafka_metadata>?
    let code = rd_kafka_metadata(handle, topic == nil ? 1 : 0, topic, &found, millis)
    guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let found else {
      throw error(code, "Kafka's servers do not say what topics they have")
    }
    defer { rd_kafka_metadata_destroy(found) }
    var all: [KafkaProgress.Partition] = []
    for t in 0..<Int(found.pointee.topic_cnt) {
      let entry = found.pointee.topics[t]
      let name = String(cString: entry.topic)
      if !isWanted(name) { continue }
      if entry.err != RD_KAFKA_RESP_ERR_NO_ERROR {
        if topic == nil { continue }
        if entry.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART {
          throw TerraceError(.unavailable, "Kafka has no such topic", hint: "make it first")
            .with("topic", name).with("servers", servers)
        }
        throw error(entry.err, "a topic cannot be read").with("topic", name)
      }
      for p in 0..<Int(entry.partition_cnt) {
        all.append(.init(topic: name, number: entry.partitions[p].id))
      }
    }
    return all.sorted { ($0.topic, $0.number) < ($1.topic, $1.number) }
  }

  // MARK: Offsets

  /// The least offset at or after a time (milliseconds since 1970; -1: the end, -2: the beginning); nil
  /// when there is none.
  func offsets(
    at times: [(KafkaProgress.Partition, Int64)], millis: Int32 = patienceMillis
  ) throws(TerraceError) -> [Int64?] {
    if times.isEmpty { return [] }
    let list = PartitionList(times)
    var code = rd_kafka_offsets_for_times(handle, list.pointer, millis)
    var tries = 0
    // Leaders change; the next answer names the new one.
    while tries < 20, code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE || list.hasTransientErrors {
      serve(millis: 100)
      list.reset(times)
      code = rd_kafka_offsets_for_times(handle, list.pointer, millis)
      tries += 1
    }
    if code != RD_KAFKA_RESP_ERR_NO_ERROR {
      throw error(code, "Kafka's servers do not say what offsets there are")
    }
    if let (partition, code) = list.firstError {
      throw error(code, "Kafka's servers do not say what offsets a partition has")
        .with("topic", partition.topic).with("partition", partition.number)
    }
    return list.entries.map { $0.offset >= 0 ? $0.offset : nil }
  }

  /// What the group has committed; nil where it has nothing.
  func committed(
    _ partitions: [KafkaProgress.Partition]
  ) throws(TerraceError) -> [Int64?] {
    if partitions.isEmpty { return [] }
    let list = PartitionList(partitions.map { ($0, Int64(RD_KAFKA_OFFSET_INVALID)) })
    let code = rd_kafka_committed(handle, list.pointer, Self.patienceMillis)
    // Some servers say so of a group that has never committed anything.
    if code == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND { return partitions.map { _ in nil } }
    if code != RD_KAFKA_RESP_ERR_NO_ERROR {
      throw error(code, "Kafka's servers do not say what the group has committed")
    }
    return list.entries.map { $0.offset >= 0 ? $0.offset : nil }
  }

  /// Tells the group where it stands; nobody waits for the answer.
  func commit(_ offsets: [(KafkaProgress.Partition, Int64)]) {
    if offsets.isEmpty { return }
    let list = PartitionList(offsets)
    // The positions that count are in the root: a commit that fails is made good by the next.
    _ = rd_kafka_commit(handle, list.pointer, 1)
  }
}

/// A list of librdkafka's, freed with its last reference.
final class PartitionList {
  let pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

  init(_ offsets: [(KafkaProgress.Partition, Int64)]) {
    pointer = rd_kafka_topic_partition_list_new(Int32(truncatingIfNeeded: offsets.count))
    for (partition, _) in offsets {
      rd_kafka_topic_partition_list_add(pointer, partition.topic, partition.number)
    }
    reset(offsets)
  }

  func reset(_ offsets: [(KafkaProgress.Partition, Int64)]) {
    for (index, (_, offset)) in offsets.enumerated() {
      pointer.pointee.elems[index].offset = offset
      pointer.pointee.elems[index].err = RD_KAFKA_RESP_ERR_NO_ERROR
    }
  }

  deinit { rd_kafka_topic_partition_list_destroy(pointer) }

  var entries: UnsafeMutableBufferPointer<rd_kafka_topic_partition_t> {
    UnsafeMutableBufferPointer(start: pointer.pointee.elems, count: Int(pointer.pointee.cnt))
  }

  var firstError: (KafkaProgress.Partition, rd_kafka_resp_err_t)? {
    entries.first { $0.err != RD_KAFKA_RESP_ERR_NO_ERROR }.map {
      (.init(topic: String(cString: $0.topic), number: $0.partition), $0.err)
    }
  }

  var hasTransientErrors: Bool {
    entries.contains {
      [
        RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__WAIT_CACHE,
      ].contains($0.err)
    }
  }
}
