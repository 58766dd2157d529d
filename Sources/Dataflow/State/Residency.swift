package import Columns

/// Where the rows of a state table lie that are not in memory.
package protocol StateBacking: AnyObject {
  /// All rows of some keys, in the order of the table's key; nil for none.
  ///
  /// - Parameter keys: the table's first columns, as many as it is looked up by; each key once.
  func rows(for keys: [Column], count: Int) throws(TerraceError) -> Batch?
}

/// Which keys of an operator have their state in memory, while that of others lies in its tables.
///
/// An operator without one has everything in memory and asks nobody.
final class Residency {
  /// By state table; those without rows have none.
  let backings: [(any StateBacking)?]
  /// By table, of each key.
  private let isResident: [Lane<UInt8>]

  init(_ backings: [(any StateBacking)?]) {
    self.backings = backings
    isResident = backings.map { _ in Lane<UInt8>() }
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
    return out
  }

  /// Keys were numbered anew.
  func keep(_ ids: UnsafePointer<Int32>, _ n: Int) { for lane in isResident { lane.keep(ids, n) } }

  var byteCount: Int { isResident.reduce(0) { $0 + $1.byteCount } }
}
