internal import Columns

/// Rows of one batch as one aggregate call sees them: no nulls, FILTER applied, DISTINCT resolved.
struct AccumulatorInput {
  /// The argument; nil for COUNT(*).
  let column: Column?
  let groups: UnsafePointer<Int32>
  let weights: UnsafePointer<Int64>
  let count: Int
  /// Rows that come from a state table: their numbers within their groups.
  var numbers: UnsafePointer<Int32>?
}

/// What one aggregate call keeps of every group.
class Accumulator {
  let call: AggregateCall

  init(_ call: AggregateCall) { self.call = call }

  /// Room for groups with numbers below `count`.
  func reserve(_ count: Int) {}

  /// Adds weighted values to their groups.
  func add(_ input: AccumulatorInput) throws(TerraceError) {}

  /// The results of `n` groups.
  func results(_ groups: UnsafePointer<Int32>, _ n: Int) throws(TerraceError) -> Column {
    Column.repeatingNull(call.type, count: n)
  }

  /// Columns that hold what is kept of a group; none for those that keep lists.
  var stateTypes: [DataType] { [] }
  func exportState(_ groups: UnsafePointer<Int32>, _ n: Int) -> [Column] { [] }
  func importState(_ columns: [Column], _ groups: UnsafePointer<Int32>, _ n: Int) {}
  /// The values kept of every group, if any.
  var valueLists: ValueLists? { nil }
  /// Values of groups that the accumulator has not seen yet.
  func restore(_ input: AccumulatorInput) throws(TerraceError) { try add(input) }

  /// Keeps the groups `ids`, numbered anew in that order.
  func keep(_ ids: UnsafePointer<Int32>, _ n: Int) throws(TerraceError) {}

  var byteCount: Int { 0 }

  /// A fixed-width result; nil is null.
  @inline(__always) final func column<T: BitwiseCopyable>(
    _ n: Int, _ value: (Int) -> T?
  ) -> Column {
    let out = Buffer(byteCount: n * MemoryLayout<T>.stride)
    let p = out.pointer(T.self)
    let bits = Bitmap(count: n, filled: false)
    for i in 0..<n {
      if let v = value(i) {
        p[i] = v
        bits.set(i)
      }
    }
    return Column(
      type: call.type.nullable, count: n, values: out,
      validity: bits.setCount == n ? nil : bits)
  }

  /// The one that computes a call.
  ///
  /// - Parameter isAppendOnly: nothing is ever taken back.
  static func make(
    _ call: AggregateCall, argument: DataType?, isAppendOnly: Bool, recordsChanges: Bool
  ) throws(TerraceError) -> Accumulator {
    guard let argument else { return CountAccumulator(call) }
    switch call.function {
    case .count: return CountAccumulator(call)
    case .sum, .average:
      switch argument.kind {
      case .float, .double: return FloatSumAccumulator(call)
      case .decimal(_, let scale): return DecimalSumAccumulator(call, scale: scale)
      default: return IntegerSumAccumulator(call)
      }
    case .min, .max:
      return ExtremeAccumulator(
        call, argument, isAppendOnly: isAppendOnly, recordsChanges: recordsChanges)
    case .standardDeviationPopulation, .standardDeviationSample, .variancePopulation,
      .varianceSample:
      return VarianceAccumulator(call, argument)
    case .first, .last, .listAggregate, .arrayAggregate, .collect, .single:
      return ListAccumulator(
        call, argument, isAppendOnly: isAppendOnly, recordsChanges: recordsChanges)
    }
  }
}

/// COUNT.
final class CountAccumulator: Accumulator {
  private let counts = Lane<Int64>()

  override func reserve(_ count: Int) { counts.reserve(count) }

  override func add(_ input: AccumulatorInput) {
    let c = counts.pointer
    for i in 0..<input.count { c[Int(input.groups[i])] &+= input.weights[i] }
  }

  override func results(_ groups: UnsafePointer<Int32>, _ n: Int) -> Column {
    column(n) { counts[Int(groups[$0])] }
  }

  override var stateTypes: [DataType] { [DataType.bigint.notNull] }
  override func exportState(_ groups: UnsafePointer<Int32>, _ n: Int) -> [Column] {
    [counts.column(groups, n, .bigint)]
  }
  override func importState(_ columns: [Column], _ groups: UnsafePointer<Int32>, _ n: Int) {
    counts.set(columns[0], groups, n)
  }
  override func keep(_ ids: UnsafePointer<Int32>, _ n: Int) { counts.keep(ids, n) }
  override var byteCount: Int { counts.byteCount }
}

/// SUM and AVG of integers. Sums wrap, as Flink's do; an average is cut to the argument's type.
final class IntegerSumAccumulator: Accumulator {
  private let sums = Lane<Int64>()
  private let counts = Lane<Int64>()

  override func reserve(_ count: Int) {
    sums.reserve(count)
    counts.reserve(count)
  }

  override func add(_ input: AccumulatorInput) {
    guard let column = input.column else { return }
    switch column.physical {
    case .int8: add(column.pointer(Int8.self), input)
    case .int16: add(column.pointer(Int16.self), input)
    case .int32: add(column.pointer(Int32.self), input)
    default: add(column.pointer(Int64.self), input)
    }
  }

  @inline(__always) private func add<T: FixedWidthInteger>(
    _ values: UnsafePointer<T>, _ input: AccumulatorInput
  ) {
    let s = sums.pointer
    let c = counts.pointer
    for i in 0..<input.count {
      let g = Int(input.groups[i])
      s[g] &+= Int64(truncatingIfNeeded: values[i]) &* input.weights[i]
      c[g] &+= input.weights[i]
    }
  }

  override func results(_ groups: UnsafePointer<Int32>, _ n: Int) -> Column {
    let isSum = call.function == .sum
    func value(_ i: Int) -> Int64? {
      let g = Int(groups[i])
      if counts[g] <= 0 { return nil }
      return isSum ? sums[g] : sums[g] / counts[g]
    }
    switch call.type.physical {
    case .int8: return column(n) { value($0).map { Int8(truncatingIfNeeded: $0) } }
    case .int16: return column(n) { value($0).map { Int16(truncatingIfNeeded: $0) } }
    case .int32: return column(n) { value($0).map { Int32(truncatingIfNeeded: $0) } }
    default: return column(n) { value($0) }
    }
  }

  override var stateTypes: [DataType] { [DataType.bigint.notNull, DataType.bigint.notNull] }
  override func exportState(_ groups: UnsafePointer<Int32>, _ n: Int) -> [Column] {
    [sums.column(groups, n, .bigint), counts.column(groups, n, .bigint)]
  }
  override func importState(_ columns: [Column], _ groups: UnsafePointer<Int32>, _ n: Int) {
    sums.set(columns[0], groups, n)
    counts.set(columns[1], groups, n)
  }
  override func keep(_ ids: UnsafePointer<Int32>, _ n: Int) {
    sums.keep(ids, n)
    counts.keep(ids, n)
  }
  override var byteCount: Int { sums.byteCount + counts.byteCount }
}
