import Glibc
import Synchronization

/// Ends the waiting for a server, from another thread than the one that waits.
///
/// A server that stays connected and answers nothing would hold its reader, and with it the process.
final class ConnectionCut: Sendable {
  private struct State: ~Copyable {
    var sockets: Set<Int32> = []
    var isCut = false
  }

  private let state = Mutex(State())

  /// Nobody wants the answers any more.
  var isCut: Bool { state.withLock { $0.isCut } }

  /// A socket that somebody reads from; one that comes late is cut at once.
  ///
  /// - Returns: for ``remove(_:)``. A number of its own: the socket's may be another's when a library has closed it.
  func add(_ socket: Int32) -> Int32 {
    let own = fcntl(socket, F_DUPFD_CLOEXEC, 0)
    if own < 0 { return own }
    state.withLock { state in
      if state.isCut { _ = shutdown(own, Int32(SHUT_RDWR)) }
      state.sockets.insert(own)
    }
    return own
  }

  func remove(_ own: Int32) {
    if state.withLock({ $0.sockets.remove(own) }) != nil { close(own) }
  }

  func cut() {
    state.withLock { state in
      state.isCut = true
      for socket in state.sockets { _ = shutdown(socket, Int32(SHUT_RDWR)) }
    }
  }
}
