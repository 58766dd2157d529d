internal import Columns

/// A side of a join whose rows are those of one source table, with at most filters and projections above it,
/// and of which each join key has one row at most: the table can be looked up in the place of state.
///
/// That holds where the table's primary key is the join key, or part of it. The side is never one of which
/// rows are sent that have no partner: both sides of an inner join, else the side that may be missing.
package struct PlayedSide: Hashable, Sendable {
  package let source: Plan.Source
  /// Which of the join's keys are the source's primary key, in the order of ``Plan/Source/primaryKey``.
  let places: [Int]
  /// Changes of one snapshot may be cut: nothing is asked of the side for its own changes.
  package let isCuttable: Bool

  init?(_ join: Plan.Join, _ side: Int) {
    let plan = side == 0 ? join.left : join.right
    let keys = side == 0 ? join.leftKeys : join.rightKeys
    let mayMiss: Set<Plan.Join.Kind> =
      side == 0 ? [.inner, .right] : [.inner, .left, .semi, .anti]
    guard mayMiss.contains(join.kind), !join.isNullAware, plan.isDeterministic else { return nil }
    var node = plan
    var columns: [Int?] = keys
    while case .map(let map) = node {
      columns = columns.map { $0.flatMap { map.expressions[$0].column } }
      node = map.input
    }
    guard case .source(let source) = node, !source.isAppendOnly, !source.primaryKey.isEmpty else {
      return nil
    }
    var places: [Int] = []
    for column in source.primaryKey {
      guard let place = columns.firstIndex(of: column) else { return nil }
      // Zero and minus zero are one key here and two in a table.
      let physical = plan.type.fields[keys[place]].type.physical
      if [.float32, .float64].contains(physical) { return nil }
      places.append(place)
    }
    self.source = source
    self.places = places
    isCuttable = join.kind == .inner
  }
}

extension Expression {
  /// The column that this expression hands on as it is.
  package var column: Int? {
    switch self {
    case .column(let column, _): column
    case .cast(let inner, let type, _) where inner.type.kind == type.kind: inner.column
    default: nil
    }
  }
}

extension Plan {
  /// Sides of joins that source tables could play, each table read at one place of the plan only: its changes
  /// then come to the side and nowhere else.
  ///
  /// The other side sends nothing by itself, as windows do when their time has come: at that moment the table
  /// might stand within a snapshot.
  package var playableSides: [PlayedSide] {
    var counts: [String: Int] = [:]
    countSources(&counts)
    return joinSides.filter { counts[$0.source.reference] == 1 }
  }

  private func countSources(_ counts: inout [String: Int]) {
    if case .source(let source) = self { counts[source.reference, default: 0] += 1 }
    for input in inputs { input.countSources(&counts) }
  }

  private var joinSides: [PlayedSide] {
    var found = inputs.flatMap(\.joinSides)
    guard case .join(let join) = self else { return found }
    for side in 0...1 where !(side == 0 ? join.right : join.left).hasWindows {
      if let played = PlayedSide(join, side) { found.append(played) }
    }
    return found
  }

  /// Rows may come too late, and which do depends on where epochs end.
  package var hasWindows: Bool {
    if case .windowAggregate = self { return true }
    return inputs.contains(where: \.hasWindows)
  }
}
