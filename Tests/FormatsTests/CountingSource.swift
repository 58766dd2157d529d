import Columns

@testable import Formats

/// Counts what is read from it.
final class CountingSource: ByteSource, @unchecked Sendable {
  private let source: MemorySource
  var name: String { source.name }
  var byteCount: Int { source.byteCount }
  private(set) var bytesRead = 0
  private(set) var reads = 0

  init(_ bytes: Buffer) { source = MemorySource(bytes) }

  func read(at offset: Int, count: Int) throws(TerraceError) -> Buffer {
    bytesRead += count
    reads += 1
    return try source.read(at: offset, count: count)
  }
}
