internal import Columns
internal import Formats

/// Parquet files that are open, by name, with what was read of them last: footers, page indexes, pages.
///
/// The files that were asked for longest ago are closed when there are many, and of bytes only so many are
/// held, in two generations: what the younger one has no room for any more becomes the older.
final class OpenedFiles {
  /// A file, and its index by the keys that are looked up, if it has one.
  struct Opened {
    let file: ParquetFile
    let lookup: ParquetLookup?
  }

  private let cache = ReadCache(limit: 16 << 20)
  private var files: [String: Opened] = [:]
  private var older: [String: Opened] = [:]
  private static let filesMax = 128
  /// Footers are short: of large files little more is to be read.
  private static let tailBytes = 8 << 10
  private let keyTypes: [DataType]

  init(keyTypes: [DataType]) { self.keyTypes = keyTypes }

  func file(
    _ name: String, _ open: () throws(TerraceError) -> any ByteSource
  ) throws(TerraceError) -> Opened {
    if let known = files[name] { return known }
    let file: Opened
    if let known = older.removeValue(forKey: name) {
      file = known
    } else {
      let fresh = try ParquetFile(
        RememberingSource(try open(), cache), tail: OpenedFiles.tailBytes)
      file = Opened(file: fresh, lookup: try ParquetLookup(fresh, types: keyTypes))
    }
    if files.count >= OpenedFiles.filesMax {
      older = files
      files = [:]
    }
    files[name] = file
    return file
  }

  /// Closes the others.
  func keep(_ names: Set<String>) {
    files = files.filter { names.contains($0.key) }
    older = older.filter { names.contains($0.key) }
  }
}

/// Bytes that were read last, of several files. One thread calls.
private final class ReadCache: @unchecked Sendable {
  struct Place: Hashable {
    var file: String
    var start: Int
    var count: Int
  }

  private var young: [Place: Buffer] = [:]
  private var old: [Place: Buffer] = [:]
  private var youngBytes = 0
  private let limit: Int

  init(limit: Int) { self.limit = limit }

  func find(_ place: Place) -> Buffer? {
    if let found = young[place] { return found }
    guard let found = old.removeValue(forKey: place) else { return nil }
    put(found, at: place)
    return found
  }

  func put(_ buffer: Buffer, at place: Place) {
    if youngBytes + buffer.byteCount > limit / 2 {
      old = young
      young = [:]
      youngBytes = 0
    }
    young[place] = buffer
    youngBytes += buffer.byteCount
  }
}

private final class RememberingSource: ByteSource, @unchecked Sendable {
  let name: String
  let byteCount: Int
  private let base: any ByteSource
  private let cache: ReadCache

  init(_ base: any ByteSource, _ cache: ReadCache) {
    self.base = base
    self.cache = cache
    name = base.name
    byteCount = base.byteCount
  }

  func read(at offset: Int, count: Int) throws(TerraceError) -> Buffer {
    try check(offset, count)
    let place = ReadCache.Place(file: name, start: offset, count: count)
    if let found = cache.find(place) { return found }
    let buffer = try base.read(at: offset, count: count)
    cache.put(buffer, at: place)
    return buffer
  }
}
