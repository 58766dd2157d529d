/// Which sorted runs of a bucket are merged next, and into which level.
///
/// Paimon's universal compaction (`UniversalCompaction.java`), after RocksDB's style of the same
/// name: few runs, each older one larger. Sizes are file bytes.
package struct CompactionPicker: Sendable {
  package struct Run: Hashable, Sendable {
    package let level: Int
    package let bytes: Int
    package init(level: Int, bytes: Int) {
      self.level = level
      self.bytes = bytes
    }
  }

  /// The newest `runCount` runs go to `outputLevel`, which is never 0.
  package struct Pick: Hashable, Sendable {
    package let runCount: Int
    package let outputLevel: Int
  }

  /// `num-sorted-run.compaction-trigger`.
  package let trigger: Int
  /// `compaction.size-ratio`, in percent.
  package let sizeRatio: Int
  /// `compaction.max-size-amplification-percent`.
  package let maxSizeAmplification: Int
  package let levelCount: Int

  package init(trigger: Int, sizeRatio: Int, maxSizeAmplification: Int, levelCount: Int) {
    self.trigger = trigger
    self.sizeRatio = sizeRatio
    self.maxSizeAmplification = maxSizeAmplification
    self.levelCount = levelCount
  }

  private var maxLevel: Int { levelCount - 1 }

  /// - Parameter runs: newest first: level 0 file by file, then one run a level.
  package func pick(_ runs: [Run]) -> Pick? {
    if let pick = pickForSizeAmplification(runs) { return pick }
    if runs.count >= trigger, let pick = pickForSizeRatio(runs, joined: 1, force: false) {
      return pick
    }
    if runs.count > trigger {
      return pickForSizeRatio(runs, joined: runs.count - trigger + 1, force: true)
    }
    return nil
  }

  /// All level-0 runs, with as many older ones as the size ratio joins: what a changelog producer
  /// that looks up wants after every flush.
  package func pickForced(_ runs: [Run]) -> Pick? {
    if let pick = pick(runs) { return pick }
    let young = runs.prefix { $0.level == 0 }.count
    return young == 0 ? nil : pickForSizeRatio(runs, joined: young, force: true)
  }

  /// Everything into the last level; nil when it lies there already.
  package func pickFull(_ runs: [Run]) -> Pick? {
    if runs.isEmpty || (runs.count == 1 && runs[0].level >= maxLevel) { return nil }
    return Pick(runCount: runs.count, outputLevel: maxLevel)
  }

  private func pickForSizeAmplification(_ runs: [Run]) -> Pick? {
    isAmplified(runs) ? Pick(runCount: runs.count, outputLevel: maxLevel) : nil
  }

  /// Whether there is so much beside the oldest run that all are to be one.
  func isAmplified(_ runs: [Run]) -> Bool {
    guard runs.count >= trigger, let oldest = runs.last else { return false }
    let younger = runs.dropLast().reduce(0) { $0 &+ $1.bytes }
    // Doubles as in Java would do; the division keeps hostile sizes from overflowing.
    return Double(younger) * 100 > Double(maxSizeAmplification) * Double(oldest.bytes)
  }

  private func pickForSizeRatio(_ runs: [Run], joined start: Int, force: Bool) -> Pick? {
    var joined = start
    var triggered = force || start > 1
    var bytes = runs.prefix(start).reduce(0.0) { $0 + Double($1.bytes) }
    while joined < runs.count {
      let next = runs[joined]
      let isBig = bytes * Double(100 + sizeRatio) / 100 < Double(next.bytes)
      if isBig && (!triggered || next.level > 1) { break }
      bytes += Double(next.bytes)
      joined += 1
      triggered = true
    }
    return triggered ? output(runs, joined) : nil
  }

  private func output(_ runs: [Run], _ picked: Int) -> Pick {
    var count = picked
    var level = count == runs.count ? maxLevel : max(0, runs[count].level - 1)
    if level == 0 {
      // Level 0 has no order: swallow runs until one lies deeper, and take its level.
      while count < runs.count {
        let next = runs[count]
        count += 1
        if next.level != 0 {
          level = next.level
          break
        }
      }
    }
    if count == runs.count { level = maxLevel }
    return Pick(runCount: count, outputLevel: level)
  }
}
