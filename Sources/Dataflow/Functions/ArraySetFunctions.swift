internal import Columns

/// Where an element of one array stands in another; null equals null.
func contains(_ child: Column, _ rows: Range<Int>, _ other: Column, _ row: Int) -> Bool {
  rows.contains { at in
    let isNull = (child.isNull(at), other.isNull(row))
    return isNull.0 || isNull.1 ? isNull.0 && isNull.1 : child.equals(at, other, row)
  }
}

/// The distinct elements of the first array for which `keeps` holds; and those of the second that are
/// new, where `takesBoth`.
private func combining(
  _ name: String, takesBoth: Bool, keeps: @escaping @Sendable (Bool) -> Bool
) -> Function {
  picking(name, [.common, .common]) { (call, i, take) throws(TerraceError) in
    guard call.arguments.allSatisfy({ $0.column.physical == .list }) else {
      throw call.failure("takes two arrays", call.arguments[0].type.text)
    }
    let (a, b) = (call.arguments[0], call.arguments[1])
    let (left, right) = (a.column.children[0], b.column.children[0])
    let (rows, others) = (range(a, i), range(b, i))
    for row in rows where !contains(left, rows.lowerBound..<row, left, row) {
      if keeps(contains(right, others, left, row)) { take(0, row) }
    }
    guard takesBoth else { return true }
    for row in others where !contains(right, others.lowerBound..<row, right, row) {
      if !contains(left, rows, right, row) { take(1, row) }
    }
    return true
  }
}

/// An array with a value put before or behind it.
private func extending(_ name: String, isFirst: Bool) -> Function {
  Function(
    name, [.array, .element],
    .rule { (a) throws(TerraceError) -> DataType in
      let element = elementType(a[0].type)
      return DataType(
        .array(a[1].type.isNullable ? element.nullable : element), nullable: a[0].type.isNullable)
    }, seesNulls: true
  ) { (call) throws(TerraceError) -> Column in
    let (array, value) = (call.arguments[0], call.arguments[1])
    let source = [array.column.children[0], value.column]
    let extended = try lists(call, source) { (i, take) in
      if array.column.isNull(i & array.mask) { return false }
      if isFirst { take(1, i & value.mask) }
      for row in range(array, i) { take(0, row) }
      if !isFirst { take(1, i & value.mask) }
      return true
    }
    return extended
  }
}

let arraySetFunctions: [Function] = [
  combining("ARRAY_UNION", takesBoth: true) { _ in true },
  combining("ARRAY_INTERSECT", takesBoth: false) { $0 },
  combining("ARRAY_EXCEPT", takesBoth: false) { !$0 },
  extending("ARRAY_APPEND", isFirst: false), extending("ARRAY_PREPEND", isFirst: true),
  Function(
    "ARRAY_REMOVE", [.array, .element],
    .rule { (a) throws(TerraceError) -> DataType in a[0].type }, seesNulls: true
  ) { (call) throws(TerraceError) -> Column in
    let (array, value) = (call.arguments[0], call.arguments[1])
    let child = array.column.children[0]
    return try lists(call, [child]) { (i, take) in
      if array.column.isNull(i & array.mask) { return false }
      let at = i & value.mask
      for row in range(array, i) where !contains(child, row..<row + 1, value.column, at) {
        take(0, row)
      }
      return true
    }
  },
]
