import Synchronization

/// How many bytes may be held, shared by everybody who holds some.
///
/// A holder asks before it grows. A refusal is no error: the holder writes out what it has and asks
/// again. Reservations are never blocked on, so nobody can wait for somebody who waits.
public final class MemoryBudget: Sendable {
  public let limitBytes: Int
  private let used = Atomic<Int>(0)
  private let peak = Atomic<Int>(0)

  public init(limitBytes: Int) {
    precondition(limitBytes > 0, "a budget of \(limitBytes) bytes")
    self.limitBytes = limitBytes
  }

  public var usedBytes: Int { used.load(ordering: .relaxed) }
  public var peakBytes: Int { peak.load(ordering: .relaxed) }

  /// Takes `bytes` if they fit.
  public func reserve(_ bytes: Int) -> Bool {
    let after = used.wrappingAdd(bytes, ordering: .relaxed).newValue
    if after > limitBytes {
      used.wrappingSubtract(bytes, ordering: .relaxed)
      return false
    }
    note(after)
    return true
  }

  /// Takes `bytes` whether they fit or not: for the least that a holder cannot work without.
  public func reserveRequired(_ bytes: Int) {
    note(used.wrappingAdd(bytes, ordering: .relaxed).newValue)
  }

  public func release(_ bytes: Int) {
    let after = used.wrappingSubtract(bytes, ordering: .relaxed).newValue
    precondition(after >= 0, "more memory released than was reserved")
  }

  private func note(_ now: Int) {
    var seen = peak.load(ordering: .relaxed)
    while now > seen {
      let (done, current) = peak.weakCompareExchange(
        expected: seen, desired: now, ordering: .relaxed)
      if done { return }
      seen = current
    }
  }
}
