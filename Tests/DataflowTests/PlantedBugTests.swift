import Columns
import XCTest

@testable import Dataflow

/// The test of the test: mistakes that an incremental engine makes are planted, and the comparison
/// with the recompute has to notice each within a few hundred seeds.
final class PlantedBugTests: XCTestCase {
  private let seeds: ClosedRange<UInt64> = 1...600

  private func rewrite(_ plan: Plan, _ change: @escaping (Plan) -> Plan) -> Plan {
    func inner(_ input: Plan) -> Plan { rewrite(input, change) }
    switch plan {
    case .source, .values: return change(plan)
    case .map(var node):
      node.input = inner(node.input)
      return change(.map(node))
    case .join(var node):
      node.left = inner(node.left)
      node.right = inner(node.right)
      return change(.join(node))
    case .aggregate(var node):
      node.input = inner(node.input)
      return change(.aggregate(node))
    case .rank(var node):
      node.input = inner(node.input)
      return change(.rank(node))
    case .over(var node):
      node.input = inner(node.input)
      return change(.over(node))
    case .union(let inputs): return change(.union(inputs.map(inner)))
    case .setOperation(var node):
      node.left = inner(node.left)
      node.right = inner(node.right)
      return change(.setOperation(node))
    case .sort(var node):
      node.input = inner(node.input)
      return change(.sort(node))
    default: return plan
    }
  }

  private func joins(_ change: @escaping (inout Plan.Join) -> Void) -> (Plan) -> Plan {
    { plan in
      self.rewrite(plan) { part in
        guard case .join(var join) = part else { return part }
        change(&join)
        return .join(join)
      }
    }
  }

  private func calls(_ change: @escaping (inout AggregateCall) -> Void) -> (Plan) -> Plan {
    { plan in
      self.rewrite(plan) { part in
        guard case .aggregate(var node) = part else { return part }
        for i in node.calls.indices { change(&node.calls[i]) }
        return .aggregate(node)
      }
    }
  }

  private func assertCaught(
    _ bug: String, _ plant: (inout Trial) -> Void, file: StaticString = #filePath,
    line: UInt = #line
  ) throws {
    for seed in seeds {
      var trial = Trial(seed: seed)
      plant(&trial)
      if case .differs = try trial.run() {
        print("planted bug caught by seed \(seed): \(bug)")
        return
      }
    }
    XCTFail("not caught: \(bug)", file: file, line: line)
  }

  func test_comparison_catchesTwelvePlantedBugs() throws {
    try assertCaught("deletes are lost on the way in") {
      $0.mutateInput = { $0.filter { $0.1 > 0 } }
    }
    try assertCaught("a row that comes twice counts once") {
      $0.mutateInput = { $0.map { ($0.0, $0.1.signum()) } }
    }
    try assertCaught("retractions are not sent") {
      $0.mutateOutput = { deltas in
        deltas.map { delta in
          let w = delta.weights.pointer(Int64.self)
          let rows = Rows(count: delta.count) { w[$0] > 0 }
          return delta.gather(rows.buffer.pointer(Int32.self), count: rows.count)
        }
      }
    }
    try assertCaught("a null key meets a null key") {
      $0.mutatePlan = joins { $0.nullSafe = $0.nullSafe.map { _ in true } }
    }
    try assertCaught("the condition beside the keys is forgotten") {
      $0.mutatePlan = joins { if !$0.isNullAware { $0.residual = nil } }
    }
    try assertCaught("rows without partner are not padded") {
      $0.mutatePlan = joins {
        if [.left, .full, .right].contains($0.kind) {
          $0.residual = .and([$0.residual ?? .boolean(true), .boolean(false)])
        }
      }
    }
    try assertCaught("NOT IN takes null for a value that differs") {
      $0.mutatePlan = joins { $0.isNullAware = false }
    }
    try assertCaught("DISTINCT is forgotten") { $0.mutatePlan = calls { $0.isDistinct = false } }
    try assertCaught("FILTER is forgotten") { $0.mutatePlan = calls { $0.filter = nil } }
    try assertCaught("MIN keeps a value that is gone, as MAX would") {
      $0.mutatePlan = calls { if $0.function == .min { $0.function = .max } }
    }
    try assertCaught("a rank is off by one") {
      $0.mutatePlan = { plan in
        self.rewrite(plan) { part in
          guard case .rank(var rank) = part else { return part }
          rank.ranks = rank.ranks.lowerBound...(rank.ranks.upperBound + 1)
          return .rank(rank)
        }
      }
    }
    try assertCaught("EXCEPT ALL and INTERSECT ALL count rows once") {
      $0.mutatePlan = { plan in
        self.rewrite(plan) { part in
          guard case .setOperation(var node) = part else { return part }
          node.all = false
          return .setOperation(node)
        }
      }
    }
  }
}
