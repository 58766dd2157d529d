import Columns
import Dataflow

extension Expression {
  /// Column i of type t becomes `replacement(i, t)`.
  func replacingColumnsTyped(_ replacement: (Int, DataType) -> Expression) -> Expression {
    if case .column(let index, let type) = self { return replacement(index, type) }
    return mapChildren { $0.replacingColumnsTyped(replacement) }
  }

  /// Markers become what `replacement` says; other columns, and markers it has nothing for, stay.
  func replacingMarkers(_ replacement: (Int) -> Expression?) -> Expression {
    replacingColumnsTyped { column, type in
      Marker.isMarker(column) ? replacement(column) ?? .column(column, type) : .column(column, type)
    }
  }

  func typeOfColumn(_ wanted: Int) -> DataType? {
    if case .column(wanted, let type) = self { return type }
    for child in children {
      if let found = child.typeOfColumn(wanted) { return found }
    }
    return nil
  }

  /// Nodes, counted up to a bound.
  func nodeCount(upTo bound: Int) -> Int {
    var count = 1
    for child in children {
      if count >= bound { return count }
      count += child.nodeCount(upTo: bound - count)
    }
    return count
  }

  /// Constant parts computed, AND and OR without what does not matter.
  ///
  /// - Parameter zone: of the session.
  func simplified(in zone: SessionZone) -> Expression {
    switch self {
    case .column, .literal: return self
    case .and(let parts):
      var kept: [Expression] = []
      for part in parts.map({ $0.simplified(in: zone) }) {
        if case .literal(.boolean(true), _) = part { continue }
        if case .literal(.boolean(false), _) = part { return part }
        if case .and(let inner) = part { kept += inner } else { kept.append(part) }
      }
      return kept.isEmpty ? .boolean(true) : kept.count == 1 ? kept[0] : .and(kept)
    case .or(let parts):
      var kept: [Expression] = []
      for part in parts.map({ $0.simplified(in: zone) }) {
        if case .literal(.boolean(false), _) = part { continue }
        if case .literal(.boolean(true), _) = part { return part }
        if case .or(let inner) = part { kept += inner } else { kept.append(part) }
      }
      return kept.isEmpty ? .boolean(false) : kept.count == 1 ? kept[0] : .or(kept)
    default:
      let simple = mapChildren { $0.simplified(in: zone) }
      let isReady = simple.children.allSatisfy { child in
        if case .literal = child { return true }
        return false
      }
      return isReady && isDeterministic ? simple.folded(in: zone) : simple
    }
  }
}
