internal import Columns

/// Filter and projection.
final class MapOperator: Operator {
  private let map: Plan.Map

  init(_ map: Plan.Map, _ runtime: Runtime, type: RowType) {
    self.map = map
    super.init("Map", runtime, type: type)
  }

  override func push(_ delta: DeltaBatch, from input: Int) throws(TerraceError) {
    var columns = delta.rows.columns
    var weights = delta.weights
    var count = delta.count
    if let condition = map.condition {
      let (rows, kept) = try runtime.evaluator.select(condition, columns, count: count)
      if kept == 0 { return }
      if kept < count {
        let r = rows.pointer(Int32.self)
        let used = map.expressions.reduce(into: Set<Int>()) { $0.formUnion($1.columns) }
        columns = columns.enumerated().map { i, column in
          used.contains(i) ? column.gather(r, count: kept) : column
        }
        let out = Buffer(byteCount: kept * 8)
        let from = weights.pointer(Int64.self)
        for i in 0..<kept { out.pointer(Int64.self)[i] = from[Int(r[i])] }
        weights = out
        count = kept
      }
    }
    var results: [Column] = []
    for expression in map.expressions {
      results.append(try runtime.evaluator.evaluate(expression, columns, count: count))
    }
    try emit(results, weights, count: count)
  }
}

/// UNION ALL.
final class UnionOperator: Operator {
  override func push(_ delta: DeltaBatch, from input: Int) throws(TerraceError) {
    try emit(delta.rows.columns, delta.weights, count: delta.count)
  }
}

/// Constant rows, given once, with the first epoch.
final class ValuesOperator: Operator {
  private let values: Plan.Values
  private var isDone = false

  init(_ values: Plan.Values, _ runtime: Runtime) {
    self.values = values
    super.init("Values", runtime, type: values.type)
  }

  func start() throws(TerraceError) {
    if isDone { return }
    isDone = true
    let count = values.rows.count
    var columns: [Column] = []
    for c in values.type.fields.indices {
      var parts: [Column] = []
      for row in values.rows {
        parts.append(
          try runtime.evaluator.evaluate(row[c], [], count: 1).retyped(values.type.fields[c].type))
      }
      if count > 0 { columns.append(Column.concat(parts)) }
    }
    if count == 0 { return }
    let rows = Batch(values.type, columns, count: count)
    try receive(DeltaBatch(inserting: rows), from: 0)
  }

  override func push(_ delta: DeltaBatch, from input: Int) throws(TerraceError) {
    try emit(delta)
  }
}

/// Moves the event-time clock to the greatest value of an expression.
final class WatermarkOperator: Operator {
  private let node: Plan.Watermark
  private var greatest = Int64.min
  /// Somebody who knows more than the rows say tells what is reached.
  private(set) var isDriven = false

  init(_ node: Plan.Watermark, _ runtime: Runtime, type: RowType) {
    self.node = node
    super.init("Watermark", runtime, type: type)
  }

  /// Milliseconds reached so far, to be kept with the root and given back after a restart.
  var reached: Int64 {
    get { greatest }
    set { greatest = newValue }
  }

  /// From now on the rows are not asked.
  func drive(to millis: Int64) {
    isDriven = true
    greatest = max(greatest, millis)
  }

  override func push(_ delta: DeltaBatch, from input: Int) throws(TerraceError) {
    if isDriven { return try emit(delta) }
    let column = try runtime.evaluator.evaluate(
      node.expression, delta.rows.columns, count: delta.count)
    for row in 0..<delta.count where !column.isNull(row) {
      greatest = max(greatest, WindowAssigner.millis(column, row))
    }
    try emit(delta)
  }

  override func ownWatermark(_ below: Int64) -> Int64 {
    runtime.isEndOfInput ? .max : greatest
  }
}

/// UNNEST of an array, map or multiset column.
final class UnnestOperator: Operator {
  private let node: Plan.Unnest

  init(_ node: Plan.Unnest, _ runtime: Runtime, type: RowType) {
    self.node = node
    super.init("Unnest", runtime, type: type)
  }

  override func push(_ delta: DeltaBatch, from input: Int) throws(TerraceError) {
    let nested = delta.rows.columns[node.column]
    let isMultiset = { if case .multiset = nested.type.kind { true } else { false } }()
    let rows = IDList()
    let elements = IDList()
    var ordinals: [Int32] = []
    for row in 0..<delta.count {
      var ordinal: Int32 = 0
      let range =
        nested.isNull(row) ? 0..<0 : Int(nested.offsets[row])..<Int(nested.offsets[row + 1])
      for i in range {
        let copies = isMultiset ? Int(nested.children[1].pointer(Int32.self)[i]) : 1
        for _ in 0..<max(0, copies) {
          ordinal += 1
          rows.append(Int32(row))
          elements.append(Int32(i))
          ordinals.append(ordinal)
        }
      }
      if ordinal == 0 && node.keepsEmpty {
        rows.append(Int32(row))
        elements.append(-1)
        ordinals.append(0)
      }
    }
    let n = rows.count
    if n == 0 { return }
    let base = delta.gather(rows.pointer, count: n)
    var columns = base.rows.columns
    for child in elementColumns(nested) { columns.append(child.gatherOrNull(elements.pointer, n)) }
    if node.withOrdinality {
      let builder = ColumnBuilder(DataType.int, capacity: n)
      for ordinal in ordinals {
        if ordinal == 0 { builder.appendNull() } else { builder.append(ordinal) }
      }
      columns.append(builder.finish())
    }
    try emit(columns, base.weights, count: n)
  }

  private func elementColumns(_ nested: Column) -> [Column] {
    switch nested.type.kind {
    case .array(let element):
      guard case .row = element.kind else { return [nested.children[0]] }
      return nested.children[0].children
    case .multiset: return [nested.children[0]]
    default: return nested.children
    }
  }
}

extension Column {
  /// Rows `ids`, null where the id is negative.
  func gatherOrNull(_ ids: UnsafePointer<Int32>, _ n: Int) -> Column {
    var missing = false
    for i in 0..<n where ids[i] < 0 { missing = true }
    if !missing { return gather(ids, count: n) }
    let both = [self, Column.repeatingNull(type.nullable, count: 1)]
    let sources = Buffer(byteCount: n * 2)
    let rows = Buffer(byteCount: n * 4)
    for i in 0..<n {
      sources.pointer(UInt16.self)[i] = ids[i] < 0 ? 1 : 0
      rows.pointer(Int32.self)[i] = max(0, ids[i])
    }
    return Column.interleave(
      both, sources: sources.pointer(UInt16.self), rows: rows.pointer(Int32.self), count: n
    ).retyped(type.nullable)
  }
}
