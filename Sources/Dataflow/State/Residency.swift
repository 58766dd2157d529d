package import Columns

/// Where the rows of a state table lie that are not in memory.
package protocol StateBacking: AnyObject {
  /// All rows of some keys, in the order of the table's key; nil for none.
  ///
  /// - Parameter keys: the table's first columns, as many as it is looked up by; each key once.
  func rows(for keys: [Column], count: Int) throws(TerraceError) -> Batch?
}

/// One that may be read as a whole, too.
package protocol WholeBacking: StateBacking {
  /// How many rows ``readAll(_:)`` would give, at the most; nil when that is not to be asked for.
  var wholeCount: Int? { get }

  /// All rows, in the order of the table's key.
  func readAll(_ body: (Batch) throws(TerraceError) -> Void) throws(TerraceError)
}

/// Which keys of an operator have their state in memory, while that of others lies in its tables.
///
/// An operator without one has everything in memory and asks nobody.
final class Residency {
  /// By state table; those without rows have none.
  let backings: [(any StateBacking)?]
  /// By table, of each key.
  private let isResident: [Lane<UInt8>]
  /// By table, how many keys were asked for.
  private var asked: [Int]
  /// By table: all its rows are in memory.
  private var isComplete: [Bool]
  private let wholeAfter: Int?

  /// - Parameter wholeAfter: tables that are asked for so many keys may come into memory as a whole;
  ///   nil: never.
  init(_ backings: [(any StateBacking)?], wholeAfter: Int?) {
    self.backings = backings
    self.wholeAfter = wholeAfter
    isResident = backings.map { _ in Lane<UInt8>() }
    asked = backings.map { _ in 0 }
    isComplete = backings.map { $0 == nil }
  }

  /// Where rows of a table may have to be read; nil when all are in memory.
  func backing(_ table: Int) -> (any StateBacking)? { isComplete[table] ? nil : backings[table] }

  /// A table whose rows by key have cost as much by now as all that there are: to be read as a whole.
  func whole(_ table: Int) -> (any WholeBacking)? {
    // A row by key costs about as much as this many in a row: most of it is for the page around it.
    let ratio = 32
    guard let wholeAfter, asked[table] >= wholeAfter,
      let backing = backings[table] as? any WholeBacking, let count = backing.wholeCount,
      asked[table] > count / ratio
    else { return nil }
    return backing
  }

  /// Those of a table's rows whose keys have the numbers `ids` (-1: none) and are not in memory.
  func absent(_ table: Int, _ ids: UnsafePointer<Int32>, _ n: Int, below count: Int) -> Rows {
    let lane = isResident[table]
    lane.reserve(count)
    let known = lane.pointer
    return Rows(count: n) { ids[$0] < 0 || known[Int(ids[$0])] == 0 }
  }

  func complete(_ table: Int) { isComplete[table] = true }

  /// How many of `ids`, repeats included, have to be read.
  func missingCount(_ table: Int, _ ids: UnsafePointer<Int32>, _ n: Int, below count: Int) -> Int {
    if isComplete[table] { return 0 }
    let lane = isResident[table]
    lane.reserve(count)
    let known = lane.pointer
    var missing = 0
    for i in 0..<n { missing &+= bit(known[Int(ids[i])] == 0) }
    return missing
  }

  /// Those of `n` rows whose keys, numbers below `count`, are in memory.
  func present(_ table: Int, _ ids: UnsafePointer<Int32>, _ n: Int, below count: Int) -> Rows {
    if isComplete[table] { return Rows(all: n) }
    let lane = isResident[table]
    lane.reserve(count)
    let known = lane.pointer
    return Rows(count: n) { known[Int(ids[$0])] != 0 }
  }

  /// Those of `ids`, numbers below `count`, whose rows of a table have to be read: each once. They count as
  /// read now.
  func missing(_ table: Int, _ ids: UnsafePointer<Int32>, _ n: Int, below count: Int) -> IDList {
    let lane = isResident[table]
    lane.reserve(count)
    let known = lane.pointer
    let out = IDList()
    for i in 0..<n where known[Int(ids[i])] == 0 {
      known[Int(ids[i])] = 1
      out.append(ids[i])
    }
    asked[table] += out.count
    return out
  }

  /// Keys were numbered anew.
  func keep(_ ids: UnsafePointer<Int32>, _ n: Int) { for lane in isResident { lane.keep(ids, n) } }

  var byteCount: Int { isResident.reduce(0) { $0 + $1.byteCount } }
}
