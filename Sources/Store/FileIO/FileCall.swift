/// The calls of ``FileIO`` and of what it opens, for counters and faults.
package enum FileCall: String, CaseIterable, Sendable {
  case open, read, create, write, sync, close
  case syncDirectory = "sync directory"
  case publish, replace, rename, list, status, delete
  case deleteDirectory = "delete directory"
  case makeDirectories = "make directories"
  case lock

  /// Calls that change something.
  package var isMutating: Bool {
    switch self {
    case .open, .read, .list, .status, .lock: false
    default: true
    }
  }
}
