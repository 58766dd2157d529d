import Columns
import Formats
import Store
import Synchronization

/// Who reads a server's log and what each no longer needs, in a small file of the project: a table whose job
/// does not run now must not lose its part of the log.
///
/// An entry that is behind the truth does no harm: the server keeps more than it must.
final class LogLedger<Position: LogPosition>: Sendable {
  private let path: String
  private let files: any FileIO
  private let entries: Mutex<[String: Position]>

  init(_ path: String, _ files: any FileIO) throws(TerraceError) {
    self.path = path
    self.files = files
    var read: [String: Position] = [:]
    if let bytes = try files.readSmall(path, limit: 16 << 20) {
      do throws(TerraceError) {
        for member in try parseJSON(bytes).asMembers ?? [] {
          if let text = member.value.asString { read[member.name] = try Position(text: text) }
        }
      } catch { throw error.with("file", path) }
    }
    entries = Mutex(read)
  }

  /// The least position that somebody needs.
  var least: Position? { entries.withLock { $0.values.min() } }

  /// A reader that begins, or begins anew.
  func note(_ reader: String, _ position: Position) throws(TerraceError) {
    let isNew = entries.withLock { entries in
      if let old = entries[reader], old <= position { return false }
      entries[reader] = position
      return true
    }
    if isNew { try write() }
  }

  /// What attached readers need now; they only move on.
  func note(_ readers: [(String, Position)]) throws(TerraceError) {
    let isChanged = entries.withLock { entries in
      var isChanged = false
      for (reader, position) in readers where entries[reader].map({ $0 < position }) ?? true {
        entries[reader] = position
        isChanged = true
      }
      return isChanged
    }
    if isChanged { try write() }
  }

  private func write() throws(TerraceError) {
    let members = entries.withLock { entries in
      entries.sorted { $0.key < $1.key }.map {
        JSONValue.Member($0.key, .string($0.value.text))
      }
    }
    let text = JSONValue.object(members).text()
    if let end = path.lastIndex(of: "/") { try files.makeDirectories(String(path[..<end])) }
    try files.replace(path, with: Array(text.utf8), durable: true)
  }
}
