internal import Columns
internal import Glibc

/// A sum as the unevaluated sum of two doubles: about 106 bits (T. J. Dekker 1971, D. Knuth's
/// two-sum). What is added and later taken away leaves what a new sum would give.
struct DoubleDouble: BitwiseCopyable {
  var high = 0.0
  var low = 0.0

  @inline(__always) mutating func add(_ value: Double) {
    let sum = high + value
    let part = sum - high
    let error = (high - (sum - part)) + (value - part)
    let tail = low + error
    high = sum + tail
    low = tail - (high - sum)
  }

  /// Adds `a × b` exactly.
  @inline(__always) mutating func add(product a: Double, _ b: Double) {
    let product = a * b
    let rest = (-product).addingProduct(a, b)
    add(product)
    if rest.isFinite { add(rest) }
  }
}

/// Values that no sum can hold, counted apart so that they can be taken away again.
struct OddCounts: BitwiseCopyable {
  var nan: Int64 = 0
  var positive: Int64 = 0
  var negative: Int64 = 0

  @inline(__always) mutating func add(_ value: Double, _ weight: Int64) {
    if value.isNaN {
      nan &+= weight
    } else if value > 0 {
      positive &+= weight
    } else {
      negative &+= weight
    }
  }

  /// What the sum is because of them; nil when there are none.
  var sum: Double? {
    if nan != 0 || (positive != 0 && negative != 0) { return .nan }
    return positive != 0 ? .infinity : negative != 0 ? -.infinity : nil
  }
}

/// SUM and AVG of FLOAT and DOUBLE, compensated.
final class FloatSumAccumulator: Accumulator {
  private let sums = Lane<DoubleDouble>()
  private let counts = Lane<Int64>()
  private let odd = Lane<OddCounts>()

  override func reserve(_ count: Int) {
    sums.reserve(count)
    counts.reserve(count)
    odd.reserve(count)
  }

  override func add(_ input: AccumulatorInput) {
    guard let column = input.column else { return }
    if column.physical == .float32 {
      let v = column.pointer(Float.self)
      for i in 0..<input.count { add(Double(v[i]), input.weights[i], Int(input.groups[i])) }
    } else {
      let v = column.pointer(Double.self)
      for i in 0..<input.count { add(v[i], input.weights[i], Int(input.groups[i])) }
    }
  }

  @inline(__always) private func add(_ value: Double, _ weight: Int64, _ g: Int) {
    counts.pointer[g] &+= weight
    if !value.isFinite {
      odd.pointer[g].add(value, weight)
    } else if weight == 1 || weight == -1 {
      sums.pointer[g].add(weight == 1 ? value : -value)
    } else {
      sums.pointer[g].add(product: value, Double(weight))
    }
  }

  override func results(_ groups: UnsafePointer<Int32>, _ n: Int) -> Column {
    let isSum = call.function == .sum
    func value(_ i: Int) -> Double? {
      let g = Int(groups[i])
      if counts[g] <= 0 { return nil }
      let sum = odd[g].sum ?? sums[g].high
      return isSum ? sum : sum / Double(counts[g])
    }
    if call.type.physical == .float32 { return column(n) { value($0).map { Float($0) } } }
    return column(n) { value($0) }
  }

  override var stateTypes: [DataType] {
    VarianceAccumulator.reals(2) + VarianceAccumulator.counts(4)
  }
  override func exportState(_ groups: UnsafePointer<Int32>, _ n: Int) -> [Column] {
    sums.columns(groups, n)
      + [
        counts.column(groups, n, .bigint), odd.column(groups, n, .bigint) { $0.nan },
        odd.column(groups, n, .bigint) { $0.positive },
        odd.column(groups, n, .bigint) { $0.negative },
      ]
  }
  override func importState(_ columns: [Column], _ groups: UnsafePointer<Int32>, _ n: Int) {
    sums.set(columns[0], columns[1], groups, n)
    counts.set(columns[2], groups, n)
    for i in 0..<n {
      odd[Int(groups[i])] = OddCounts(
        nan: columns[3].pointer(Int64.self)[i], positive: columns[4].pointer(Int64.self)[i],
        negative: columns[5].pointer(Int64.self)[i])
    }
  }
  override func keep(_ ids: UnsafePointer<Int32>, _ n: Int) {
    sums.keep(ids, n)
    counts.keep(ids, n)
    odd.keep(ids, n)
  }
  override var byteCount: Int { sums.byteCount + counts.byteCount + odd.byteCount }
}

/// STDDEV and VAR from compensated sums of values and of squares.
final class VarianceAccumulator: Accumulator {
  private let sums = Lane<DoubleDouble>()
  private let squares = Lane<DoubleDouble>()
  private let counts = Lane<Int64>()
  private let odd = Lane<Int64>()
  private let scale: Int

  init(_ call: AggregateCall, _ argument: DataType) {
    scale = TypeRules.decimalShape(argument)?.scale ?? 0
    super.init(call)
  }

  override func reserve(_ count: Int) {
    sums.reserve(count)
    squares.reserve(count)
    counts.reserve(count)
    odd.reserve(count)
  }

  override func add(_ input: AccumulatorInput) {
    guard let column = input.column else { return }
    for i in 0..<input.count {
      let g = Int(input.groups[i])
      let w = input.weights[i]
      let v = value(column, i)
      counts.pointer[g] &+= w
      guard v.isFinite, (v * v).isFinite else {
        odd.pointer[g] &+= w
        continue
      }
      for _ in 0..<abs(w) {
        sums.pointer[g].add(w < 0 ? -v : v)
        squares.pointer[g].add(product: w < 0 ? -v : v, v)
      }
    }
  }

  private func value(_ column: Column, _ row: Int) -> Double {
    switch column.physical {
    case .int8: Double(column.pointer(Int8.self)[row])
    case .int16: Double(column.pointer(Int16.self)[row])
    case .int32: Double(column.pointer(Int32.self)[row])
    case .int64: Decimal.double(Int128(column.pointer(Int64.self)[row]), scale)
    case .int128: Decimal.double(column.pointer(Int128.self)[row], scale)
    case .float32: Double(column.pointer(Float.self)[row])
    default: column.pointer(Double.self)[row]
    }
  }

  static func reals(_ n: Int) -> [DataType] { (0..<n).map { _ in DataType.double.notNull } }
  static func counts(_ n: Int) -> [DataType] { (0..<n).map { _ in DataType.bigint.notNull } }

  private func variance(_ g: Int) -> Double? {
    let n = counts[g]
    let isSample = call.function == .varianceSample || call.function == .standardDeviationSample
    if n < (isSample ? 2 : 1) { return nil }
    if odd[g] != 0 { return .nan }
    // Σx² - (Σx)²/n, in double-doubles: the two are close where the spread is small.
    var rest = squares[g]
    let sum = sums[g]
    let mean = sum.high / Double(n)
    let meanRest = ((sum.high - mean * Double(n)) + sum.low) / Double(n)
    rest.add(product: -mean, sum.high)
    rest.add(product: -mean, sum.low)
    rest.add(product: -meanRest, sum.high)
    let spread = max(0, rest.high)
    return spread / Double(isSample ? n - 1 : n)
  }

  override func results(_ groups: UnsafePointer<Int32>, _ n: Int) -> Column {
    let isRoot =
      call.function == .standardDeviationPopulation || call.function == .standardDeviationSample
    func value(_ i: Int) -> Double? {
      variance(Int(groups[i])).map { isRoot ? $0.squareRoot() : $0 }
    }
    let doubles = Buffer(byteCount: n * 8)
    let bits = Bitmap(count: n, filled: false)
    for i in 0..<n {
      if let v = value(i) {
        doubles.pointer(Double.self)[i] = v
        bits.set(i)
      }
    }
    let column = Column(type: .double, count: n, values: doubles, validity: bits)
    let cast = TextCast(context: EvaluationContext(), orNull: true)
    // Numbers always cast: a decimal that does not fit is null.
    return (try? cast.apply(column, to: call.type)) ?? Column.repeatingNull(call.type, count: n)
  }

  override var stateTypes: [DataType] {
    VarianceAccumulator.reals(4) + VarianceAccumulator.counts(2)
  }
  override func exportState(_ groups: UnsafePointer<Int32>, _ n: Int) -> [Column] {
    sums.columns(groups, n) + squares.columns(groups, n)
      + [counts.column(groups, n, .bigint), odd.column(groups, n, .bigint)]
  }
  override func importState(_ columns: [Column], _ groups: UnsafePointer<Int32>, _ n: Int) {
    sums.set(columns[0], columns[1], groups, n)
    squares.set(columns[2], columns[3], groups, n)
    counts.set(columns[4], groups, n)
    odd.set(columns[5], groups, n)
  }
  override func keep(_ ids: UnsafePointer<Int32>, _ n: Int) {
    sums.keep(ids, n)
    squares.keep(ids, n)
    counts.keep(ids, n)
    odd.keep(ids, n)
  }
  override var byteCount: Int {
    sums.byteCount + squares.byteCount + counts.byteCount + odd.byteCount
  }
}

extension Lane where Value == DoubleDouble {
  /// Both parts of the sums of groups.
  func columns(_ groups: UnsafePointer<Int32>, _ n: Int) -> [Column] {
    [column(groups, n, .double) { $0.high }, column(groups, n, .double) { $0.low }]
  }

  func set(_ high: Column, _ low: Column, _ groups: UnsafePointer<Int32>, _ n: Int) {
    for i in 0..<n {
      self[Int(groups[i])] = DoubleDouble(
        high: high.pointer(Double.self)[i], low: low.pointer(Double.self)[i])
    }
  }
}
