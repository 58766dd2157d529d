package import Columns

extension Workers {
  /// Runs `work(0) … work(count - 1)`, on this thread as well, and waits for all.
  ///
  /// Safe to call from one of the workers: it waits for what is running, never for what is queued.
  /// - Throws: the error of the lowest index that failed; the others have run all the same.
  package func forEach(
    _ count: Int, _ work: @escaping @Sendable (Int) throws(TerraceError) -> Void
  ) throws(TerraceError) {
    let share = SharedLoop(count, work)
    for _ in 0..<max(0, min(count - 1, self.count)) { submit { share.run() } }
    share.run()
    try share.wait()
  }
}

/// A loop whose turns several threads take.
private final class SharedLoop: @unchecked Sendable {
  private let monitor = Monitor()
  private let count: Int
  private let work: @Sendable (Int) throws(TerraceError) -> Void
  private var next = 0
  private var done = 0
  private var failure: (index: Int, error: TerraceError)?

  init(_ count: Int, _ work: @escaping @Sendable (Int) throws(TerraceError) -> Void) {
    self.count = count
    self.work = work
  }

  func run() {
    while let index = take() {
      do throws(TerraceError) {
        try work(index)
        finish(index, nil)
      } catch {
        finish(index, error)
      }
    }
  }

  private func take() -> Int? {
    monitor.withLock {
      if next >= count { return nil }
      next += 1
      return next - 1
    }
  }

  private func finish(_ index: Int, _ error: TerraceError?) {
    monitor.lock()
    done += 1
    if let error, index < failure?.index ?? .max { failure = (index, error) }
    monitor.unlock()
    monitor.wake()
  }

  func wait() throws(TerraceError) {
    monitor.lock()
    while done < count { monitor.wait() }
    let failed = failure
    monitor.unlock()
    if let failed { throw failed.error }
  }
}
