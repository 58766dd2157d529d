import Columns

/// Walks the pages of a column chunk, reading ahead in windows; only the given ranges are touched.
///
/// Nothing is read twice: a page that a window cuts is put together from the part at hand and the
/// rest.
final class ParquetChunkCursor {
  private let source: any ByteSource
  private let column: String
  /// Byte ranges that hold the wanted pages, ascending.
  private var ranges: [Range<Int>]
  private var rangeIndex = 0
  private var window = Buffer(byteCount: 0)
  private var windowStart = 0
  private var windowEnd = 0
  /// Offset in the file of the next byte to look at.
  private(set) var position = 0
  private let windowBytes: Int

  /// Small, because a merge reads many columns of many files at once.
  static let windowBytes = 256 << 10

  init(
    _ source: any ByteSource, ranges: [Range<Int>], column: String,
    windowBytes: Int = ParquetChunkCursor.windowBytes
  ) throws(TerraceError) {
    self.source = source
    self.ranges = ranges
    self.column = column
    self.windowBytes = windowBytes
    for range in ranges where range.lowerBound < 0 || range.upperBound > source.byteCount {
      throw broken("a column chunk lies outside the file")
    }
    if let first = ranges.first { position = first.lowerBound }
    windowStart = position
    windowEnd = position
  }

  var fileName: String { source.name }

  func broken(_ what: String) -> TerraceError {
    TerraceError(.corrupted, what).with("file", source.name).with("column", column)
      .with("offset", position)
  }

  private var rangeEnd: Int { ranges[rangeIndex].upperBound }

  /// The header of the next page, whose body begins at `position` then; nil at the end.
  func nextPage() throws(TerraceError) -> ParquetPage? {
    while rangeIndex < ranges.count && position >= rangeEnd {
      rangeIndex += 1
      if rangeIndex < ranges.count {
        position = ranges[rangeIndex].lowerBound
        if position < windowStart || position > windowEnd {
          (windowStart, windowEnd) = (position, position)
        }
      }
    }
    if rangeIndex == ranges.count { return nil }
    // Headers are short unless they carry statistics; grow until it parses.
    var wanted = 256
    while true {
      let available = min(wanted, rangeEnd - position)
      try ensure(available)
      let start = window.base + (position - windowStart)
      let held = min(windowEnd, rangeEnd) - position
      var reader = ThriftReader(
        UnsafeRawBufferPointer(start: start, count: held), origin: position)
      do throws(TerraceError) {
        var page = try ParquetPage.read(&reader)
        page.offset = position
        position += page.headerBytes
        if page.compressedBytes > rangeEnd - position {
          throw broken("a page is longer than its column chunk")
        }
        return page
      } catch {
        if error.kind == .unsupported || held >= rangeEnd - position || wanted >= 16 << 20 {
          throw error.with("file", source.name).with("column", column)
        }
        wanted = max(wanted, held) * 4
      }
    }
  }

  /// The `count` bytes at `position`, moving past them. Valid while the buffer is held.
  func body(_ count: Int) throws(TerraceError) -> (Buffer, UnsafeRawBufferPointer) {
    if count <= windowEnd - position || count <= windowBytes / 2 {
      try ensure(count)
      let start = window.base + (position - windowStart)
      position += count
      return (window, UnsafeRawBufferPointer(start: start, count: count))
    }
    let whole = try joined(count)
    position += count
    (windowStart, windowEnd) = (position, position)
    return (whole, UnsafeRawBufferPointer(start: whole.base, count: count))
  }

  func skip(_ count: Int) {
    position += count
    if position > windowEnd { (windowStart, windowEnd) = (position, position) }
  }

  /// Makes `count` bytes from `position` on lie in the window.
  private func ensure(_ count: Int) throws(TerraceError) {
    if position + count <= windowEnd { return }
    let size = max(count, min(windowBytes, rangeEnd - position))
    window = try joined(size)
    windowStart = position
    windowEnd = position + size
  }

  /// `count` bytes from `position` on: what the window holds, and the rest read.
  private func joined(_ count: Int) throws(TerraceError) -> Buffer {
    let held = max(0, windowEnd - position)
    let rest = try source.read(at: position + held, count: count - held)
    if held == 0 { return rest }
    let whole = Buffer(byteCount: count)
    whole.base.copyMemory(from: window.base + (position - windowStart), byteCount: held)
    (whole.base + held).copyMemory(from: rest.base, byteCount: count - held)
    return whole
  }
}
