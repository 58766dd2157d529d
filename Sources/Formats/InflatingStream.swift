package import Columns
import Glibc

/// Unpacks as it reads; what is not packed passes as it is. See ``Packing`` for what tells.
///
/// Several members may follow one another. Memory is bounded by the chunk and by what an unpacker holds.
package final class InflatingStream: ByteStream {
  package var name: String { inner.name }
  private let inner: any ByteStream
  private var packing = Packing.none
  private var unpacker: (any Unpacker)?
  private var hasBegun = false
  private let chunk = Buffer(byteCount: 256 << 10)
  private var from = 0
  private var to = 0
  private var isEnded = false
  /// Whether the input ended inside a member or frame: damaged, or still being written.
  package private(set) var isCut = false
  /// Told when what was unpacked before it has been given.
  private var damage: TerraceError?

  package init(_ inner: any ByteStream) { self.inner = inner }

  package func read(into target: UnsafeMutableRawBufferPointer) throws(TerraceError) -> Int {
    if !hasBegun { try begin() }
    guard let base = target.baseAddress, target.count > 0 else { return 0 }
    guard let unpacker else {
      if from == to { return isEnded ? 0 : try inner.read(into: target) }
      let count = min(to - from, target.count)
      base.copyMemory(from: chunk.base + from, byteCount: count)
      from += count
      return count
    }
    while true {
      if let damage { throw damage }
      if from == to && !isEnded { try fill() }
      // At the end of the input there may still be something inside.
      let source = UnsafeRawBufferPointer(start: chunk.base + from, count: to - from)
      let step = unpacker.unpack(source, into: target)
      from += step.read
      let isStuck = step.read == 0 && step.made == 0
      if step.isDamaged || (isStuck && from < to) {
        damage = damaged("damaged \(packing.rawValue) data")
      } else if isStuck, isEnded {
        isCut = unpacker.isInside
        if isCut { throw damaged("the packed data ends early") }
        return 0
      }
      if step.made > 0 { return step.made }
    }
  }

  private func fill() throws(TerraceError) {
    from = 0
    to = try inner.read(
      into: UnsafeMutableRawBufferPointer(start: chunk.base, count: chunk.byteCount))
    isEnded = to == 0
  }

  /// Reads until the bytes are there that tell the packing.
  private func begin() throws(TerraceError) {
    while to < Packing.headBytes && !isEnded {
      let more = try inner.read(
        into: UnsafeMutableRawBufferPointer(
          start: chunk.base + to, count: chunk.byteCount - to))
      to += more
      isEnded = more == 0
    }
    let head = UnsafeRawBufferPointer(start: chunk.base, count: min(to, Packing.headBytes))
    packing = try Packing.of(head, name: name)
    unpacker = try packing.unpacker()
    // Only the true end of a packed input is to be seen as one.
    if unpacker != nil { isEnded = false }
    hasBegun = true
  }

  private func damaged(_ what: String) -> TerraceError {
    TerraceError(.corrupted, what).with("file", name)
  }
}

/// A stream over an open file descriptor: standard input, a pipe. The descriptor is not closed.
package final class DescriptorStream: ByteStream {
  package let name: String
  private let descriptor: Int32

  package init(_ descriptor: Int32, name: String) {
    self.descriptor = descriptor
    self.name = name
  }

  package func read(into target: UnsafeMutableRawBufferPointer) throws(TerraceError) -> Int {
    while true {
      let count = Glibc.read(descriptor, target.baseAddress, target.count)
      if count >= 0 { return count }
      if errno != EINTR {
        throw TerraceError(.unavailable, "cannot read").with("file", name)
          .with("reason", String(cString: strerror(errno)))
      }
    }
  }
}
