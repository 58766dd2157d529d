import CSystem
import Glibc
import Synchronization

/// The clock, behind a seam so that simulation can turn it.
package protocol Timekeeper: Sendable {
  /// Milliseconds since 1970 UTC.
  func nowMillis() -> Int64
  func sleep(millis: Int)
}

/// The machine's clock, which follows when it is set forward and goes on when it is set back: until the process
/// ends it never stands still, and no time comes twice.
package struct SystemTime: Timekeeper {
  /// Most that the wall clock was ahead of the time since the machine began, in nanoseconds.
  private static let ahead = Atomic<Int64>(.min)

  package init() {}

  package func nowMillis() -> Int64 {
    // In this order: what comes between makes the difference smaller, which counts for nothing.
    let wall = Self.nanos(CLOCK_REALTIME)
    let since = Self.nanos(CLOCK_BOOTTIME)
    return (since + Self.ahead.max(wall - since, ordering: .relaxed).newValue) / 1_000_000
  }

  private static func nanos(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  package func sleep(millis: Int) {
    if millis <= 0 { return }
    var left = timespec(tv_sec: millis / 1000, tv_nsec: (millis % 1000) * 1_000_000)
    var rest = timespec()
    while nanosleep(&left, &rest) == -1, errno == EINTR { left = rest }
  }
}

/// A clock that stands still until it is moved; sleeping moves it.
package final class ManualTime: Timekeeper {
  private let now: Mutex<Int64>

  package init(startMillis: Int64 = 1_700_000_000_000) { now = Mutex(startMillis) }

  package func nowMillis() -> Int64 { now.withLock { $0 } }
  package func sleep(millis: Int) { advance(millis: Int64(millis)) }
  package func advance(millis: Int64) { now.withLock { $0 += millis } }
}
