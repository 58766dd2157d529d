import CMariaDB
import Columns
import Glibc

/// From a character set of the server to UTF-8. One thread.
final class MySQLCharset {
  private enum Way { case asIs, latin1, other }

  private let way: Way
  /// ASCII stands for itself in every set but the wide ones.
  let hasASCII: Bool
  private let converter: iconv_t?
  private let out = ByteWriter()

  private static let names: [String: String] = [
    "gbk": "GBK", "gb2312": "GB2312", "gb18030": "GB18030", "big5": "BIG5", "sjis": "SHIFT_JIS",
    "cp932": "CP932", "ujis": "EUC-JP", "eucjpms": "EUC-JP-MS", "euckr": "EUC-KR",
    "latin2": "ISO-8859-2", "latin5": "ISO-8859-9", "latin7": "ISO-8859-13",
    "greek": "ISO-8859-7", "hebrew": "ISO-8859-8", "tis620": "TIS-620", "cp1250": "CP1250",
    "cp1251": "CP1251", "cp1256": "CP1256", "cp1257": "CP1257", "cp850": "CP850",
    "cp852": "CP852", "cp866": "CP866", "koi8r": "KOI8-R", "koi8u": "KOI8-U",
    "macce": "MAC-CENTRALEUROPE", "macroman": "MACINTOSH", "ucs2": "UCS-2BE",
    "utf16": "UTF-16BE", "utf16le": "UTF-16LE", "utf32": "UTF-32BE", "armscii8": "ARMSCII-8",
  ]

  private static let plain = ["utf8", "utf8mb3", "utf8mb4", "ascii", "binary", "latin1"]

  /// The server's text in it is the text itself, or is turned into UTF-8 alike by all.
  static func isPlain(_ name: String) -> Bool { plain.contains(name.lowercased()) }

  static func isKnown(_ name: String) -> Bool {
    plain.contains(name.lowercased()) || names[name.lowercased()] != nil
  }

  /// Nil for sets that are not known.
  init?(_ name: String) {
    switch name.lowercased() {
    case "utf8", "utf8mb3", "utf8mb4", "ascii", "binary": way = .asIs
    case "latin1": way = .latin1
    default: way = .other
    }
    hasASCII = !["ucs2", "utf16", "utf16le", "utf32"].contains(name.lowercased())
    if way == .other {
      guard let theirs = Self.names[name.lowercased()] else { return nil }
      let made = iconv_open("UTF-8", theirs)
      if Int(bitPattern: made) == -1 { return nil }
      converter = made
    } else {
      converter = nil
    }
  }

  deinit { if let converter { iconv_close(converter) } }

  /// The text in UTF-8, valid until the next call; nil when it is none of its set.
  func convert(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
    if hasASCII, bytes.allSatisfy({ $0 < 0x80 }) { return bytes }
    switch way {
    case .asIs: return String(validating: bytes, as: UTF8.self) == nil ? nil : bytes
    case .latin1: return latin1(bytes)
    case .other: return converted(bytes)
    }
  }

  /// MySQL's latin1 is cp1252, with the five bytes that it lacks as C1 controls.
  private func latin1(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    out.removeAll()
    for byte in bytes {
      let code = byte >= 0x80 && byte < 0xa0 ? Self.cp1252[Int(byte - 0x80)] : UInt16(byte)
      if code < 0x80 {
        out.append(byte)
      } else if code < 0x800 {
        out.append(UInt8(0xc0 | code >> 6))
        out.append(UInt8(0x80 | code & 0x3f))
      } else {
        out.append(UInt8(0xe0 | code >> 12))
        out.append(UInt8(0x80 | code >> 6 & 0x3f))
        out.append(UInt8(0x80 | code & 0x3f))
      }
    }
    return out.bytes
  }

  private static let cp1252: [UInt16] = [
    0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039,
    0x152, 0x8d, 0x17d, 0x8f, 0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
    0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e, 0x178,
  ]

  private func converted(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
    out.removeAll()
    // One character of any set has at most four bytes of UTF-8, and at least one of its own.
    let room = bytes.count * 4 + 8
    out.reserve(room)
    var source = UnsafeMutablePointer(
      mutating: bytes.baseAddress?.assumingMemoryBound(to: CChar.self))
    var left = bytes.count
    var target: UnsafeMutablePointer<CChar>? = out.base.assumingMemoryBound(to: CChar.self)
    var free = room
    let result = iconv(converter, &source, &left, &target, &free)
    if result == Int.max.magnitude * 2 + 1 || left > 0 {
      iconv(converter, nil, nil, nil, nil)
      return nil
    }
    return UnsafeRawBufferPointer(start: out.base, count: room - free)
  }
}
