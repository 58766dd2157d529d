import Columns
import Glibc
import Store

/// Where a command writes: results to standard output, everything else to standard error.
///
/// Colour only goes to a terminal, and not when `NO_COLOR` is set (no-color.org) or `TERM` is `dumb`.
final class Console {
  let output = Output()
  /// What the process returns when nothing is thrown.
  var exitCode: Int32 = 0
  let outputIsTerminal = isatty(STDOUT_FILENO) == 1
  let errorIsTerminal = isatty(STDERR_FILENO) == 1

  /// Columns of the terminal that standard output is; nil when it is none.
  var width: Int? {
    guard outputIsTerminal else { return nil }
    var size = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  private static let wantsColor: Bool = {
    if let value = getenv("NO_COLOR"), value.pointee != 0 { return false }
    if let value = getenv("TERM"), String(cString: value) == "dumb" { return false }
    return true
  }()

  var styledOutput: Bool { outputIsTerminal && Console.wantsColor }
  var styledError: Bool { errorIsTerminal && Console.wantsColor }

  /// One sentence about what was done, as pypaimon prints it.
  func say(_ text: String) throws(TerraceError) { try output.line(text) }

  /// A remark that is not part of the result.
  func note(_ text: String) { Console.writeError(text + "\n") }

  /// Writes to standard error at once. A refusal is not reported: there is nowhere to report it.
  static func writeError(_ text: String) {
    // Whatever went wrong, no secret is told.
    var text = Redaction.clean(text)
    text.withUTF8 { bytes in
      var done = 0
      while done < bytes.count, let base = bytes.baseAddress {
        let wrote = Glibc.write(STDERR_FILENO, base + done, bytes.count - done)
        if wrote > 0 {
          done += wrote
        } else if wrote == 0 || errno != EINTR {
          return
        }
      }
    }
  }
}
