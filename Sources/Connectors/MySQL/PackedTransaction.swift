import Columns
import Formats

/// The events of a packed transaction, unpacked one after another: as a whole they may be larger than memory.
final class PackedTransaction {
  private let stream: any ByteStream
  private var held = Buffer(byteCount: 64 << 10)
  private var count = 0

  /// - Parameter isPlain: the bytes are the events as they are.
  init(_ packed: UnsafeRawBufferPointer, isPlain: Bool) {
    let source = SourceStream(MemorySource(Buffer(copying: packed), name: "a packed transaction"))
    stream = isPlain ? source : InflatingStream(source)
  }

  /// The next event, valid until the next call; nil at the end.
  func next() throws(TerraceError) -> UnsafeRawBufferPointer? {
    count = 0
    try fill(BinlogHeader.byteCount)
    if count == 0 { return nil }
    guard count == BinlogHeader.byteCount else { throw ImageBytes.broken() }
    let word = held.base.loadUnaligned(fromByteOffset: 9, as: UInt32.self)
    let length = Int(UInt32(littleEndian: word))
    guard length >= BinlogHeader.byteCount, length <= BinlogParser.limit else {
      throw ImageBytes.broken()
    }
    try fill(length)
    guard count == length else { throw ImageBytes.broken() }
    return UnsafeRawBufferPointer(start: held.base, count: length)
  }

  /// Reads until so many bytes are there, or the end.
  private func fill(_ wanted: Int) throws(TerraceError) {
    while count < wanted {
      // Room comes with the bytes that are there, and not with what a length says.
      if count == held.byteCount {
        let larger = Buffer(byteCount: min(wanted, count * 2))
        larger.base.copyMemory(from: held.base, byteCount: count)
        held = larger
      }
      let room = min(wanted, held.byteCount) - count
      let read = try stream.read(
        into: UnsafeMutableRawBufferPointer(start: held.base + count, count: room))
      if read == 0 { return }
      count += read
    }
  }
}
