package import Columns

/// What can be derived of a plan: row type, keys, kind of changes.
extension Plan {
  /// Columns of the output.
  package var type: RowType {
    switch self {
    case .source(let source):
      return RowType(
        source.columns.map { column in
          let field = source.tableType.fields[column]
          return (field.name, field.type)
        })
    case .values(let values): return values.type
    case .map(let map): return RowType(zip(map.names, map.expressions).map { ($0, $1.type) })
    case .join(let join): return join.type
    case .aggregate(let aggregate):
      let input = aggregate.input.type
      return RowType(
        aggregate.keys.map { (input.fields[$0].name, input.fields[$0].type) }
          + aggregate.calls.map { ($0.name, $0.type) })
    case .windowTable(let window):
      return RowType(
        window.input.type.pairs + WindowTable.columns(of: window.input.type, window.timeColumn))
    case .windowAggregate(let window):
      let input = window.input.type
      return RowType(
        window.keys.map { (input.fields[$0].name, input.fields[$0].type) }
          + window.calls.map { ($0.name, $0.type) }
          + WindowTable.columns(of: input, window.timeColumn))
    case .rank(let rank):
      let extra = rank.emitsRank ? [("rank", DataType.bigint.notNull)] : []
      return RowType(rank.input.type.pairs + extra)
    case .over(let over):
      return RowType(over.input.type.pairs + over.calls.map { ($0.name, $0.type) })
    case .union(let inputs): return Plan.merged(inputs)
    case .setOperation(let operation): return Plan.merged([operation.left, operation.right])
    case .sort(let sort): return sort.input.type
    case .unnest(let unnest): return unnest.type
    case .watermark(let watermark): return watermark.input.type
    case .upsert(let upsert):
      let input = upsert.input.type
      return upsert.unchanged == nil ? input : RowType(Array(input.fields.dropLast()))
    }
  }

  /// Names of the first input; a column is nullable when it is in one of them.
  private static func merged(_ inputs: [Plan]) -> RowType {
    let types = inputs.map(\.type)
    return RowType(
      types[0].fields.enumerated().map { i, field in
        let nullable = types.contains { $0.fields[i].type.isNullable }
        return (field.name, DataType(field.type.kind, nullable: nullable))
      })
  }

  package var inputs: [Plan] {
    switch self {
    case .source, .values: []
    case .map(let node): [node.input]
    case .join(let node): [node.left, node.right]
    case .aggregate(let node): [node.input]
    case .windowTable(let node): [node.input]
    case .windowAggregate(let node): [node.input]
    case .rank(let node): [node.input]
    case .over(let node): [node.input]
    case .union(let inputs): inputs
    case .setOperation(let node): [node.left, node.right]
    case .sort(let node): [node.input]
    case .unnest(let node): [node.input]
    case .watermark(let node): [node.input]
    case .upsert(let node): [node.input]
    }
  }

  /// What stands in EXPLAIN and in errors.
  package var operatorName: String {
    switch self {
    case .source: "Source"
    case .values: "Values"
    case .map: "Map"
    case .join(let node): Plan.titled(node.kind.rawValue) + "Join"
    case .aggregate(let node): node.calls.isEmpty ? "Distinct" : "Aggregate"
    case .windowTable: "WindowTable"
    case .windowAggregate: "WindowAggregate"
    case .rank: "Rank"
    case .over: "Over"
    case .union: "Union"
    case .setOperation(let node): Plan.titled(node.kind.rawValue)
    case .sort: "Sort"
    case .unnest: "Unnest"
    case .watermark: "Watermark"
    case .upsert: "Upsert"
    }
  }

  private static func titled(_ word: String) -> String {
    word.prefix(1).uppercased() + word.dropFirst()
  }

  /// Every source below, each once, in the order of first appearance.
  package var sources: [Source] {
    if case .source(let source) = self { return [source] }
    return inputs.reduce(into: []) { found, input in
      for source in input.sources where !found.contains(source) { found.append(source) }
    }
  }

  /// Whether the output never takes a row back when the sources do not.
  package var isAppendOnly: Bool {
    switch self {
    case .source(let source): source.isAppendOnly
    case .values: true
    case .map, .windowTable, .unnest, .watermark, .union: inputs.allSatisfy(\.isAppendOnly)
    case .join(let join):
      (join.kind == .inner || join.kind == .semi) && inputs.allSatisfy(\.isAppendOnly)
    case .aggregate(let node):
      node.calls.isEmpty && !node.keys.isEmpty && node.input.isAppendOnly
    case .windowAggregate: true
    case .rank, .over, .setOperation, .upsert: false
    case .sort(let sort): sort.limit == nil && sort.offset == 0 && sort.input.isAppendOnly
    }
  }

  /// Sets of output columns of which no two rows have the same values. Sound, not complete.
  package var uniqueKeys: [[Int]] {
    switch self {
    case .source(let source): return source.primaryKey.isEmpty ? [] : [source.primaryKey]
    case .values(let values): return values.rows.count <= 1 ? [[]] : []
    case .map(let map):
      return map.input.uniqueKeys.compactMap { key in
        let mapped = key.compactMap { column in
          map.expressions.firstIndex {
            if case .column(column, _) = $0 { return true }
            return false
          }
        }
        return mapped.count == key.count ? mapped : nil
      }
    case .join(let join): return join.uniqueKeys
    case .aggregate(let node): return [Array(node.keys.indices)]
    case .windowTable(let node):
      // A row is in several windows, which differ in their bounds.
      let width = node.input.type.count
      if case .tumble = node.window { return node.input.uniqueKeys }
      return node.input.uniqueKeys.map { $0 + [width, width + 1] }
    case .windowAggregate(let node):
      let start = node.keys.count + node.calls.count
      return [Array(node.keys.indices) + [start, start + 1]]
    case .rank(let rank):
      var keys = rank.input.uniqueKeys
      if rank.function == .rowNumber {
        if rank.ranks.count == 1 { keys.insert(rank.partition, at: 0) }
        if rank.emitsRank { keys.append(rank.partition + [rank.input.type.count]) }
      }
      return keys
    case .over(let over): return over.input.uniqueKeys
    case .union, .unnest: return []
    case .setOperation(let operation):
      if !operation.all { return [Array(type.fields.indices)] + operation.left.uniqueKeys }
      return operation.left.uniqueKeys
    case .sort(let sort): return sort.input.uniqueKeys
    case .watermark(let node): return node.input.uniqueKeys
    case .upsert(let node): return [node.key]
    }
  }

  /// Nothing in it depends on the clock, on chance or on the order of arrival.
  package var isDeterministic: Bool {
    if case .map(let map) = self {
      let all = map.expressions + (map.condition.map { [$0] } ?? [])
      if !all.allSatisfy(\.isDeterministic) { return false }
    }
    if case .join(let join) = self, join.residual?.isDeterministic == false { return false }
    return inputs.allSatisfy(\.isDeterministic)
  }
}

extension RowType {
  var pairs: [(String, DataType)] { fields.map { ($0.name, $0.type) } }
}

extension Plan.WindowTable {
  /// window_start and window_end: TIMESTAMP(3), wall clocks of the session; window_time: TIMESTAMP_LTZ(3)
  /// where the time is one.
  static func columns(of input: RowType, _ timeColumn: Int) -> [(String, DataType)] {
    let bound = DataType.timestamp(3).notNull
    return [
      ("window_start", bound), ("window_end", bound),
      ("window_time", Window.timeType(of: input.fields[timeColumn].type)),
    ]
  }
}

extension Plan.Join {
  var type: RowType {
    let left = self.left.type.pairs
    if kind == .semi || kind == .anti { return RowType(left) }
    func nullable(_ pairs: [(String, DataType)], _ padded: Bool) -> [(String, DataType)] {
      padded ? pairs.map { ($0.0, $0.1.nullable) } : pairs
    }
    return RowType(
      nullable(left, kind == .right || kind == .full)
        + nullable(right.type.pairs, kind == .left || kind == .full))
  }

  var uniqueKeys: [[Int]] {
    let left = self.left.uniqueKeys
    if kind == .semi || kind == .anti { return left }
    let width = self.left.type.count
    let right = self.right.uniqueKeys
    var keys: [[Int]] = []
    // Each left row meets at most one right row when the right keys hold a unique key, and so on.
    let rightIsUnique = right.contains { $0.allSatisfy { rightKeys.contains($0) } }
    let leftIsUnique = left.contains { $0.allSatisfy { leftKeys.contains($0) } }
    if rightIsUnique && (kind == .inner || kind == .left) { keys += left }
    if leftIsUnique && (kind == .inner || kind == .right) {
      keys += right.map { $0.map { $0 + width } }
    }
    for a in left { for b in right { keys.append(a + b.map { $0 + width }) } }
    // Padding makes keys null, which equal keys of several padded rows.
    if kind == .full || kind == .left || kind == .right { keys.removeAll { $0.isEmpty } }
    return keys
  }
}

extension Plan.Unnest {
  /// Columns of one element.
  var elementTypes: [DataType] {
    switch input.type.fields[column].type.kind {
    case .array(let element):
      if case .row(let fields) = element.kind {
        return fields.map {
          DataType($0.type.kind, nullable: $0.type.isNullable || element.isNullable)
        }
      }
      return [element]
    case .map(let key, let value): return [key, value]
    case .multiset(let element): return [element]
    default: return []
    }
  }

  var type: RowType {
    let ordinal = withOrdinality ? [DataType.int.notNull] : []
    let types = (elementTypes + ordinal).map { keepsEmpty ? $0.nullable : $0 }
    return RowType(input.type.pairs + zip(names, types).map { ($0, $1) })
  }
}
