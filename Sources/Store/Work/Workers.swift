internal import CSystem
package import Columns
internal import Glibc

/// A mutex with a condition, at a fixed address.
package final class Monitor: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  package init() {
    pthread_mutex_init(mutex, nil)
    // Waits are measured by a clock that nobody sets.
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  package func lock() { pthread_mutex_lock(mutex) }
  package func unlock() { pthread_mutex_unlock(mutex) }
  /// Waits for a `wake` of another thread; the caller holds the lock and looks again afterwards.
  func wait() { pthread_cond_wait(condition, mutex) }
  /// The same, for so long at most.
  package func wait(millis: Int) {
    var until = timespec()
    clock_gettime(CLOCK_MONOTONIC, &until)
    until.tv_sec += millis / 1000
    until.tv_nsec += millis % 1000 * 1_000_000
    if until.tv_nsec >= 1_000_000_000 {
      until.tv_sec += 1
      until.tv_nsec -= 1_000_000_000
    }
    pthread_cond_timedwait(condition, mutex, &until)
  }
  package func wake() { pthread_cond_broadcast(condition) }
  package func wakeOne() { pthread_cond_signal(condition) }

  package func withLock<Value>(_ body: () -> Value) -> Value {
    lock()
    defer { unlock() }
    return body()
  }
}

/// Long-lived threads that take work from one queue, in order.
///
/// The seam between the store and the scheduler of the system: with no threads at all every piece of
/// work runs where it is submitted, which makes a run deterministic.
package final class Workers: @unchecked Sendable {
  package let count: Int
  private let state = State()
  private var threads: [pthread_t] = []

  package init(count: Int) {
    self.count = count
    for _ in 0..<count {
      let box = Unmanaged.passRetained(state)
      var thread = pthread_t()
      let code = pthread_create(
        &thread, nil,
        { raw in
          guard let raw else { return nil }
          Unmanaged<State>.fromOpaque(raw).takeRetainedValue().run()
          return nil
        }, box.toOpaque())
      if code == 0 { threads.append(thread) } else { box.release() }
    }
  }

  /// What the threads share with the pool; they do not keep the pool itself alive.
  private final class State: @unchecked Sendable {
    let monitor = Monitor()
    var queue: [@Sendable () -> Void] = []
    var taken = 0
    var stopping = false

    func run() {
      while let work = next() { work() }
    }

    private func next() -> (@Sendable () -> Void)? {
      monitor.lock()
      defer { monitor.unlock() }
      while true {
        if taken < queue.count {
          let work = queue[taken]
          taken += 1
          if taken == queue.count {
            queue.removeAll()
            taken = 0
          }
          return work
        }
        if stopping { return nil }
        monitor.wait()
      }
    }
  }

  deinit { stop() }

  /// Runs what is queued, then ends the threads. Later work runs where it is submitted.
  package func stop() {
    state.monitor.withLock { state.stopping = true }
    state.monitor.wake()
    for thread in threads {
      // The last reference may go on one of the pool's own threads.
      if pthread_equal(thread, pthread_self()) != 0 {
        pthread_detach(thread)
      } else {
        pthread_join(thread, nil)
      }
    }
    threads.removeAll()
  }

  package func submit(_ work: @escaping @Sendable () -> Void) {
    let queued = state.monitor.withLock {
      if state.stopping || count == 0 { return false }
      state.queue.append(work)
      return true
    }
    if queued { state.monitor.wake() } else { work() }
  }

  /// Starts work whose result is fetched later.
  package func start<Value: Sendable>(
    _ work: @escaping @Sendable () throws(TerraceError) -> Value
  ) -> Pending<Value> {
    let pending = Pending<Value>()
    submit {
      do throws(TerraceError) {
        pending.finish(.success(try work()))
      } catch {
        pending.finish(.failure(error))
      }
    }
    return pending
  }
}

/// The result of work that another thread does.
package final class Pending<Value: Sendable>: @unchecked Sendable {
  private let monitor = Monitor()
  private var result: Result<Value, TerraceError>?

  package init() {}

  func finish(_ result: Result<Value, TerraceError>) {
    monitor.withLock { self.result = result }
    monitor.wake()
  }

  package var isDone: Bool { monitor.withLock { result != nil } }

  /// Waits until the work is done.
  package func wait() throws(TerraceError) -> Value {
    monitor.lock()
    while result == nil { monitor.wait() }
    let done = result
    monitor.unlock()
    guard let done else { preconditionFailure("woken without a result") }
    return try done.get()
  }
}

/// A queue of bounded length between threads.
final class Channel<Value: Sendable>: @unchecked Sendable {
  private let monitor = Monitor()
  private let capacity: Int
  private var values: [Value] = []
  private var failure: TerraceError?
  private var producers: Int
  private var closed = false

  init(capacity: Int, producers: Int) {
    self.capacity = capacity
    self.producers = producers
  }

  /// Waits for room; false once nobody reads any more.
  func push(_ value: Value) -> Bool {
    monitor.lock()
    defer { monitor.unlock() }
    while values.count >= capacity && !closed { monitor.wait() }
    if closed { return false }
    values.append(value)
    monitor.wake()
    return true
  }

  /// One producer is done, or has failed.
  func finish(_ error: TerraceError? = nil) {
    monitor.withLock {
      producers -= 1
      if failure == nil { failure = error }
    }
    monitor.wake()
  }

  /// The next value; nil when all producers are done. The first failure is thrown.
  func pop() throws(TerraceError) -> Value? {
    monitor.lock()
    defer { monitor.unlock() }
    while values.isEmpty && producers > 0 && failure == nil && !closed { monitor.wait() }
    if let failure { throw failure }
    if values.isEmpty { return nil }
    let value = values.removeFirst()
    monitor.wake()
    return value
  }

  /// The reader wants no more.
  func close() {
    monitor.withLock {
      closed = true
      values.removeAll()
    }
    monitor.wake()
  }

  var isClosed: Bool { monitor.withLock { closed } }
}
