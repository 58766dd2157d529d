import XCTest

@testable import Store

/// Cases after Paimon's `UniversalCompactionTest`, with the numbers worked out by hand.
final class CompactionPickerTests: XCTestCase {
  private func picker(trigger: Int = 3, ratio: Int = 1, amplification: Int = 25, levels: Int = 4)
    -> CompactionPicker
  {
    CompactionPicker(
      trigger: trigger, sizeRatio: ratio, maxSizeAmplification: amplification, levelCount: levels)
  }

  private func young(_ sizes: Int...) -> [CompactionPicker.Run] {
    sizes.map { CompactionPicker.Run(level: 0, bytes: $0) }
  }

  private func runs(_ levels: [(Int, Int)]) -> [CompactionPicker.Run] {
    levels.map { CompactionPicker.Run(level: $0.0, bytes: $0.1) }
  }

  func test_pick_isNilBelowTheTrigger() {
    XCTAssertNil(picker().pick(young(1, 1)))
    XCTAssertNil(picker().pick([]))
  }

  func test_pick_takesAllRunsWhenTheYoungAmplifyTheOldest() {
    let pick = picker().pick(runs([(0, 1), (0, 1), (0, 1), (3, 3)]))
    XCTAssertEqual(pick, CompactionPicker.Pick(runCount: 4, outputLevel: 3))
  }

  func test_pick_leavesAmplificationAtTheLimit() {
    // 100 · 1 is not above 25 · 4 and 1 is smaller than its neighbour: nothing to do.
    XCTAssertNil(picker(trigger: 2).pick(runs([(0, 1), (3, 4)])))
  }

  func test_pick_joinsRunsOfLikeSizeAndStopsBeforeABigOne() {
    let pick = picker(trigger: 4).pick(runs([(0, 1), (0, 1), (0, 2), (3, 100)]))
    XCTAssertEqual(pick, CompactionPicker.Pick(runCount: 3, outputLevel: 2))
  }

  func test_pick_joinsABigRunOnLevel1OnceStarted() {
    let pick = picker(trigger: 3).pick(runs([(0, 1), (0, 1), (1, 90), (3, 1000)]))
    XCTAssertEqual(pick, CompactionPicker.Pick(runCount: 3, outputLevel: 2))
  }

  func test_pick_isNilWhenTheNewestRunIsSmallerThanItsNeighbour() {
    XCTAssertNil(picker(trigger: 3).pick(runs([(0, 1), (0, 3), (3, 100)])))
  }

  func test_pick_takesTheYoungestRunsWhenThereAreTooMany() {
    let pick = picker(trigger: 3).pick(runs([(0, 1), (0, 3), (2, 20), (3, 200)]))
    XCTAssertEqual(pick, CompactionPicker.Pick(runCount: 2, outputLevel: 1))
  }

  func test_pick_neverWritesLevel0() {
    // The next run lies on level 1: level 0 would be the output, so it is swallowed.
    let pick = picker(trigger: 2, amplification: 100_000).pick(
      runs([(0, 1), (0, 1), (0, 100), (1, 1000), (3, 100_000)]))
    XCTAssertEqual(pick, CompactionPicker.Pick(runCount: 4, outputLevel: 2))
  }

  func test_pickForced_takesAllOfLevel0() {
    let pick = picker(trigger: 5).pickForced(runs([(0, 1), (0, 1), (3, 100)]))
    XCTAssertEqual(pick, CompactionPicker.Pick(runCount: 2, outputLevel: 2))
    XCTAssertEqual(
      picker(trigger: 5).pickForced(young(7)), CompactionPicker.Pick(runCount: 1, outputLevel: 3))
    XCTAssertNil(picker(trigger: 5).pickForced(runs([(3, 100)])))
  }

  func test_pickFull_isNilWhenAllLiesInTheLastLevel() {
    XCTAssertNil(picker().pickFull(runs([(3, 5)])))
    XCTAssertEqual(
      picker().pickFull(runs([(2, 5)])), CompactionPicker.Pick(runCount: 1, outputLevel: 3))
  }
}
