package import Columns
import Synchronization

/// Counts calls and bytes, by kind of call and role of file.
package final class FileCounters: FileWatcher {
  package struct Count: Hashable, Sendable {
    package var calls = 0
    package var bytes = 0

    package init(calls: Int = 0, bytes: Int = 0) {
      self.calls = calls
      self.bytes = bytes
    }
  }

  package struct Key: Hashable, Sendable {
    package var call: FileCall
    package var role: FileRole
  }

  private let counts = Mutex<[Key: Count]>([:])

  package init() {}

  package func before(
    _ call: FileCall, _ path: String, bytes: Int
  ) throws(TerraceError) -> Int? { nil }

  package func after(_ call: FileCall, _ path: String, bytes: Int) throws(TerraceError) {
    let key = Key(call: call, role: FileRole(path: path))
    counts.withLock { counts in
      counts[key, default: Count()].calls += 1
      counts[key, default: Count()].bytes += bytes
    }
  }

  package var all: [Key: Count] { counts.withLock { $0 } }

  /// Of these calls and roles together; nil for any.
  package func total(_ call: FileCall? = nil, _ role: FileRole? = nil) -> Count {
    var sum = Count()
    for (key, count) in all
    where (call == nil || key.call == call) && (role == nil || key.role == role) {
      sum.calls += count.calls
      sum.bytes += count.bytes
    }
    return sum
  }

  package func reset() { counts.withLock { $0.removeAll() } }
}

/// A ``FileIO`` that counts.
package struct CountingFileIO {
  package let files: any FileIO
  package let counters = FileCounters()

  package init(_ base: any FileIO = LocalFileIO()) {
    files = WatchedFileIO(base, counters)
  }
}
