import Columns
import Glibc
import Synchronization

/// Everything outside the store that it may touch: files, clock, threads, chance.
package struct Environment: Sendable {
  package var files: any FileIO
  /// The same files as compactions in the background use them, when those are counted apart.
  package var background: (any FileIO)?
  package var time: any Timekeeper
  package var workers: Workers
  /// Threads of all compactions: one that is long leaves some to the others.
  package let compactors: Workers
  package var names: any NameSource
  /// What one source may have read ahead of those who take from it, in bytes.
  package var aheadBytes = 64 << 20

  package init(
    files: any FileIO = LocalFileIO(), time: any Timekeeper = SystemTime(),
    workers: Workers = Workers(count: 0), names: any NameSource = RandomNames()
  ) {
    self.files = files
    self.time = time
    self.workers = workers
    compactors = Workers(count: min(8, workers.count * 4))
    self.names = names
  }
}

/// Where names that nobody else has come from.
package protocol NameSource: Sendable {
  /// A random UUID, in lower-case text form.
  func uuid() -> String
}

package struct RandomNames: NameSource {
  package init() {}

  package func uuid() -> String {
    var generator = SystemRandomNumberGenerator()
    return uuidText(generator.next(), generator.next())
  }
}

/// The same names for the same seed, for simulation.
package final class SeededNames: NameSource {
  private let state: Mutex<SplitMix>

  package init(seed: UInt64) { state = Mutex(SplitMix(seed: seed)) }

  package func uuid() -> String { state.withLock { uuidText($0.next(), $0.next()) } }
}

/// SplitMix64 (Steele, Lea, Flood, 2014): small, seedable, good enough to choose faults.
package struct SplitMix: RandomNumberGenerator, Sendable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

/// RFC 9562 version 4.
private func uuidText(_ high: UInt64, _ low: UInt64) -> String {
  let a = (high & ~0xf000) | 0x4000
  let b = (low & ~(3 << 62)) | (2 << 62)
  let digits = hex(a) + hex(b)
  var text: [UInt8] = []
  text.reserveCapacity(36)
  for (index, digit) in digits.enumerated() {
    if index == 8 || index == 12 || index == 16 || index == 20 { text.append(UInt8(ascii: "-")) }
    text.append(digit)
  }
  return String(decoding: text, as: UTF8.self)
}

private func hex(_ value: UInt64) -> [UInt8] {
  (0..<16).map { index in
    let digit = UInt8(truncatingIfNeeded: (value >> UInt64(60 - 4 * index)) & 15)
    return digit < 10 ? 48 + digit : 87 + digit
  }
}
