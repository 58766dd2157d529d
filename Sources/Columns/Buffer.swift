/// One aligned allocation of raw bytes, freed with its last reference.
///
/// 64 bytes of padding follow the last byte, so that kernels may load or store whole words past the
/// end. The content is not initialised. Sendable by discipline: filled by one thread, then frozen.
public final class Buffer: @unchecked Sendable {
  public let base: UnsafeMutableRawPointer
  public let byteCount: Int

  @inlinable public init(byteCount: Int) {
    precondition(byteCount >= 0, "a buffer of \(byteCount) bytes")
    self.byteCount = byteCount
    if byteCount < LargeBuffers.threshold {
      base = UnsafeMutableRawPointer.allocate(byteCount: byteCount &+ 64, alignment: 64)
    } else {
      base = LargeBuffers.allocate(byteCount &+ 64)
    }
  }

  /// A copy of the given bytes.
  public convenience init(copying bytes: UnsafeRawBufferPointer) {
    self.init(byteCount: bytes.count)
    if let source = bytes.baseAddress { base.copyMemory(from: source, byteCount: bytes.count) }
  }

  deinit { base.deallocate() }

  @inlinable public func pointer<T: BitwiseCopyable>(_ type: T.Type) -> UnsafeMutablePointer<T> {
    base.assumingMemoryBound(to: type)
  }

  @inlinable public var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: base, count: byteCount)
  }
}

/// Memory of large buffers, on which hash tables live: in huge pages, where the system is asked for them.
public enum LargeBuffers {
  @usableFromInline static let threshold = 4 << 20
  private static let pageBytes = 2 << 20
  /// Told of each large buffer before its first use. To be set before threads begin.
  nonisolated(unsafe) public static var advise: (@Sendable (UnsafeMutableRawPointer, Int) -> Void)?

  @usableFromInline static func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer {
    let base = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: pageBytes)
    // The last, partial page stays small.
    advise?(base, byteCount / pageBytes * pageBytes)
    return base
  }
}

/// 0 or 1, without a branch. The ternary operator would compile to a jump.
@inlinable @inline(__always) public func bit(_ condition: Bool) -> Int {
  Int(truncatingIfNeeded: unsafeBitCast(condition, to: UInt8.self))
}
