internal import Columns

/// Work that runs on a pool one piece after another, in the order it was given.
final class SerialLane: @unchecked Sendable {
  private let workers: Workers
  private let monitor = Monitor()
  private var queue: [@Sendable () throws(TerraceError) -> Void] = []
  private var running = false
  private var failure: TerraceError?

  init(_ workers: Workers) { self.workers = workers }

  func submit(_ work: @escaping @Sendable () throws(TerraceError) -> Void) {
    let start = monitor.withLock {
      queue.append(work)
      if running { return false }
      running = true
      return true
    }
    if start { workers.submit { self.drain() } }
  }

  private func drain() {
    while let work = take() {
      do throws(TerraceError) {
        try work()
      } catch {
        monitor.withLock { if failure == nil { failure = error } }
      }
    }
  }

  private func take() -> (@Sendable () throws(TerraceError) -> Void)? {
    monitor.lock()
    defer {
      monitor.unlock()
      monitor.wake()
    }
    // After a failure nothing more is tried: later work counts on the earlier.
    if failure != nil { queue.removeAll() }
    if queue.isEmpty {
      running = false
      return nil
    }
    return queue.removeFirst()
  }

  /// Waits until all work is done, and throws what went wrong.
  func wait() throws(TerraceError) {
    monitor.lock()
    while running { monitor.wait() }
    let failed = failure
    monitor.unlock()
    if let failed { throw failed }
  }

  /// What went wrong so far.
  func check() throws(TerraceError) {
    if let failed = monitor.withLock({ failure }) { throw failed }
  }
}
