import Columns
import Store
import Synchronization

/// The log readers of the process: one a server and slot.
enum PostgresHubs {
  struct Key: Hashable, Sendable {
    var server: PostgresConnection.Settings
    var slot: String
    var folder: String
  }

  final class Entry: Sendable {
    let hub: LogHub<PostgresLog>
    /// Held while a publication or slot is made.
    let setup = Mutex<Void>(())

    init(_ hub: LogHub<PostgresLog>) { self.hub = hub }

    /// Its reader has not ended with an error.
    var isAlive: Bool {
      do throws(TerraceError) { try hub.check() } catch { return false }
      return true
    }
  }

  private static let open = Mutex<[Key: (entry: Entry, users: Int)]>([:])

  static func acquire(
    _ options: PostgresOptions, folder: String, _ environment: Environment
  ) throws(TerraceError) -> (key: Key, entry: Entry) {
    let key = Key(server: options.server, slot: options.slot, folder: folder)
    let known = open.withLock { open -> Entry? in
      guard let found = open[key], found.entry.isAlive else { return nil }
      open[key] = (found.entry, found.users + 1)
      return found.entry
    }
    if let known { return (key, known) }
    let name = "\(options.server.host)-\(options.server.port)-\(options.server.database)-"
    let plain = String(
      (name + options.slot).map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
    let ledger = try LogLedger<PostgresPosition>(
      LogLedgers.path(folder, "postgres-\(plain)"), environment.files)
    let beat = options.heartbeatQuery.map { (query: $0, millis: options.heartbeatMillis) }
    let log = PostgresLog(
      options.server, slot: options.slot, heartbeat: beat, time: environment.time)
    let made = Entry(LogHub(log, ledger: ledger, time: environment.time))
    let kept = open.withLock { open -> Entry in
      if let found = open[key], found.entry.isAlive {  // another was first
        open[key] = (found.entry, found.users + 1)
        return found.entry
      }
      open[key] = (made, 1)
      return made
    }
    if kept === made { made.hub.start() }
    return (key, kept)
  }

  static func release(_ key: Key, _ entry: Entry, reader: String) {
    _ = entry.hub.detach(reader)
    let last = open.withLock { open -> Bool in
      guard let found = open[key], found.entry === entry else { return true }
      if found.users > 1 {
        open[key] = (entry, found.users - 1)
        return false
      }
      open[key] = nil
      return true
    }
    if last { entry.hub.stop() }
  }
}
