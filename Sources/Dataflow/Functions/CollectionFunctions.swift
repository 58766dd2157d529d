internal import Columns

/// Elements of an ARRAY, MAP or MULTISET argument of a row.
func range(_ vector: Vector, _ row: Int) -> Range<Int> {
  let i = row & vector.mask
  return Int(vector.column.offsets[i])..<Int(vector.column.offsets[i + 1])
}

func elementType(_ type: DataType) -> DataType {
  switch type.kind {
  case .array(let element), .multiset(let element): element
  case .map(let key, _): key
  default: type
  }
}

/// A list column from element rows of several columns: `pick` names, for each row, the elements.
func lists(
  _ call: FunctionCall, _ sources: [Column],
  _ pick: (Int, (Int, Int) -> Void) throws(TerraceError) -> Bool
) throws(TerraceError) -> Column {
  let offsets = Buffer(byteCount: (call.count + 1) * 4)
  let o = offsets.pointer(Int32.self)
  let bits = Bitmap(count: call.count, filled: false)
  var rows: [Int32] = []
  var from: [UInt16] = []
  o[0] = 0
  for i in 0..<call.count {
    if call.isValid(i),
      try pick(
        i,
        { source, row in
          from.append(UInt16(source))
          rows.append(Int32(row))
        })
    {
      bits.set(i)
    }
    o[i + 1] = Int32(rows.count)
  }
  let element = elementType(call.type)
  let same = sources.map { $0.retyped(element) }
  let child = Column.interleave(same, sources: from, rows: rows, count: rows.count)
  return Column(
    type: call.type, count: call.count, values: nil, offsets: offsets,
    validity: bits.setCount == call.count ? nil : bits, children: [child.retyped(element)])
}

/// A function from arrays to an array of the same type: picks elements by source and row.
func picking(
  _ name: String, _ parameters: [Function.Parameter], optional: Int = 0, repeats: Bool = false,
  _ pick: @escaping @Sendable (FunctionCall, Int, (Int, Int) -> Void) throws(TerraceError) -> Bool
) -> Function {
  Function(
    name, parameters, optional: optional, repeats: repeats,
    .rule { (a) throws(TerraceError) -> DataType in
      guard TypeRules.family(a[0].type) == .array else { throw invalid(name, a) }
      return a[0].type.nullable
    }
  ) { (call) throws(TerraceError) -> Column in
    let sources = call.arguments.filter { $0.column.physical == .list }.map {
      $0.column.children[0]
    }
    return try lists(call, sources) { (i, take) throws(TerraceError) -> Bool in
      try pick(call, i, take)
    }
  }
}

/// Rows of elements in the order of their values; nulls first.
private func order(_ column: Column, _ rows: Range<Int>, descending: Bool) -> [Int] {
  let part = column.slice(rows)
  let keys = KeyEncoder([part.type.nullable], descending: [descending])
    .encode(KeyIndex.normalized([part]), count: part.count)
  let sorted = keys.sortedRows()
  return (0..<part.count).map { rows.lowerBound + Int(sorted.pointer(Int32.self)[$0]) }
}

private func extremeElement(_ name: String, wantsMax: Bool) -> Function {
  Function(
    name, [.array],
    .rule { (a) throws(TerraceError) -> DataType in
      elementType(a[0].type).nullable
    }
  ) { (call) throws(TerraceError) -> Column in
    let array = call.arguments[0]
    let child = array.column.children[0]
    let ids = Buffer(byteCount: call.count * 4)
    for i in 0..<call.count {
      ids.pointer(Int32.self)[i] = -1
      guard call.isValid(i) else { continue }
      let sorted = order(child, range(array, i), descending: wantsMax).filter { !child.isNull($0) }
      if let first = sorted.first { ids.pointer(Int32.self)[i] = Int32(first) }
    }
    return child.gatherOrNull(ids.pointer(Int32.self), call.count).retyped(call.type)
  }
}

private func mapSide(_ name: String, _ side: Int) -> Function {
  Function(
    name, [.map],
    .rule { (a) throws(TerraceError) -> DataType in
      guard case .map(let key, let value) = a[0].type.kind else { return a[0].type }
      return DataType(.array(side == 0 ? key : value), nullable: a[0].type.isNullable)
    }
  ) { (call) throws(TerraceError) -> Column in
    let map = call.arguments[0]
    return try lists(call, [map.column.children[side]]) { (i, take) in
      for row in range(map, i) { take(0, row) }
      return true
    }
  }
}

func invalid(_ name: String, _ arguments: [Expression]) -> TerraceError {
  let types = arguments.map { $0.type.nullable.text }.joined(separator: ", ")
  return TerraceError(.invalid, "\(name) does not take (\(types))")
}

let collectionFunctions: [Function] = [
  Function(
    "ARRAY", [.common], repeats: true,
    .rule { (a) throws(TerraceError) -> DataType in
      // Cast to one type, they differ only in whether they may be null.
      let element = DataType(a[0].type.kind, nullable: a.contains { $0.type.isNullable })
      return DataType(.array(element), nullable: false)
    }, seesNulls: true
  ) { (call) throws(TerraceError) -> Column in
    let columns = call.arguments.map { $0.column }
    let masks = call.arguments.map(\.mask)
    return try lists(call, columns) { (i, take) in
      for k in columns.indices { take(k, i & masks[k]) }
      return true
    }
  },
  Function(
    "MAP", [.any, .any], repeats: true,
    .rule { (a) throws(TerraceError) -> DataType in
      let keys = a.indices.filter { $0 % 2 == 0 }.map { a[$0].type }
      let values = a.indices.filter { $0 % 2 == 1 }.map { a[$0].type }
      guard a.count % 2 == 0, let key = TypeRules.common(keys), let value = TypeRules.common(values)
      else { throw invalid("MAP", a) }
      return DataType(.map(key, value), nullable: false)
    }, seesNulls: true
  ) { (call) throws(TerraceError) -> Column in
    guard case .map(let key, let value) = call.type.kind else {
      throw call.failure("no map", call.type.text)
    }
    let cast = TextCast(context: call.context, orNull: false)
    var sides: [[Column]] = [[], []]
    for (k, argument) in call.arguments.enumerated() {
      sides[k % 2].append(try cast.apply(argument.full(call.count), to: k % 2 == 0 ? key : value))
    }
    let n = call.count
    let pairs = call.arguments.count / 2
    let offsets = Buffer(byteCount: (n + 1) * 4)
    var rows: [Int32] = []
    var from: [UInt16] = []
    offsets.pointer(Int32.self)[0] = 0
    let keys = sides[0]
    for i in 0..<n {
      // The last of several values of a key counts.
      for k in 0..<pairs where !(k + 1..<pairs).contains(where: { keys[k].equals(i, keys[$0], i) })
      {
        rows.append(Int32(i))
        from.append(UInt16(k))
      }
      offsets.pointer(Int32.self)[i + 1] = Int32(rows.count)
    }
    let children = zip(sides, [key, value]).map { columns, type in
      Column.interleave(columns, sources: from, rows: rows, count: rows.count).retyped(type)
    }
    return Column(
      type: call.type, count: n, values: nil, offsets: offsets, children: children)
  },
  Function(
    "ROW", [.any], repeats: true,
    .rule { (a) throws(TerraceError) -> DataType in
      DataType(
        .row(
          a.enumerated().map {
            Field(id: $0.offset, name: "EXPR$\($0.offset)", type: $0.element.type)
          }),
        nullable: false)
    }, seesNulls: true
  ) { (call) throws(TerraceError) -> Column in
    guard case .row(let fields) = call.type.kind else {
      throw call.failure("no row", call.type.text)
    }
    let children = zip(call.arguments, fields).map { $0.full(call.count).retyped($1.type) }
    return Column(type: call.type, count: call.count, values: nil, children: children)
  },
  Function(
    "$FIELD", [.any, .int],
    .rule { (a) throws(TerraceError) -> DataType in
      guard case .row(let fields) = a[0].type.kind, case .literal(.int(let i), _) = a[1],
        fields.indices.contains(Int(i))
      else { throw invalid("a field access", a) }
      return DataType(
        fields[Int(i)].type.kind, nullable: a[0].type.isNullable || fields[Int(i)].type.isNullable)
    }
  ) { (call) throws(TerraceError) -> Column in
    let row = call.arguments[0].full(call.count)
    let child = row.children[call.int(1, 0)]
    return child.replacingValidity(Bitmap.all([child.validity, row.validity].compactMap { $0 }))
      .retyped(call.type)
  },
  Function(
    "$ELEMENT", [.any, .element],
    .rule { (a) throws(TerraceError) -> DataType in
      switch a[0].type.kind {
      case .map(_, let value): return value.nullable
      default: throw invalid("[ ]", a)
      }
    }
  ) { (call) throws(TerraceError) -> Column in
    let map = call.arguments[0]
    let key = call.arguments[1]
    let keys = map.column.children[0]
    let ids = Buffer(byteCount: call.count * 4)
    for i in 0..<call.count {
      ids.pointer(Int32.self)[i] = -1
      guard call.isValid(i) else { continue }
      for row in range(map, i) where keys.equals(row, key.column, i & key.mask) {
        ids.pointer(Int32.self)[i] = Int32(row)
      }
    }
    return map.column.children[1].gatherOrNull(ids.pointer(Int32.self), call.count)
      .retyped(call.type)
  },
  Function(
    "$AT", [.array, .int],
    .rule { (a) throws(TerraceError) -> DataType in
      elementType(a[0].type).nullable
    }
  ) { (call) throws(TerraceError) -> Column in
    let array = call.arguments[0]
    let ids = Buffer(byteCount: call.count * 4)
    let index = call.arguments[1]
    if index.isConstant, !index.isNull(0), call.int(1, 0) < 1 {
      throw call.failure("array positions begin with 1", call.int(1, 0))
    }
    for i in 0..<call.count {
      ids.pointer(Int32.self)[i] = -1
      guard call.isValid(i) else { continue }
      let at = call.int(1, i)
      if at < 1 { throw call.failure("array positions begin with 1", at) }
      let rows = range(array, i)
      if at <= rows.count { ids.pointer(Int32.self)[i] = Int32(rows.lowerBound + at - 1) }
    }
    return array.column.children[0].gatherOrNull(ids.pointer(Int32.self), call.count)
      .retyped(call.type)
  },
  Function("CARDINALITY", [.any], .type(.int)) { (call) throws(TerraceError) -> Column in
    guard call.arguments[0].column.physical.hasOffsets,
      call.arguments[0].column.physical != .bytes
    else { throw call.failure("takes an array or a map", call.arguments[0].type.text) }
    return try call.map { (i) in Int32(range(call.arguments[0], i).count) }
  },
  Function(
    "ELEMENT", [.array],
    .rule { (a) throws(TerraceError) -> DataType in
      elementType(a[0].type).nullable
    }
  ) { (call) throws(TerraceError) -> Column in
    let array = call.arguments[0]
    let ids = Buffer(byteCount: call.count * 4)
    for i in 0..<call.count {
      let rows = call.isValid(i) ? range(array, i) : 0..<0
      if rows.count > 1 { throw call.failure("an array of several elements", rows.count) }
      ids.pointer(Int32.self)[i] = rows.isEmpty ? -1 : Int32(rows.lowerBound)
    }
    return array.column.children[0].gatherOrNull(ids.pointer(Int32.self), call.count)
      .retyped(call.type)
  },
  Function(
    "ARRAY_CONTAINS", [.array, .element],
    .rule { (a) throws(TerraceError) -> DataType in
      DataType(.boolean, nullable: a[0].type.isNullable)
    }, seesNulls: true
  ) { (call) throws(TerraceError) -> Column in
    let (array, value) = (call.arguments[0], call.arguments[1])
    let child = array.column.children[0]
    // Whether a null is among the elements can be asked, too.
    return try call.mapSome { (i) -> UInt8? in
      if array.isNull(i) { return nil }
      return range(array, i).contains { child.equals($0, value.column, i & value.mask) } ? 1 : 0
    }
  },
  Function("ARRAY_POSITION", [.array, .element], .type(.int)) {
    (call) throws(TerraceError) -> Column in
    let (array, value) = (call.arguments[0], call.arguments[1])
    let child = array.column.children[0]
    return try call.map { (i) -> Int32 in
      let rows = range(array, i)
      let found = rows.first { child.equals($0, value.column, i & value.mask) }
      return found.map { Int32($0 - rows.lowerBound + 1) } ?? 0
    }
  },
  picking("ARRAY_DISTINCT", [.array]) { (call, i, take) throws(TerraceError) in
    let array = call.arguments[0]
    let child = array.column.children[0]
    let rows = range(array, i)
    for row in rows
    where !(rows.lowerBound..<row).contains(where: { child.equals($0, child, row) }) {
      take(0, row)
    }
    return true
  },
  picking("ARRAY_REVERSE", [.array]) { (call, i, take) throws(TerraceError) in
    for row in range(call.arguments[0], i).reversed() { take(0, row) }
    return true
  },
  picking("ARRAY_CONCAT", [.common], repeats: true) { (call, i, take) throws(TerraceError) in
    for (k, argument) in call.arguments.enumerated() {
      for row in range(argument, i) { take(k, row) }
    }
    return true
  },
  picking("ARRAY_SLICE", [.array, .int, .int], optional: 1) {
    (call, i, take) throws(TerraceError) in
    let rows = range(call.arguments[0], i)
    func place(_ at: Int) -> Int { at < 0 ? rows.count + at + 1 : max(at, 1) }
    let from = max(1, place(call.int(1, i)))
    let to = min(place(call.int(2, i, default: rows.count)), rows.count)
    if from <= to {
      for row in (rows.lowerBound + from - 1)..<(rows.lowerBound + to) { take(0, row) }
    }
    return true
  },
  picking("ARRAY_SORT", [.array, .boolean, .boolean], optional: 2) {
    (call, i, take) throws(TerraceError) in
    func flag(_ k: Int, _ fallback: Bool) -> Bool {
      k < call.arguments.count ? call.fixed(k, UInt8.self)[i] != 0 : fallback
    }
    let ascending = flag(1, true)
    let child = call.arguments[0].column.children[0]
    let sorted = order(child, range(call.arguments[0], i), descending: !ascending)
    let nulls = sorted.filter { child.isNull($0) }
    if flag(2, ascending) { for row in nulls { take(0, row) } }
    for row in sorted where !child.isNull(row) { take(0, row) }
    if !flag(2, ascending) { for row in nulls { take(0, row) } }
    return true
  },
  extremeElement("ARRAY_MAX", wantsMax: true), extremeElement("ARRAY_MIN", wantsMax: false),
  mapSide("MAP_KEYS", 0), mapSide("MAP_VALUES", 1),
  Function("ARRAY_JOIN", [.array, .text, .text], optional: 1, .nullable(.string)) {
    (call) throws(TerraceError) -> Column in
    let array = call.arguments[0]
    let child = array.column.children[0]
    guard child.physical == .bytes else { throw call.failure("joins text", array.type.text) }
    return try call.build { (out, i) in
      var text: [UInt8] = []
      var isFirst = true
      for row in range(array, i) {
        if child.isNull(row) && call.arguments.count < 3 { continue }
        if !isFirst { text += call.bytes(1, i) }
        isFirst = false
        text += child.isNull(row) ? call.bytes(2, i) : child.bytes(row)
      }
      text.withUnsafeBytes { out.append(bytes: $0) }
    }
  },
  Function("SPLIT", [.text, .text], .type(.array(.string))) {
    (call) throws(TerraceError) -> Column in
    try call.build { (out, i) in
      let text = call.bytes(0, i)
      if call.bytes(1, i).isEmpty {
        for c in String(decoding: text, as: UTF8.self).unicodeScalars {
          out.children[0].append(String(c))
        }
      } else {
        for part in ByteSearch.split(text, call.bytes(1, i)) { out.children[0].append(bytes: part) }
      }
      out.endList()
    }
  },
  Function("STR_TO_MAP", [.text, .text, .text], optional: 2, .type(.map(.string, .string))) {
    (call) throws(TerraceError) -> Column in
    let given = call.arguments.count
    let comma = try given > 1 ? PatternArgument(call, 1) : nil
    let equal = try given > 2 ? PatternArgument(call, 2) : nil
    let (plainComma, plainEqual) = (try Regex(","), try Regex("="))
    return try call.build { (out, i) throws(TerraceError) in
      guard let comma = try comma.map({ (p) throws(TerraceError) in try p.regex(i) }) ?? plainComma,
        let equal = try equal.map({ (p) throws(TerraceError) in try p.regex(i) }) ?? plainEqual
      else { throw call.failure("a delimiter is no regular expression", "") }
      let text = scalars(call.bytes(0, i))
      var pairs: [(key: [UInt32], value: [UInt32]?)] = []
      for part in try text.isEmpty ? [] : comma.split(text) {
        let sides = try equal.split(Array(part), limit: 2)
        let pair = sides.count < 2 ? (Array(part), nil) : (Array(sides[0]), Array(sides[1]))
        // The last of several values of a key counts.
        if let known = pairs.firstIndex(where: { $0.key == pair.0 }) {
          pairs[known].value = pair.1
        } else {
          pairs.append(pair)
        }
      }
      for pair in pairs {
        utf8(pair.key).withUnsafeBytes { out.children[0].append(bytes: $0) }
        guard let value = pair.value else {
          out.children[1].appendNull()
          continue
        }
        utf8(value).withUnsafeBytes { out.children[1].append(bytes: $0) }
      }
      out.endList()
    }
  },
]
