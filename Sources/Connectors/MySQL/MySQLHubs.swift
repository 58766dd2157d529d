import Columns
import Store
import Synchronization

/// The log readers of the process: one a server, one server id.
enum MySQLHubs {
  struct Key: Hashable, Sendable {
    var server: MySQLConnection.Settings
    var servers: ClosedRange<UInt32>
    var folder: String
  }

  private static let open = Mutex<[Key: (hub: LogHub<MySQLLog>, users: Int)]>([:])

  static func acquire(
    _ options: MySQLOptions, folder: String, _ environment: Environment
  ) -> (key: Key, hub: LogHub<MySQLLog>) {
    let key = Key(server: options.server, servers: options.servers, folder: folder)
    let (hub, isNew) = open.withLock { open -> (LogHub<MySQLLog>, Bool) in
      // One whose reader has ended told why to its own users; new ones get a new one.
      if let found = open[key], (try? found.hub.check()) != nil {
        open[key] = (found.hub, found.users + 1)
        return (found.hub, false)
      }
      let log = MySQLLog(options.server, servers: options.servers, time: environment.time)
      let made = LogHub(log, ledger: nil, time: environment.time)
      open[key] = (made, 1)
      return (made, true)
    }
    if isNew { hub.start() }
    return (key, hub)
  }

  static func release(_ key: Key, _ hub: LogHub<MySQLLog>, reader: String) {
    _ = hub.detach(reader)
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
