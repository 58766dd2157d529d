import CMariaDB
import Columns
import Glibc

/// From a character set of the server to UTF-8. One thread.
final class MySQLCharset {
  private enum Way { case asIs, latin1, other }
  private enum Leads { case none, sjis, euc }

  private let way: Way
  /// ASCII stands for itself in every set but the wide ones.
  let hasASCII: Bool
  private let converter: iconv_t?
  /// By the bytes of their code.
  private let differences: [UInt32: Unicode.Scalar]
  private let leads: Leads
  private let out = ByteWriter()

  private static let names: [String: String] = [
    "gbk": "GBK", "gb2312": "GB2312", "gb18030": "GB18030", "big5": "BIG5", "sjis": "SHIFT_JIS",
    "cp932": "CP932", "ujis": "EUC-JP-MS", "eucjpms": "EUC-JP-MS", "euckr": "UHC",
    "latin2": "ISO-8859-2", "latin5": "ISO-8859-9", "latin7": "ISO-8859-13",
    "greek": "ISO-8859-7", "hebrew": "ISO-8859-8", "tis620": "ISO-8859-11", "cp1250": "CP1250",
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
    differences = Self.allDifferences[name.lowercased()] ?? [:]
    leads = ["sjis": .sjis, "ujis": .euc][name.lowercased()] ?? .none
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
    if differences.isEmpty { return append(bytes) ? out.bytes : nil }
    var start = 0
    var at = 0
    while at < bytes.count {
      let width = min(width(bytes[at]), bytes.count - at)
      let code = bytes[at..<at + width].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      if let scalar = differences[code] {
        guard append(UnsafeRawBufferPointer(rebasing: bytes[start..<at])) else { return nil }
        out.append(String(Character(scalar)))
        start = at + width
      }
      at += width
    }
    return append(UnsafeRawBufferPointer(rebasing: bytes[start...])) ? out.bytes : nil
  }

  private func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
    if bytes.isEmpty { return true }
    // One character of any set has at most four bytes of UTF-8, and at least one of its own.
    let room = bytes.count * 4 + 8
    out.reserve(room)
    var source = UnsafeMutablePointer(
      mutating: bytes.baseAddress?.assumingMemoryBound(to: CChar.self))
    var left = bytes.count
    var target: UnsafeMutablePointer<CChar>? = (out.base + out.count).assumingMemoryBound(
      to: CChar.self)
    var free = room
    let result = iconv(converter, &source, &left, &target, &free)
    if result == Int.max.magnitude * 2 + 1 || left > 0 {
      iconv(converter, nil, nil, nil, nil)
      return false
    }
    out.advance(room - free)
    return true
  }

  /// Bytes of a character, by its first.
  private func width(_ first: UInt8) -> Int {
    switch leads {
    case .none: 1
    case .sjis: (0x81...0x9f).contains(first) || first >= 0xe0 ? 2 : 1
    case .euc: first == 0x8f ? 3 : first == 0x8e || first >= 0xa1 ? 2 : 1
    }
  }
}

/// Where the servers' characters differ from those of the C library's set: all codes of MariaDB 10.11 were
/// compared. (Of big5 the kana and signs at C6A1 to C7F2 differ; both ways of reading have the library's.)
extension MySQLCharset {
  fileprivate static let allDifferences: [String: [UInt32: Unicode.Scalar]] = [
    "sjis": [0x5c: "\\", 0x7e: "~", 0x815f: "\\"],
    "ujis": [
      0xa1c0: "\\", 0xa1c1: "\u{301c}", 0xa1c2: "\u{2016}", 0xa1dd: "\u{2212}",
      0xa1f1: "\u{a2}", 0xa1f2: "\u{a3}", 0xa2cc: "\u{ac}",
    ],
    "greek": [0xa1: "\u{2bd}", 0xa2: "\u{2bc}"], "hebrew": [0xaf: "\u{203e}"],
    "cp866": [0xfc: "\u{207f}", 0xfd: "\u{b2}"], "koi8u": [0x95: "\u{2022}"],
    "macroman": [0xc6: "\u{2206}", 0xf0: "\u{f8ff}"],
    "armscii8": [
      0xa1: "\u{2741}", 0xa2: "\u{a7}", 0xad: "\u{55f}", 0xfe: "\u{2019}", 0xff: "'",
    ],
  ]
}
