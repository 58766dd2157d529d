import Columns

/// A source of which one stretch is held in memory: many small reads become one.
final class ParquetSpan: ByteSource {
  let name: String
  let byteCount: Int
  private let source: any ByteSource
  private let start: Int
  private let held: Buffer

  /// Stretches up to this are read at once.
  static let byteLimit = 1 << 20

  init(_ source: any ByteSource, start: Int, held: Buffer) {
    self.source = source
    self.start = start
    self.held = held
    name = source.name
    byteCount = source.byteCount
  }

  /// Reads all of `ranges` at once when they lie close together; otherwise returns `source` itself.
  static func over(
    _ source: any ByteSource, _ ranges: [Range<Int>]
  ) throws(TerraceError) -> any ByteSource {
    guard ranges.count > 1, let low = ranges.map(\.lowerBound).min(),
      let high = ranges.map(\.upperBound).max(), low >= 0, high <= source.byteCount
    else { return source }
    let wanted = ranges.reduce(0) { $0 + $1.count }
    if high - low > byteLimit || high - low > wanted * 2 + 4096 { return source }
    return ParquetSpan(source, start: low, held: try source.read(at: low, count: high - low))
  }

  func read(at offset: Int, count: Int) throws(TerraceError) -> Buffer {
    if offset >= start && count <= held.byteCount && offset - start <= held.byteCount - count {
      return Buffer(
        copying: UnsafeRawBufferPointer(start: held.base + (offset - start), count: count))
    }
    return try source.read(at: offset, count: count)
  }
}
