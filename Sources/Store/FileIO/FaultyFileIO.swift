package import Columns
import Glibc
import Synchronization

/// What goes wrong, and when.
package struct FaultRule: Sendable {
  package enum Moment: Sendable {
    /// The k-th call that the rule looks at, from 0.
    case at(Int)
    /// That call and all after it.
    case from(Int)
    /// Each call, one time in n.
    case oneIn(Int)
  }

  package enum Effect: Sendable {
    /// The call is not made.
    case refused
    /// The call is made, and reported as failed.
    case madeButReported
    /// Of a write, a part is made; other calls are not.
    case partly
    /// The call is made, late.
    case delayed(millis: Int)
  }

  /// Nil: all kinds.
  package var calls: Set<FileCall>?
  package var roles: Set<FileRole>?
  package var moment: Moment
  package var effect: Effect
  /// As the system would report it: `ENOSPC`, `EIO`, …
  package var code: Int32

  package init(
    _ moment: Moment, _ effect: Effect = .refused, calls: Set<FileCall>? = nil,
    roles: Set<FileRole>? = nil, code: Int32 = EIO
  ) {
    self.moment = moment
    self.effect = effect
    self.calls = calls
    self.roles = roles
    self.code = code
  }
}

/// Makes calls fail by rule. Give it to a ``WatchedFileIO``.
package final class FileFaults: FileWatcher {
  private struct State {
    var rules: [FaultRule]
    var seen: [Int]
    var random: SplitMix
    var injected = 0
    /// Faults to report after the call, by path and call.
    var later: [String: Int32] = [:]
  }

  private let state: Mutex<State>
  private let time: any Timekeeper

  package init(_ rules: [FaultRule], seed: UInt64 = 0, time: any Timekeeper = SystemTime()) {
    state = Mutex(
      State(
        rules: rules, seen: [Int](repeating: 0, count: rules.count),
        random: SplitMix(seed: seed)))
    self.time = time
  }

  /// How many faults there were so far.
  package var injected: Int { state.withLock { $0.injected } }

  /// How many calls the first rule has looked at.
  package var seen: Int { state.withLock { $0.seen.first ?? 0 } }

  /// Nothing goes wrong any more.
  package func stop() { state.withLock { $0.rules = [] } }

  package func before(
    _ call: FileCall, _ path: String, bytes: Int
  ) throws(TerraceError) -> Int? {
    let found = state.withLock { state -> (FaultRule, Int)? in
      for (index, rule) in state.rules.enumerated() {
        if let calls = rule.calls, !calls.contains(call) { continue }
        if let roles = rule.roles, !roles.contains(FileRole(path: path)) { continue }
        let turn = state.seen[index]
        state.seen[index] += 1
        let isDue =
          switch rule.moment {
          case .at(let k): turn == k
          case .from(let k): turn >= k
          case .oneIn(let n): state.random.next() % UInt64(max(n, 1)) == 0
          }
        guard isDue else { continue }
        state.injected += 1
        let part = bytes > 1 ? Int(state.random.next() % UInt64(bytes)) : 0
        return (rule, part)
      }
      return nil
    }
    guard let (rule, part) = found else { return nil }
    switch rule.effect {
    case .refused: throw systemError(call.rawValue, path, code: rule.code).with("injected", true)
    case .partly where call == .write:
      remember(call, path, rule.code)
      return part
    case .partly: throw systemError(call.rawValue, path, code: rule.code).with("injected", true)
    case .madeButReported: remember(call, path, rule.code)
    case .delayed(let millis): time.sleep(millis: millis)
    }
    return nil
  }

  private func remember(_ call: FileCall, _ path: String, _ code: Int32) {
    state.withLock { $0.later[call.rawValue + path] = code }
  }

  package func after(_ call: FileCall, _ path: String, bytes: Int) throws(TerraceError) {
    if let code = state.withLock({ $0.later.removeValue(forKey: call.rawValue + path) }) {
      throw systemError(call.rawValue, path, code: code).with("injected", true)
    }
  }
}
