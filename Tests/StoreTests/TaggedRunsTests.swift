import XCTest

@testable import Store

final class TaggedRunsTests: XCTestCase {
  private let runs = TaggedRuns(
    CompactionPicker(trigger: 5, sizeRatio: 1, maxSizeAmplification: 200, levelCount: 6))

  private func tree(_ levels: [(Int, Int)]) -> [CompactionPicker.Run] {
    levels.map { CompactionPicker.Run(level: $0.0, bytes: $0.1) }
  }

  func test_step_leavesTaggedRunsAlone() {
    let bulk = [(22, 10), (23, 1000)]
    XCTAssertNil(runs.step(tree([(0, 1)] + bulk), tagged: 2, beforeTag: false))
    XCTAssertNil(runs.step(tree([(0, 1)] + bulk), tagged: 2, beforeTag: true))
    XCTAssertNil(runs.step(tree(bulk), tagged: 2, beforeTag: true))
    let many = tree([(0, 1), (0, 1), (0, 1), (0, 1)] + bulk)
    XCTAssertNil(runs.step(many, tagged: 2, beforeTag: false))
    XCTAssertEqual(
      runs.step(many, tagged: 2, beforeTag: true), .merge(.init(runCount: 4, outputLevel: 21)))
  }

  func test_step_mergesTheRunsOfTheDayAtTheTrigger() {
    let five = tree([(0, 1), (0, 1), (0, 1), (0, 1), (20, 9), (22, 10), (23, 1000)])
    XCTAssertEqual(
      runs.step(five, tagged: 2, beforeTag: false), .merge(.init(runCount: 4, outputLevel: 19)))
    let even = tree([(0, 3), (0, 3), (0, 2), (0, 1), (20, 9), (22, 10), (23, 1000)])
    XCTAssertEqual(
      runs.step(even, tagged: 2, beforeTag: false), .merge(.init(runCount: 5, outputLevel: 21)))
  }

  func test_step_makesRoomByMovingRunsDeeper() {
    let low = tree([(0, 1), (0, 1), (1, 5), (5, 100)])
    XCTAssertEqual(
      runs.step(low, tagged: 2, beforeTag: true), .settle(levels: [22, 23]))
    let flat = tree([(0, 1), (0, 1), (0, 5), (0, 100)])
    XCTAssertEqual(
      runs.step(flat, tagged: 2, beforeTag: true), .settle(levels: [22, 23]))
  }

  func test_step_mergesManySmallTaggedRunsRatherThanABigOne() {
    let small = (0..<15).map { (7 + $0, 10) }
    let tagged = [(6, 10)] + small + [(22, 150), (23, 1000)]
    let all = tree([(0, 1)] + tagged)
    XCTAssertEqual(
      runs.step(all, tagged: 18, beforeTag: false), .merge(.init(runCount: 17, outputLevel: 21)))
    XCTAssertNil(runs.step(tree(tagged), tagged: 18, beforeTag: true))
  }

  func test_step_mergesAllWhenTheYoungOutweighTheBulk() {
    let all = tree([(0, 500), (0, 500), (20, 600), (22, 500), (23, 1000)])
    XCTAssertEqual(
      runs.step(all, tagged: 2, beforeTag: false), .merge(.init(runCount: 5, outputLevel: 23)))
  }
}
