/// How a bucket is compacted whose older runs tags hold: a run that a tag names stays on the disk when it
/// is rewritten, so that rewriting costs its size for as long as the tag is kept.
///
/// The runs of a day are merged freely, and into one before the day is tagged. Tagged runs are left alone
/// until there are ``runsMax``; then those are merged that cost least for each run that goes: many small ones
/// rather than a big one, and the table's bulk last. A hundred daily tags of a table of which a hundredth
/// changes a day so rewrite each change about twice, where the size ratio alone would do it four to six times.
struct TaggedRuns: Sendable {
  /// Tagged runs that a bucket may have beside the table's bulk.
  static let runsMax = 16
  /// Levels for those, for the runs of the day, and some to spare.
  static let levelCount = runsMax + 8

  enum Step: Equatable {
    case merge(CompactionPicker.Pick)
    /// The last runs, which are at least two in all or the table's bulk, get these levels and stay as they
    /// are: room for what is merged next.
    case settle(levels: [Int])
  }

  let picker: CompactionPicker
  private var maxLevel: Int { picker.levelCount - 1 }

  init(_ picker: CompactionPicker) {
    self.picker = CompactionPicker(
      trigger: picker.trigger, sizeRatio: picker.sizeRatio,
      maxSizeAmplification: picker.maxSizeAmplification,
      levelCount: max(picker.levelCount, TaggedRuns.levelCount))
  }

  /// - Parameters:
  ///   - runs: newest first, as the picker takes them.
  ///   - tagged: how many of the oldest a tag holds; at least one.
  ///   - beforeTag: what is new is about to be tagged.
  func step(_ runs: [CompactionPicker.Run], tagged: Int, beforeTag: Bool) -> Step? {
    let young = runs.count - tagged
    if young == 0 || tagged == 0 { return nil }
    if picker.isAmplified(runs) {
      return .merge(CompactionPicker.Pick(runCount: runs.count, outputLevel: maxLevel))
    }
    var count = 0
    if tagged > (beforeTag ? TaggedRuns.runsMax - 1 : TaggedRuns.runsMax) {
      count = cheapest(runs, young: young)
    } else if beforeTag {
      count = young
    } else if young >= picker.trigger {
      count = youngest(runs, young: young)
    }
    return count < 2 ? nil : step(runs, merging: count)
  }

  private func step(_ runs: [CompactionPicker.Run], merging count: Int) -> Step {
    if count == runs.count {
      return .merge(CompactionPicker.Pick(runCount: count, outputLevel: maxLevel))
    }
    let output = runs[count].level - 1
    if output >= 1 { return .merge(CompactionPicker.Pick(runCount: count, outputLevel: output)) }
    let older = runs.count - count
    // More runs than levels: foreign writers were here. All become one.
    guard older <= maxLevel - 1 else {
      return .merge(CompactionPicker.Pick(runCount: runs.count, outputLevel: maxLevel))
    }
    return .settle(levels: Array((maxLevel - older + 1)...maxLevel))
  }

  /// How many of the newest runs are merged at the least bytes for each run that goes; never the bulk.
  private func cheapest(_ runs: [CompactionPicker.Run], young: Int) -> Int {
    var (bytes, best, count) = (0.0, Double.infinity, 0)
    for (index, run) in runs.dropLast().enumerated() {
      bytes += Double(run.bytes)
      let gone = index + 1 - young
      if gone >= 1, bytes / Double(gone) < best {
        best = bytes / Double(gone)
        count = index + 1
      }
    }
    return count
  }

  /// Of the runs that no tag holds: all of level 0, which has no order, and older ones by size.
  private func youngest(_ runs: [CompactionPicker.Run], young: Int) -> Int {
    var count = max(2, runs.prefix(young).prefix { $0.level == 0 }.count)
    var bytes = runs.prefix(count).reduce(0.0) { $0 + Double($1.bytes) }
    while count < young,
      bytes * Double(100 + picker.sizeRatio) / 100 >= Double(runs[count].bytes)
    {
      bytes += Double(runs[count].bytes)
      count += 1
    }
    return young - count + 1 >= picker.trigger ? young : count
  }
}
