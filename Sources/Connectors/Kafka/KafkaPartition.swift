import CKafka
import Columns

/// One partition that is read: its own queue, so that a batch is of one partition, and what was taken from
/// the queue but not given yet.
final class KafkaPartition {
  typealias Message = UnsafeMutablePointer<rd_kafka_message_t>

  enum Event {
    case none
    /// The offset that the consumer stands at is not there (any more).
    case outOfRange(String)
    case failed(rd_kafka_resp_err_t, String)
  }

  let id: Int
  let partition: KafkaProgress.Partition
  private let client: KafkaClient
  private let topic: OpaquePointer
  private let queue: OpaquePointer
  private var held: [Message] = []
  private var taken = 0
  private var isStarted = false
  /// The broker said that nothing more is there, and nothing has come since.
  private(set) var isAtEnd = false
  /// The offset behind the last record and mark that the broker spoke of.
  private(set) var known: Int64 = 0

  init(_ id: Int, _ partition: KafkaProgress.Partition, _ client: KafkaClient) throws(TerraceError)
  {
    self.id = id
    self.partition = partition
    self.client = client
    guard let topic = rd_kafka_topic_new(client.handle, partition.topic, nil),
      let queue = rd_kafka_queue_new(client.handle)
    else { throw TerraceError(.unavailable, "no memory for a Kafka topic") }
    self.topic = topic
    self.queue = queue
  }

  func start(at offset: Int64) throws(TerraceError) {
    stop()
    if rd_kafka_consume_start_queue(topic, partition.number, offset, queue) != 0 {
      throw client.error(rd_kafka_last_error(), "a partition cannot be read")
        .with("topic", partition.topic).with("partition", partition.number)
    }
    isStarted = true
    known = offset
  }

  func stop() {
    if !isStarted { return }
    isStarted = false
    isAtEnd = false
    rd_kafka_consume_stop(topic, partition.number)
    for message in held[taken...] { rd_kafka_message_destroy(message) }
    held = []
    taken = 0
  }

  func close() {
    stop()
    rd_kafka_queue_destroy(queue)
    rd_kafka_topic_destroy(topic)
  }

  var queued: Int { Int(rd_kafka_queue_length(queue)) + held.count - taken }

  /// Takes messages that stand at or behind `next` and before `end`.
  ///
  /// - Returns: the messages, to be destroyed by the caller, and how far they and the marks between them
  ///   reach: never beyond `end`.
  func take(
    _ room: UnsafeMutableBufferPointer<Message?>, rows: Int, bytes: Int, next: Int64, end: Int64
  ) -> (messages: [Message], reach: Int64, event: Event) {
    var reach = next
    var event = Event.none
    if taken == held.count { event = fetch(room, rows) }
    var messages: [Message] = []
    var size = 0
    while taken < held.count {
      let message = held[taken]
      let offset = message.pointee.offset
      if offset >= end {
        reach = max(reach, end)
        return (messages, reach, event)
      }
      if offset < next {
        // From before the place that was sought.
        rd_kafka_message_destroy(message)
        taken += 1
        continue
      }
      if messages.count >= rows || (size > 0 && size + message.pointee.len > bytes) {
        return (messages, reach, event)
      }
      size += message.pointee.len + message.pointee.key_len
      messages.append(message)
      taken += 1
      reach = offset + 1
    }
    // Behind the last record only marks are left, up to where the broker says that the end is.
    if isAtEnd { reach = max(reach, min(known, end)) }
    return (messages, reach, event)
  }

  private func fetch(
    _ room: UnsafeMutableBufferPointer<Message?>, _ rows: Int
  ) -> Event {
    held.removeAll(keepingCapacity: true)
    taken = 0
    let limit = min(max(rows, 1), room.count)
    let count = rd_kafka_consume_batch_queue(queue, 0, room.baseAddress, limit)
    var event = Event.none
    for i in 0..<max(0, count) {
      guard let message = room[i] else { continue }
      let code = message.pointee.err
      if code == RD_KAFKA_RESP_ERR_NO_ERROR {
        held.append(message)
        isAtEnd = false
        continue
      }
      if code == RD_KAFKA_RESP_ERR__PARTITION_EOF {
        isAtEnd = true
        known = max(known, message.pointee.offset)
      } else {
        let text = message.pointee.payload.map {
          String(
            decoding: UnsafeRawBufferPointer(start: $0, count: message.pointee.len), as: UTF8.self)
        }
        let isGone =
          code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET
          || code == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE
        event = isGone ? .outOfRange(text ?? "") : .failed(code, text ?? "")
      }
      rd_kafka_message_destroy(message)
    }
    return event
  }
}
