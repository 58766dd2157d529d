import Columns

/// Takes rows of COPY … TO STDOUT apart: fields between tabs, `\N` for null, backslashes before others.
final class CopyText {
  private let scratch = ByteWriter(capacity: 4096)

  /// Gives each field of a row that ends with a line feed to `rows`, as its columns in order.
  ///
  /// - Throws: `corrupted` when it has not as many fields as columns.
  func read(_ row: UnsafeRawBufferPointer, into rows: PostgresRows) throws(TerraceError) {
    let count = rows.physical.count
    var end = row.count
    if end > 0, row[end - 1] == 0x0a { end -= 1 }
    var at = 0
    var field = 0
    // A row without columns is an empty line.
    if count == 0 { return }
    while true {
      let start = at
      var hasEscape = false
      while at < end, row[at] != 0x09 {
        if row[at] == 0x5c {
          hasEscape = true
          at += 1
        }
        at += 1
      }
      at = min(at, end)
      guard field < count else { throw Self.broken(field + 1, count) }
      let text = UnsafeRawBufferPointer(rebasing: row[start..<at])
      if !hasEscape {
        rows.append(field, text)
      } else if text.count == 2, text[1] == UInt8(ascii: "N") {
        rows.appendNull(field)
      } else {
        unescape(text)
        rows.append(field, scratch.bytes)
      }
      field += 1
      if at >= end { break }
      at += 1
    }
    if field != count { throw Self.broken(field, count) }
  }

  private static func broken(_ found: Int, _ count: Int) -> TerraceError {
    TerraceError(.corrupted, "a row of COPY has \(found) fields, not \(count)")
  }

  private func unescape(_ text: UnsafeRawBufferPointer) {
    scratch.removeAll()
    scratch.reserve(text.count)
    var i = 0
    while i < text.count {
      var byte = text[i]
      i += 1
      if byte == 0x5c, i < text.count {
        byte = text[i]
        i += 1
        switch byte {
        case UInt8(ascii: "b"): byte = 0x08
        case UInt8(ascii: "f"): byte = 0x0c
        case UInt8(ascii: "n"): byte = 0x0a
        case UInt8(ascii: "r"): byte = 0x0d
        case UInt8(ascii: "t"): byte = 0x09
        case UInt8(ascii: "v"): byte = 0x0b
        default: break
        }
      }
      scratch.append(byte)
    }
  }
}
