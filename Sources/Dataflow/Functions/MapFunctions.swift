internal import Columns

/// A map column of rows of keys and values, each named by its source and its row there. Of equal keys of one
/// row the last value counts, where the first stands.
private func maps(
  _ call: FunctionCall, _ keys: [Column], _ values: [Column],
  _ pick: (Int, (Int, Int, Int) -> Void) throws(TerraceError) -> Void
) throws(TerraceError) -> Column {
  guard case .map(let keyType, let valueType) = call.type.kind else {
    throw call.failure("no map", call.type.text)
  }
  let cast = TextCast(context: call.context, orNull: false)
  var (keys, values) = (keys, values)
  for k in keys.indices {
    keys[k] = try cast.apply(keys[k], to: keyType)
    values[k] = try cast.apply(values[k], to: valueType)
  }
  let offsets = Buffer(byteCount: (call.count + 1) * 4)
  var sources: [UInt16] = []
  var keyRows: [Int32] = []
  var valueRows: [Int32] = []
  var valueSources: [UInt16] = []
  offsets.pointer(Int32.self)[0] = 0
  for i in 0..<call.count {
    let first = keyRows.count
    if call.isValid(i) {
      try pick(i) { source, keyRow, valueRow in
        let column = keys[source]
        let same = (first..<keyRows.count).first { at in
          let other = keys[Int(sources[at])]
          let nulls = (other.isNull(Int(keyRows[at])), column.isNull(keyRow))
          return nulls.0 || nulls.1
            ? nulls.0 && nulls.1 : other.equals(Int(keyRows[at]), column, keyRow)
        }
        if let same {
          valueRows[same] = Int32(valueRow)
          valueSources[same] = UInt16(source)
        } else {
          sources.append(UInt16(source))
          keyRows.append(Int32(keyRow))
          valueRows.append(Int32(valueRow))
          valueSources.append(UInt16(source))
        }
      }
    }
    offsets.pointer(Int32.self)[i + 1] = Int32(keyRows.count)
  }
  let n = keyRows.count
  let children = [
    Column.interleave(keys, sources: sources, rows: keyRows, count: n).retyped(keyType),
    Column.interleave(values, sources: valueSources, rows: valueRows, count: n)
      .retyped(valueType),
  ]
  return Column(
    type: call.type, count: call.count, values: nil, offsets: offsets, validity: call.validity,
    children: children)
}

let mapFunctions: [Function] = [
  Function(
    "MAP_FROM_ARRAYS", [.array, .array],
    .rule { (a) throws(TerraceError) -> DataType in
      DataType(
        .map(elementType(a[0].type), elementType(a[1].type)),
        nullable: a.contains { $0.type.isNullable })
    }
  ) { (call) throws(TerraceError) -> Column in
    let (keys, values) = (call.arguments[0], call.arguments[1])
    return try maps(call, [keys.column.children[0]], [values.column.children[0]]) {
      (i, add) throws(TerraceError) in
      let (k, v) = (range(keys, i), range(values, i))
      guard k.count == v.count else {
        throw call.failure("takes as many keys as values", "\(k.count) and \(v.count)")
      }
      for n in 0..<k.count { add(0, k.lowerBound + n, v.lowerBound + n) }
    }
  },
  Function(
    "MAP_UNION", [.map], repeats: true,
    .rule { (a) throws(TerraceError) -> DataType in
      var keys: [DataType] = []
      var values: [DataType] = []
      for argument in a {
        guard case .map(let key, let value) = argument.type.kind else {
          throw invalid("MAP_UNION", a)
        }
        keys.append(key)
        values.append(value)
      }
      guard let key = TypeRules.common(keys), let value = TypeRules.common(values) else {
        throw invalid("MAP_UNION", a)
      }
      return DataType(.map(key, value), nullable: a.contains { $0.type.isNullable })
    }
  ) { (call) throws(TerraceError) -> Column in
    let sides = (0...1).map { side in call.arguments.map { $0.column.children[side] } }
    return try maps(call, sides[0], sides[1]) { (i, add) in
      for (source, map) in call.arguments.enumerated() {
        for row in range(map, i) { add(source, row, row) }
      }
    }
  },
  Function(
    "MAP_ENTRIES", [.map],
    .rule { (a) throws(TerraceError) -> DataType in
      guard case .map(let key, let value) = a[0].type.kind else { throw invalid("MAP_ENTRIES", a) }
      let entry = DataType(
        .row([Field(id: 0, name: "key", type: key), Field(id: 1, name: "value", type: value)]),
        nullable: true)
      return DataType(.array(entry), nullable: a[0].type.isNullable)
    }
  ) { (call) throws(TerraceError) -> Column in
    let map = call.arguments[0].full(call.count)
    let n = Int(map.offsets[call.count])
    let entries = Column(
      type: elementType(call.type), count: n, values: nil,
      children: map.children.map { $0.count == n ? $0 : $0.slice(0..<n) })
    return try lists(call, [entries]) { (i, take) in
      for row in Int(map.offsets[i])..<Int(map.offsets[i + 1]) { take(0, row) }
      return true
    }
  },
]
