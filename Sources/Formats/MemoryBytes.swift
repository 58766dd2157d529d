package import Columns

/// A source over bytes in memory.
package final class MemorySource: ByteSource {
  package let name: String
  private let held: Buffer
  package var byteCount: Int { held.byteCount }

  package init(_ bytes: Buffer, name: String = "memory") {
    held = bytes
    self.name = name
  }

  package convenience init(_ bytes: [UInt8], name: String = "memory") {
    self.init(bytes.withUnsafeBytes { Buffer(copying: $0) }, name: name)
  }

  package func read(at offset: Int, count: Int) throws(TerraceError) -> Buffer {
    try check(offset, count)
    if offset == 0 && count == held.byteCount { return held }
    return Buffer(copying: UnsafeRawBufferPointer(start: held.base + offset, count: count))
  }
}

/// A sink that grows in memory.
package final class MemorySink: ByteSink {
  package let name: String
  private var bytes: ByteWriter

  package init(name: String = "memory") {
    self.name = name
    bytes = ByteWriter()
  }

  package var byteCount: Int { bytes.count }

  package func write(_ more: UnsafeRawBufferPointer) throws(TerraceError) { bytes.append(more) }

  /// A copy of all bytes so far.
  package func content() -> Buffer { Buffer(copying: bytes.bytes) }

  package func array() -> [UInt8] { Array(bytes.bytes) }
}

/// A stream over a source or over bytes in memory; the chunk size is for tests.
package final class SourceStream: ByteStream {
  package let name: String
  private let source: any ByteSource
  private let chunk: Int
  private var offset = 0

  package init(_ source: any ByteSource, chunk: Int = 1 << 20) {
    self.source = source
    self.chunk = max(chunk, 1)
    name = source.name
  }

  package func read(into target: UnsafeMutableRawBufferPointer) throws(TerraceError) -> Int {
    let count = min(target.count, chunk, source.byteCount - offset)
    guard count > 0, let base = target.baseAddress else { return 0 }
    let part = try source.read(at: offset, count: count)
    withExtendedLifetime(part) { base.copyMemory(from: part.base, byteCount: count) }
    offset += count
    return count
  }
}
