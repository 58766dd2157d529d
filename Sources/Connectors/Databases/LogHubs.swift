import Columns
import Synchronization

/// The readers of one kind of log in the process: one for whatever `Key` tells apart.
final class LogHubs<Key: Hashable & Sendable, Log: DatabaseLog & SendableMetatype>: Sendable {
  private let open = Mutex<[Key: (hub: LogHub<Log>, users: Int)]>([:])

  /// The reader for this key, started; to be released once for each call.
  func acquire(
    _ key: Key, _ make: () throws(TerraceError) -> LogHub<Log>
  ) throws(TerraceError) -> LogHub<Log> {
    let hub = open.withLock { open -> Result<LogHub<Log>, TerraceError> in
      // One whose reader has ended told why to its own users; new ones get a new one.
      if let found = open[key], found.hub.isAlive {
        open[key] = (found.hub, found.users + 1)
        return .success(found.hub)
      }
      do throws(TerraceError) {
        let made = try make()
        made.start()
        open[key] = (made, 1)
        return .success(made)
      } catch { return .failure(error) }
    }
    return try hub.get()
  }

  func release(_ key: Key, _ hub: LogHub<Log>, reader: String) {
    hub.detach(reader)
    let isLast = open.withLock { open -> Bool in
      guard let found = open[key], found.hub === hub else { return true }
      if found.users > 1 {
        open[key] = (hub, found.users - 1)
        return false
      }
      open[key] = nil
      return true
    }
    if isLast { hub.stop() }
  }
}
