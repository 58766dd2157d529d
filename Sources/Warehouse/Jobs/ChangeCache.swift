import Columns
import Store
import Synchronization

/// Changes of snapshots that this process committed, kept in memory for the jobs that read them next.
///
/// An entry is what a reader of the table's changelog would get, in whole rows. It may be missing or dropped
/// at any time: the files say the same. Entries are found by the snapshot's uuid, so an id that comes to
/// mean another commit finds nothing.
package final class ChangeCache: Sendable {
  private struct Entry {
    var deltas: [DeltaBatch]
    var bytes: Int
    var turn: Int
  }

  private struct State {
    var entries: [String: Entry] = [:]
    var order: [(turn: Int, uuid: String)] = []
    var bytes = 0
    var turn = 0
    var hits = 0
  }

  package let limitBytes: Int
  private let state = Mutex(State())

  package init(limitBytes: Int = 64 << 20) { self.limitBytes = limitBytes }

  func put(_ deltas: [DeltaBatch], of snapshot: Snapshot) {
    guard let uuid = snapshot.uuid else { return }
    let bytes = deltas.reduce(256) { $0 + $1.rows.byteCount + $1.count * 8 }
    if bytes > limitBytes { return }
    state.withLock { state in
      state.turn += 1
      if let old = state.entries[uuid] { state.bytes -= old.bytes }
      state.entries[uuid] = Entry(deltas: deltas, bytes: bytes, turn: state.turn)
      state.order.append((state.turn, uuid))
      state.bytes += bytes
      var first = 0
      while state.bytes > limitBytes, first < state.order.count {
        let (turn, uuid) = state.order[first]
        first += 1
        if let entry = state.entries[uuid], entry.turn == turn {
          state.bytes -= entry.bytes
          state.entries[uuid] = nil
        }
      }
      state.order.removeFirst(first)
    }
  }

  /// Whole rows of the table; nil when they must be read from files.
  func changes(of snapshot: Snapshot) -> [DeltaBatch]? {
    guard let uuid = snapshot.uuid else { return nil }
    return state.withLock { state in
      guard let entry = state.entries[uuid] else { return nil }
      state.hits += 1
      return entry.deltas
    }
  }

  /// How often changes were found.
  package var hits: Int { state.withLock { $0.hits } }
  package var usedBytes: Int { state.withLock { $0.bytes } }

  /// Forgets everything.
  package func drop() {
    state.withLock { state in
      state.entries = [:]
      state.order = []
      state.bytes = 0
    }
  }
}
