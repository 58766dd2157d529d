internal import Columns

/// How rows of a ``KeyedState`` lie in a state table: the columns of the key, the row's number within
/// its key, the other columns, the weight.
struct RowLayout {
  /// Columns of the rows that make the key, and the others.
  let key: [Int]
  private let rest: [Int]
  let type: RowType

  /// - Parameters:
  ///   - nullable: for each key column whether a null in it counts as a key.
  init(_ rows: RowType, key: [Int], nullable: [Bool]? = nil) {
    self.key = key
    let inKey = Set(key)
    rest = rows.fields.indices.filter { !inKey.contains($0) }
    let keyFields = key.enumerated().map { i, c in
      let type = rows.fields[c].type
      return (rows.fields[c].name, nullable?[i] == false ? type.notNull : type.nullable)
    }
    self.type = RowType(
      keyFields + [("_row", DataType.int.notNull)]
        + rest.map { (rows.fields[$0].name, rows.fields[$0].type.nullable) }
        + [("_weight", DataType.bigint.nullable)])
  }

  /// - Parameter isLookedUp: the operator asks for rows by key.
  func table(_ name: String, isLookedUp: Bool = true) -> StateTable {
    StateTable(
      name: name, type: type, keyCount: key.count + 1,
      lookupCount: isLookedUp ? key.count : 0)
  }

  /// Changes as `KeyedState.takeChanges` gives them, in the order of the table.
  func stored(_ changes: DeltaBatch) -> DeltaBatch {
    let given = changes.rows.columns
    let width = given.count - 2
    let columns =
      key.map { given[$0] } + [given[width]] + rest.map { given[$0] } + [given[width + 1]]
    return DeltaBatch(type.batch(columns, count: changes.count), weights: changes.weights)
  }

  /// Rows of the table as an operator takes them.
  func split(_ table: Batch) -> StoredRows {
    let given = table.columns
    var columns: [Column?] = Array(repeating: nil, count: key.count + rest.count)
    for (i, c) in key.enumerated() { columns[c] = given[i] }
    for (i, c) in rest.enumerated() { columns[c] = given[key.count + 1 + i] }
    return StoredRows(
      columns: columns.compactMap { $0 }, numbers: given[key.count],
      weights: given[given.count - 1], count: table.count)
  }
}

/// Rows that were read from a state table.
final class StoredRows {
  /// As the operator knows them.
  let columns: [Column]
  let count: Int
  private let numberColumn: Column
  private let weightColumn: Column

  init(columns: [Column], numbers: Column, weights: Column, count: Int) {
    self.columns = columns
    self.count = count
    numberColumn = numbers
    weightColumn = weights
  }

  var numbers: UnsafePointer<Int32> { numberColumn.pointer(Int32.self) }
  var weights: UnsafePointer<Int64> { weightColumn.pointer(Int64.self) }

  /// The rows as a change that adds them.
  func delta(_ type: RowType) -> DeltaBatch {
    let copied = Buffer(copying: UnsafeRawBufferPointer(start: weights, count: count * 8))
    return DeltaBatch(type.batch(columns, count: count), weights: copied)
  }
}

extension KeyedState {
  /// Bytes that the next state commit is about to write, before compression.
  var pendingBytes: Int {
    let count = isAppendOnly ? fresh.reduce(0) { $0 + $1.count } : changed.count
    return count == 0 ? 0 : count * (rows.byteCount / max(1, rows.count) + 8)
  }

  /// What changed since the last call: the columns of the rows, number and weight; change +1 puts a
  /// row, -1 takes it away. What is taken away comes first.
  func takeChanges() throws(TerraceError) -> [DeltaBatch] {
    if isAppendOnly { return try takeFresh() }
    let (puts, gone) = changed.take { weights[$0] != 0 }
    defer { renumbered = [] }
    return (renumbered + [self.gone(gone, numbers.keeping(gone)), put(puts)]).filter {
      $0.count > 0
    }
  }

  private var changeType: RowType {
    RowType(
      rowType.pairs.map { ($0.0, $0.1.nullable) }
        + [("_row", DataType.int.notNull), ("_weight", DataType.bigint.nullable)])
  }

  private func put(_ slots: IDList) -> DeltaBatch {
    let n = slots.count
    let columns =
      rows.gather(slots.pointer, n)
      + [
        numbers.column(slots.pointer, n, .int), weights.column(slots.pointer, n, .bigint),
      ]
    return DeltaBatch(changeType.batch(columns, count: n), weight: 1)
  }

  func gone(_ slots: IDList, _ numbers: Lane<Int32>) -> DeltaBatch {
    let n = slots.count
    let copied = Buffer(copying: UnsafeRawBufferPointer(start: numbers.pointer, count: n * 4))
    let columns =
      rows.gather(slots.pointer, n)
      + [
        Column(type: DataType.int.notNull, count: n, values: copied),
        Column.repeatingNull(.bigint, count: n),
      ]
    return DeltaBatch(changeType.batch(columns, count: n), weight: -1)
  }

  /// Rows that came since the last call, as they lie in memory. Their numbers begin where no stored
  /// row's do, and count within the key: most are then equal, and take no room in a file.
  private func takeFresh() throws(TerraceError) -> [DeltaBatch] {
    guard let grown, !fresh.isEmpty else { return [] }
    let count = fresh.reduce(0) { $0 + $1.count }
    let all = keepsNumbers ? nil : try freshNumbers(count)
    let type = changeType
    var out: [DeltaBatch] = []
    var at = 0
    for range in fresh {
      var from = range.lowerBound
      while from < range.upperBound {
        let chunk = from >> RowStore.chunkShift
        let start = chunk << RowStore.chunkShift
        let end = min(range.upperBound, start + RowStore.chunkRows)
        let n = end - from
        let number: UnsafePointer<Int32> =
          all.map { UnsafePointer($0.pointer(Int32.self)) + at }
          ?? UnsafePointer(numbers.pointer) + from
        let columns =
          grown.chunks.map { $0[chunk].slice(from - start..<end - start) }
          + [
            Column(
              type: DataType.int.notNull, count: n,
              values: Buffer(copying: UnsafeRawBufferPointer(start: number, count: n * 4))),
            weightColumn(from..<end),
          ]
        out.append(DeltaBatch(type.batch(columns, count: n), weight: 1))
        at += n
        from = end
      }
    }
    fresh = []
    return out
  }

  private func weightColumn(_ slots: Range<Int>) -> Column {
    let n = slots.count
    let out = Buffer(byteCount: n * 8)
    let p = out.pointer(Int64.self)
    if isPlain {
      p.update(repeating: 1, count: n)
    } else {
      p.update(from: weights.pointer + slots.lowerBound, count: n)
    }
    return Column(type: DataType.bigint.notNull, count: n, values: out)
  }

  private func freshNumbers(_ n: Int) throws(TerraceError) -> Buffer {
    let out = Buffer(byteCount: n * 4)
    let number = out.pointer(Int32.self)
    number.update(repeating: 0, count: n)
    var ranges: [(slots: Range<Int>, start: Int)] = []
    var at = 0
    for range in fresh {
      ranges.append((range, at))
      at += range.count
    }
    /// The place of the first new row from `slot` on along a chain; rows that were read are passed by.
    func place(_ slot: Int) -> Int? {
      var slot = slot
      while slot >= 0 {
        if let (range, start) = ranges.last(where: { $0.slots.lowerBound <= slot }),
          range.contains(slot)
        {
          return start + slot - range.lowerBound
        }
        slot = Int(next[slot])
      }
      return nil
    }
    var most: Int32 = 0
    at = 0
    let following = next.pointer
    // Chains lead to later rows only.
    for range in fresh {
      for slot in range {
        let value = number[at]
        most = max(most, value)
        let later = Int(following[slot])
        if later >= range.upperBound {
          if let found = place(later) { number[found] = value + 1 }
        } else if later >= 0 {
          number[at &+ later &- slot] = value &+ 1
        }
        number[at] = value &+ numberBase
        at &+= 1
      }
    }
    let (sum, over) = numberBase.addingReportingOverflow(most + 1)
    if over { throw KeyedState.tooMany }
    numberBase = sum
    return out
  }
}

extension Lane {
  /// The values at these places.
  func keeping(_ ids: IDList) -> Lane<Value> {
    let out = Lane<Value>()
    out.reserve(ids.count)
    for i in 0..<ids.count { out[i] = self[Int(ids[i])] }
    return out
  }
}
