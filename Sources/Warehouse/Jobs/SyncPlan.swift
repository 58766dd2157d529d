import Columns
import Connectors
import Dataflow

/// The plan of a synced table with its upserts on top: under the key of the target, which then plays their
/// state, whatever columns come and go and however many shards there are.
struct SyncPlan {
  let plan: Plan

  /// Nil when rows are made in a way that needs them whole: computed columns.
  init?(
    _ spec: JobSpec, key: [Int],
    _ upserts: (Plan.Source) throws(TerraceError) -> (wide: Plan.Source, bits: [Int])?
  ) throws(TerraceError) {
    guard spec.sync != nil, !key.isEmpty else { return nil }
    var branches: [Plan] = [spec.plan]
    if case .union(let parts) = spec.plan { branches = parts }
    var lifted: [Plan] = []
    var bits: [Int] = []
    for branch in branches {
      guard let (source, expressions, names) = SyncPlan.simple(branch),
        let (wide, own) = try upserts(source)
      else { return nil }
      let flag = wide.columns.count - 1
      let mapped = expressions.map { SyncPlan.bit($0, own) }
      guard let both = SyncPlan.joined(bits, mapped) else { return nil }
      bits = both
      lifted.append(
        .map(
          Plan.Map(
            input: .source(wide), expressions: expressions + [.column(flag, .bytes)],
            names: names + [ConnectorTable.unchangedColumn])))
    }
    let input = lifted.count == 1 ? lifted[0] : .union(lifted)
    plan = .upsert(Plan.Upsert(input: input, key: key, unchanged: bits))
  }

  /// Number of the bit that says of a record that it leaves the value out; -1 where none ever does: values of
  /// fixed width are always told.
  private static func bit(_ expression: Expression, _ own: [Int]) -> Int {
    guard let column = column(expression) else { return -1 }
    switch expression.type.physical {
    case .bytes, .list, .map, .row: return own[column]
    default: return -1
    }
  }

  /// One bit a column, of whatever shard; a shard that lacks the column says nothing of it. Nil when two shards
  /// have a column in different places.
  private static func joined(_ bits: [Int], _ more: [Int]) -> [Int]? {
    if bits.isEmpty { return more }
    var joined = bits
    for (column, bit) in more.enumerated() where bit >= 0 {
      if joined[column] >= 0, joined[column] != bit { return nil }
      joined[column] = bit
    }
    return joined
  }

  /// A branch that only picks columns of its source, casts them, or fills in nulls.
  private static func simple(
    _ plan: Plan
  ) -> (source: Plan.Source, expressions: [Expression], names: [String])? {
    switch plan {
    case .source(let source):
      guard source.predicate == .always else { return nil }
      let fields = plan.type.fields
      return (
        source, fields.enumerated().map { .column($0.offset, $0.element.type) }, fields.map(\.name)
      )
    case .map(let map):
      guard case .source(let source) = map.input, source.predicate == .always,
        map.condition == nil, map.expressions.allSatisfy({ column($0) != nil || isNull($0) })
      else { return nil }
      return (source, map.expressions, map.names)
    default: return nil
    }
  }

  private static func column(_ expression: Expression) -> Int? {
    switch expression {
    case .column(let column, _): column
    case .cast(let inner, _, _): column(inner)
    default: nil
    }
  }

  private static func isNull(_ expression: Expression) -> Bool {
    switch expression {
    case .literal(.null, _): true
    case .cast(let inner, _, _): isNull(inner)
    default: false
    }
  }
}
