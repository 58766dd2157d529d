package import Columns

/// How a file of text is packed. Its first bytes tell, or else its name.
package enum Packing: String, Sendable {
  case none, gzip, zstd, bzip2, xz
  /// With zlib's wrapper (RFC 1950), as `.deflate` files of Hadoop and Flink have it: text may begin so too.
  case deflate

  /// Bytes that are enough to tell.
  package static let headBytes = 10

  /// - Throws: `unsupported` for packings that are known and not read.
  package static func of(
    _ head: UnsafeRawBufferPointer, name: String
  ) throws(TerraceError) -> Packing {
    func begins(_ bytes: [UInt8]) -> Bool {
      head.count >= bytes.count && head.prefix(bytes.count).elementsEqual(bytes)
    }
    if begins([0x1f, 0x8b]) { return .gzip }
    if begins([0x28, 0xb5, 0x2f, 0xfd]) { return .zstd }
    if begins([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]) { return .xz }
    // A block begins with the digits of pi, an empty file ends with those of its root: "BZh" alone is text.
    let isBlock =
      head.count >= 10
      && (head[4...].elementsEqual([0x31, 0x41, 0x59, 0x26, 0x53, 0x59])
        || head[4...].elementsEqual([0x17, 0x72, 0x45, 0x38, 0x50, 0x90]))
    if begins(Array("BZh".utf8)), isBlock { return .bzip2 }
    for (other, mark) in others where begins(mark) { throw unsupported(other, name) }
    guard let dot = name.lastIndex(of: "."), dot > (name.lastIndex(of: "/") ?? name.startIndex)
    else { return .none }
    let ending = name[name.index(after: dot)...].lowercased()
    if let other = otherEndings[ending] { throw unsupported(other, name) }
    return endings[ending] ?? .none
  }

  /// Of names, in lower case.
  package static let endings: [String: Packing] = [
    "gz": .gzip, "gzip": .gzip, "zst": .zstd, "zstd": .zstd, "bz2": .bzip2, "xz": .xz,
    "deflate": .deflate,
  ]

  private static let others: [(String, [UInt8])] = [
    ("lz4", [0x04, 0x22, 0x4d, 0x18]), ("snappy", [0xff, 0x06, 0, 0, 0x73, 0x4e]),
    ("zip", [0x50, 0x4b, 3, 4]), ("lzo", [0x89, 0x4c, 0x5a, 0x4f]), ("compress", [0x1f, 0x9d]),
    ("7z", [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]), ("rar", [0x52, 0x61, 0x72, 0x21, 0x1a, 7]),
  ]

  private static let otherEndings = [
    "lz4": "lz4", "sz": "snappy", "snappy": "snappy", "zip": "zip", "lzo": "lzo", "z": "compress",
    "7z": "7z", "rar": "rar", "br": "brotli", "lzma": "lzma",
  ]

  private static func unsupported(_ packing: String, _ name: String) -> TerraceError {
    TerraceError(
      .unsupported, "files packed with \(packing)",
      hint: "gzip, zstd, bzip2, xz and deflate are read"
    ).with("file", name)
  }
}
