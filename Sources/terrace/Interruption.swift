import Glibc
import Synchronization

/// SIGINT and SIGTERM as something to ask about, for work that has to end in order.
///
/// The first signal asks for an end; the second one ends the process at once.
enum Interruption {
  private static let signalNumber = Atomic<Int32>(0)

  /// From now on the first signal no longer ends the process.
  static func watch() {
    // Made before a signal can arrive: the handler must not allocate.
    _ = signalNumber.load(ordering: .relaxed)
    for number in [SIGINT, SIGTERM] {
      var action = sigaction()
      action.__sigaction_handler.sa_handler = { number in
        Interruption.signalNumber.store(number, ordering: .relaxed)
      }
      action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND))
      sigaction(number, &action, nil)
    }
  }

  /// Forgets the last signal and waits for the next.
  static func again() {
    signalNumber.store(0, ordering: .relaxed)
    watch()
  }

  static var happened: Bool { signalNumber.load(ordering: .relaxed) != 0 }

  /// Ends the process, some seconds after a signal that was to end it.
  ///
  /// - Parameter say: the last words.
  static func giveUp(after seconds: Double, say: () -> Void) {
    guard happened else { return }
    let now = Progress.now()
    let since = firstSeen.withLock { seen in
      if seen == nil { seen = now }
      return seen ?? now
    }
    if now - since < seconds { return }
    say()
    _exit(exitCode ?? 1)
  }

  /// When a signal was seen first.
  private static let firstSeen = Mutex<Double?>(nil)

  /// 128 + the signal, as shells count; nil when there was none.
  static var exitCode: Int32? {
    let number = signalNumber.load(ordering: .relaxed)
    return number == 0 ? nil : 128 + number
  }
}
