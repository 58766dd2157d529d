import Warehouse

/// How far a query is: one line that changes on the terminal, from the second second on.
final class ProgressLine {
  private var start = Progress.now()
  private var lastShown = 0.0
  private var hasLine = false

  /// - Parameter progress: nil takes the line away, and what comes then is another query.
  func show(_ progress: QueryProgress?) {
    guard let progress else {
      if hasLine { Console.writeError("\r\u{1b}[K") }
      hasLine = false
      start = Progress.now()
      return
    }
    let now = Progress.now()
    guard now - start > 1, now - lastShown > 0.1 else { return }
    lastShown = now
    hasLine = true
    let rate = Int(Double(progress.rows) / (now - start))
    let text =
      "\(DisplayText.count(progress.rows, "row")) read, \(DisplayText.bytes(progress.bytes)), "
      + "\(DisplayText.grouped(rate)) rows/s: \(DisplayText.oneLine(progress.source))"
    Console.writeError("\r\u{1b}[K" + DisplayText.cut(text, to: 100))
  }
}
