import Glibc
import Warehouse

/// How far an import is: one line that changes on a terminal, a line every ten seconds elsewhere.
final class Progress {
  private let console: Console
  private let start = Progress.now()
  private var lastShown = Progress.now()
  private var hasLine = false

  init(_ console: Console) { self.console = console }

  /// Seconds of a clock that never goes back.
  static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  var seconds: Double { Progress.now() - start }

  func show(_ progress: ImportProgress) { show(line(progress)) }

  func show(_ text: @autoclosure () -> String) {
    let interval = console.errorIsTerminal ? 0.1 : 10
    guard Progress.now() - lastShown >= interval else { return }
    lastShown = Progress.now()
    let text = text()
    if console.errorIsTerminal {
      Console.writeError("\r\u{1b}[K" + text)
      hasLine = true
    } else {
      Console.writeError(text + "\n")
    }
  }

  /// Takes the changing line away.
  func clear() {
    if hasLine { Console.writeError("\r\u{1b}[K") }
    hasLine = false
  }

  func rate(_ rows: Int) -> String {
    "\(DisplayText.grouped(Int(Double(rows) / max(seconds, 0.001)))) rows/s"
  }

  private func line(_ progress: ImportProgress) -> String {
    var parts = [
      DisplayText.count(progress.rows, "row"), DisplayText.bytes(progress.bytes),
      rate(progress.rows),
    ]
    if progress.totalBytes > 0 {
      parts.append("\(min(100, progress.bytes * 100 / progress.totalBytes)) %")
    }
    if progress.rejected > 0 { parts.append("\(progress.rejected) left out") }
    if progress.fileCount > 1 {
      parts.append("file \(progress.fileNumber) of \(progress.fileCount)")
    }
    return parts.joined(separator: ", ")
  }
}
