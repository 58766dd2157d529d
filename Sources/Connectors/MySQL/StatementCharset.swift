import Columns
import Formats

/// The character set that a statement in the log has: that of the session which sent it.
enum StatementCharset {
  /// Numbers of collations that sessions have, by their character set; all others are read as UTF-8.
  private static let collations: [(name: String, numbers: [Int])] = [
    ("latin1", [5, 8, 15, 31, 47, 48, 49, 94]), ("gbk", [28, 87]), ("gb2312", [24, 86]),
    ("gb18030", [248, 249, 250]), ("big5", [1, 84]), ("sjis", [13, 88]), ("cp932", [95, 96]),
    ("ujis", [12, 91]), ("eucjpms", [97, 98]), ("euckr", [19, 85]),
    ("latin2", [2, 9, 21, 27, 77]), ("latin5", [30, 78]), ("latin7", [20, 41, 42, 79]),
    ("greek", [25, 70]), ("hebrew", [16, 71]), ("tis620", [18, 89]),
    ("cp1250", [26, 34, 44, 66, 99]), ("cp1251", [14, 23, 50, 51, 52]), ("cp1256", [57, 67]),
    ("cp1257", [29, 58, 59]), ("cp850", [4, 80]), ("cp852", [40, 81]), ("cp866", [36, 68]),
    ("koi8r", [7, 74]), ("koi8u", [22, 75]), ("macroman", [39, 53]), ("macce", [38, 43]),
    ("armscii8", [32, 64]),
  ]

  /// From the status variables of a query event (`Q_CHARSET_CODE`); nil where they do not say it.
  static func collation(_ variables: UnsafeRawBufferPointer) throws(TerraceError) -> Int? {
    var cursor = ByteCursor(variables)
    while cursor.remaining > 0 {
      switch try cursor.readByte() {
      case 0, 3: try cursor.skip(4)
      case 1: try cursor.skip(8)
      case 2: try cursor.skip(Int(try cursor.readByte()) + 1)
      case 4: return Int(try cursor.readRaw(UInt16.self))
      case 5, 6: try cursor.skip(Int(try cursor.readByte()))
      default: return nil
      }
    }
    return nil
  }

  static func text(_ bytes: UnsafeRawBufferPointer, _ collation: Int?) -> String {
    if let collation, bytes.contains(where: { $0 >= 0x80 }),
      let set = collations.first(where: { $0.numbers.contains(collation) }),
      let charset = MySQLCharset(set.name)
    {
      // What is converted lies in the charset.
      let text = charset.convert(bytes).map { String(decoding: $0, as: UTF8.self) }
      withExtendedLifetime(charset) {}
      if let text { return text }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
