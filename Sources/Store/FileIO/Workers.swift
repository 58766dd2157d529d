package import Columns
import Foundation
import Synchronization

/// Background threads, behind a seam so that simulation can run everything on one.
package protocol Workers: Sendable {
  /// At least 1.
  var threadCount: Int { get }
  /// Runs `work` some time soon. It must not wait for other work of the same workers.
  func submit(_ work: @escaping @Sendable () -> Void)
}

/// Work under way, and its result.
package final class Pending<Value: Sendable>: Sendable {
  private let result = Mutex<Result<Value, TerraceError>?>(nil)
  private let done = DispatchSemaphore(value: 0)

  fileprivate func finish(_ value: Result<Value, TerraceError>) {
    result.withLock { $0 = value }
    done.signal()
  }

  package var isDone: Bool { result.withLock { $0 != nil } }

  /// Blocks until the work is done. May be called from several threads and more than once.
  package func wait() throws(TerraceError) -> Value {
    done.wait()
    done.signal()
    switch result.withLock({ $0 }) {
    case .success(let value): return value
    case .failure(let error): throw error
    case nil: preconditionFailure("woken without a result")
    }
  }
}

extension Workers {
  package func run<Value: Sendable>(
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

  /// Runs `work(0) … work(count - 1)`, on this thread as well, and waits for all.
  ///
  /// - Throws: the error of the lowest index that failed.
  package func forEach(
    _ count: Int, _ work: @escaping @Sendable (Int) throws(TerraceError) -> Void
  ) throws(TerraceError) {
    if count == 0 { return }
    let next = SharedCounter()
    let loop: @Sendable () -> (Int, TerraceError)? = {
      while true {
        let index = next.take()
        if index >= count { return nil }
        do throws(TerraceError) { try work(index) } catch { return (index, error) }
      }
    }
    var helpers: [Pending<(Int, TerraceError)?>] = []
    for _ in 1..<max(1, min(count, threadCount)) { helpers.append(run { loop() }) }
    var first = loop()
    for helper in helpers {
      if let failed = try helper.wait(), failed.0 < first?.0 ?? .max { first = failed }
    }
    if let first { throw first.1 }
  }
}

private final class SharedCounter: Sendable {
  private let value = Atomic<Int>(0)
  func take() -> Int { value.wrappingAdd(1, ordering: .relaxed).oldValue }
}

/// Runs work at once on the calling thread: the order of everything is then determined.
package struct InlineWorkers: Workers {
  package init() {}
  package var threadCount: Int { 1 }
  package func submit(_ work: @escaping @Sendable () -> Void) { work() }
}

/// A fixed number of threads and one queue.
///
/// The threads end when the pool is released and its queue is empty.
package final class ThreadPool: Workers {
  package let threadCount: Int
  private let queue = WorkQueue()

  package init(threads: Int, name: String = "terrace") {
    threadCount = max(threads, 1)
    for index in 0..<threadCount {
      let thread = Thread { [queue] in queue.serve() }
      thread.name = "\(name)-\(index)"
      thread.stackSize = 8 << 20
      thread.start()
    }
  }

  deinit { queue.close() }

  package func submit(_ work: @escaping @Sendable () -> Void) { queue.add(work) }
}

private final class WorkQueue: @unchecked Sendable {
  private let condition = NSCondition()
  private var waiting: [@Sendable () -> Void] = []
  private var first = 0
  private var isClosed = false

  func add(_ work: @escaping @Sendable () -> Void) {
    condition.lock()
    waiting.append(work)
    condition.signal()
    condition.unlock()
  }

  func close() {
    condition.lock()
    isClosed = true
    condition.broadcast()
    condition.unlock()
  }

  func serve() {
    while let work = take() { work() }
  }

  private func take() -> (@Sendable () -> Void)? {
    condition.lock()
    defer { condition.unlock() }
    while first == waiting.count {
      if isClosed { return nil }
      condition.wait()
    }
    let work = waiting[first]
    first += 1
    if first == waiting.count || first > 1024 {
      waiting.removeFirst(first)
      first = 0
    }
    return work
  }
}
