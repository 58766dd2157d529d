import CKafka
import Glibc
import Synchronization

/// Ends an instance of librdkafka in a thread of its own: it waits for answers of its servers, and one that
/// never comes (a group that may not be asked, 2.0) must not keep a job from ending.
final class KafkaFarewell: Sendable {
  private struct Client: @unchecked Sendable {
    var handle: OpaquePointer
  }

  private let client: Client
  /// Called by the instance until it has ended.
  private let events: KafkaEvents
  private let hasEnded = Mutex(false)

  /// How long it is waited for; after that it goes on by itself, or ends with the process.
  private static let patienceMillis = 2_000

  private init(_ handle: OpaquePointer, _ events: KafkaEvents) {
    client = Client(handle: handle)
    self.events = events
  }

  static func end(_ handle: OpaquePointer, _ events: KafkaEvents) {
    let farewell = KafkaFarewell(handle, events)
    let box = Unmanaged.passRetained(farewell)
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { raw in
        guard let raw else { return nil }
        let farewell = Unmanaged<KafkaFarewell>.fromOpaque(raw).takeRetainedValue()
        rd_kafka_destroy_flags(
          farewell.client.handle, Int32(RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE))
        farewell.hasEnded.withLock { $0 = true }
        return nil
      }, box.toOpaque())
    if code != 0 {
      // No threads: the instance stays, and ends with the process.
      return
    }
    pthread_detach(thread)
    var waited = 0
    while waited < patienceMillis, !farewell.hasEnded.withLock({ $0 }) {
      usleep(1000)
      waited += 1
    }
  }
}
