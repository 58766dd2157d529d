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
  private let state: Mutex<State>
  private static var toldName: String { "" }

  private struct State {
    var entries: [String: Position] = [:]
    /// What the server was told that it may forget; kept under a name that no reader has.
    var told: Position?
    /// What the log is called, in the server's words; their names begin with `@`.
    var marks: [String: String] = [:]
    /// Something moved on that is not in the file yet.
    var isChanged = false
  }

  init(_ path: String, _ files: any FileIO) throws(TerraceError) {
    self.path = path
    self.files = files
    var read = State()
    if let bytes = try files.readSmall(path, limit: 16 << 20) {
      do throws(TerraceError) {
        for member in try parseJSON(bytes).asMembers ?? [] {
          guard let text = member.value.asString else { continue }
          if member.name.hasPrefix("@") {
            read.marks[member.name] = text
          } else {
            read.entries[member.name] = try Position(text: text)
          }
        }
      } catch { throw error.with("file", path) }
    }
    read.told = read.entries.removeValue(forKey: Self.toldName)
    state = Mutex(read)
  }

  /// The least position that somebody needs.
  var least: Position? { state.withLock { $0.entries.values.min() } }
  /// What the server was told at most that it may forget.
  var told: Position? { state.withLock { $0.told } }

  /// Notes what the log is called; written with what comes next.
  func mark(_ marks: [String: String]) {
    state.withLock { $0.marks.merge(marks) { $1 } }
  }

  /// A reader that begins, or begins anew.
  func note(_ reader: String, _ position: Position) throws(TerraceError) {
    let isNew = state.withLock { state in
      if let old = state.entries[reader], old <= position { return false }
      state.entries[reader] = position
      return true
    }
    if isNew { try write() }
  }

  /// A reader begins where the server holds its log from `position` on. Where nobody else reads, that is what
  /// the server counts as told: a log made anew later begins behind it.
  func begin(_ reader: String, at position: Position) throws(TerraceError) {
    let isChanged = state.withLock { state in
      let isAlone = state.entries.keys.allSatisfy { $0 == reader }
      guard isAlone || state.told == nil, state.told != position else { return false }
      state.told = position
      return true
    }
    if isChanged { try write() }
  }

  /// What attached readers need now; they only move on. Written with what the server is told next.
  func note(_ readers: [(String, Position)]) {
    state.withLock { state in
      for (reader, position) in readers where state.entries[reader].map({ $0 < position }) ?? true {
        state.entries[reader] = position
        state.isChanged = true
      }
    }
  }

  /// Makes durable that the server is told to forget what is before `position`: to be called before it is.
  func tell(_ position: Position) throws(TerraceError) {
    let isChanged = state.withLock { state in
      if state.told.map({ $0 < position }) ?? true {
        state.told = position
        state.isChanged = true
      }
      defer { state.isChanged = false }
      return state.isChanged
    }
    if isChanged { try write() }
  }

  private func write() throws(TerraceError) {
    let members = state.withLock { state in
      var all = state.entries
      all[Self.toldName] = state.told
      let texts = all.mapValues(\.text).merging(state.marks) { $1 }
      return texts.sorted { $0.key < $1.key }.map { JSONValue.Member($0.key, .string($0.value)) }
    }
    let text = JSONValue.object(members).text()
    if let end = path.lastIndex(of: "/") { try files.makeDirectories(String(path[..<end])) }
    try files.replace(path, with: Array(text.utf8), durable: true)
  }
}
