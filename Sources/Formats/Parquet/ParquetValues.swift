import Columns

/// Decodes the values of the current page into a vector, in any encoding.
///
/// The page's bytes must stay alive and carry 64 bytes of padding.
struct ParquetValues {
  private enum Source {
    case none, fixed, bits, bytes, dictionary, delta, deltaLength, deltaBytes, split, runs
  }

  let leaf: ParquetLeaf
  let converter: ParquetConverter
  var dictionary: ParquetDictionary?
  private var source = Source.none
  private var at = UnsafeRawPointer(bitPattern: 8).unsafelyUnwrapped
  private var end = UnsafeRawPointer(bitPattern: 8).unsafelyUnwrapped
  /// Next bit of packed booleans; next value of split streams.
  private var index = 0
  private var splitCount = 0
  private var hybrid = ParquetHybridDecoder(UnsafeRawBufferPointer(start: nil, count: 0), width: 0)
  private var delta: ParquetDeltaDecoder?
  private var suffixes: ParquetDeltaDecoder?
  private var previous: [UInt8] = []
  /// Stored values before conversion, and indices.
  private let scratch = ParquetRoom()
  private let lengths = ParquetRoom()

  init(_ leaf: ParquetLeaf, _ converter: ParquetConverter) {
    self.leaf = leaf
    self.converter = converter
  }

  static func tooLong() -> TerraceError {
    TerraceError(.unsupported, "over \(ParquetVector.byteLimit >> 20) MiB of one column in a batch")
  }

  private func broken(_ what: String) -> TerraceError {
    TerraceError(.corrupted, what).with("column", leaf.path)
  }

  /// Begins a page whose values are `bytes`; at most `limit` of them are not null.
  mutating func begin(
    _ encoding: Int, _ bytes: UnsafeRawBufferPointer, limit: Int
  ) throws(TerraceError) {
    at = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 8).unsafelyUnwrapped
    end = at + bytes.count
    index = 0
    source = .none
    guard let encoding = ParquetEncoding(rawValue: encoding) else {
      throw TerraceError(.corrupted, "no Parquet encoding has this number")
        .with("encoding", encoding).with("column", leaf.path)
    }
    // A page of nulls may have no bytes at all.
    if bytes.isEmpty { return }
    switch (encoding, leaf.physical) {
    case (.plain, .boolean): source = .bits
    case (.plain, .byteArray): source = .bytes
    case (.plain, _): source = .fixed
    case (.plainDictionary, _), (.rleDictionary, _):
      if dictionary == nil { throw broken("a dictionary-encoded page without a dictionary") }
      let width = Int(at.load(as: UInt8.self))
      if width > 32 { throw broken("dictionary indices of \(width) bits") }
      hybrid = ParquetHybridDecoder(
        UnsafeRawBufferPointer(start: at + 1, count: bytes.count - 1), width: width)
      source = .dictionary
    case (.rle, .boolean):
      guard bytes.count >= 4 else { throw broken("run-length booleans end early") }
      let length = Int(at.loadUnaligned(as: UInt32.self))
      if length > bytes.count - 4 { throw broken("run-length booleans end early") }
      hybrid = ParquetHybridDecoder(
        UnsafeRawBufferPointer(start: at + 4, count: length), width: 1)
      source = .runs
    case (.deltaBinaryPacked, .int32), (.deltaBinaryPacked, .int64):
      delta = try ParquetDeltaDecoder(bytes)
      source = .delta
    case (.deltaLengthByteArray, .byteArray):
      try beginLengths(bytes)
      source = .deltaLength
    case (.deltaByteArray, .byteArray), (.deltaByteArray, .fixedLenByteArray):
      let prefixes = try ParquetDeltaDecoder(bytes)
      var walker = prefixes
      let length = try walker.skipToEnd()
      try beginLengths(UnsafeRawBufferPointer(rebasing: bytes[length...]))
      suffixes = delta
      delta = prefixes
      previous = []
      source = .deltaBytes
    case (.byteStreamSplit, .int32), (.byteStreamSplit, .int64), (.byteStreamSplit, .float),
      (.byteStreamSplit, .double), (.byteStreamSplit, .fixedLenByteArray):
      if bytes.count % converter.storedWidth != 0 { throw broken("split streams of uneven length") }
      splitCount = bytes.count / converter.storedWidth
      source = .split
    default:
      throw TerraceError(.unsupported, "Parquet encoding \(encoding.name) of \(leaf.physical.name)")
        .with("column", leaf.path)
    }
  }

  private mutating func beginLengths(_ bytes: UnsafeRawBufferPointer) throws(TerraceError) {
    let decoder = try ParquetDeltaDecoder(bytes)
    var walker = decoder
    let length = try walker.skipToEnd()
    delta = decoder
    at = (bytes.baseAddress ?? at) + length
  }

  /// Appends the next `n` values to `out`.
  mutating func decode(_ n: Int, into out: ParquetVector) throws(TerraceError) {
    if n == 0 { return }
    if source == .dictionary, let dictionary {
      scratch.used = 0
      scratch.reserve(n * 4)
      let indices = scratch.base.assumingMemoryBound(to: UInt32.self)
      try hybrid.decode(n, into: indices)
      try dictionary.gather(indices, n, into: out)
      return
    }
    if leaf.physical == .byteArray {
      try decodeBytes(n, into: out)
    } else {
      try decodeFixed(n, into: out)
    }
    out.count += n
  }

  private mutating func decodeFixed(_ n: Int, into out: ParquetVector) throws(TerraceError) {
    let stored = converter.storedWidth
    if case .fixedToBytes = converter.conversion {
      if out.values.used + n * stored > ParquetVector.byteLimit { throw Self.tooLong() }
      out.values.reserve(n * stored)
      try raw(n, into: out.values.end)
      out.offsets.reserve(n * 4)
      let ends = out.offsets.end.assumingMemoryBound(to: Int32.self)
      for i in 0..<n { ends[i] = Int32(truncatingIfNeeded: out.values.used + (i + 1) * stored) }
      out.offsets.used += n * 4
      out.values.used += n * stored
      return
    }
    out.values.reserve(n * out.width)
    if case .none = converter.conversion {
      try raw(n, into: out.values.end)
    } else {
      if n * stored > ParquetVector.byteLimit { throw Self.tooLong() }
      scratch.used = 0
      scratch.reserve(n * stored)
      try raw(n, into: scratch.base)
      try converter.convert(scratch.base, n, into: out.values.end)
    }
    out.values.used += n * out.width
  }

  /// `n` stored fixed-width values, as they are.
  private mutating func raw(
    _ n: Int, into target: UnsafeMutableRawPointer
  ) throws(TerraceError) {
    let width = converter.storedWidth
    switch source {
    case .fixed:
      if n * width > end - at { throw broken("values end early") }
      target.copyMemory(from: at, byteCount: n * width)
      at += n * width
    case .bits:
      if index + n > (end - at) * 8 { throw broken("values end early") }
      let to = target.assumingMemoryBound(to: UInt8.self)
      let from = at.assumingMemoryBound(to: UInt8.self)
      for i in 0..<n {
        let k = index &+ i
        to[i] = (from[k &>> 3] &>> UInt8(k & 7)) & 1
      }
      index += n
    case .runs: try hybrid.decode(n, into: target.assumingMemoryBound(to: UInt8.self))
    case .delta:
      if width == 4 {
        try delta?.decode(n, into: target.assumingMemoryBound(to: Int32.self))
      } else {
        try delta?.decode(n, into: target.assumingMemoryBound(to: Int64.self))
      }
    case .split:
      if n > splitCount - index { throw broken("values end early") }
      split(n, width, target.assumingMemoryBound(to: UInt8.self))
      index += n
    case .deltaBytes:
      try fixedDeltaBytes(n, width, target)
    case .none, .bytes, .dictionary, .deltaLength: throw broken("values end early")
    }
  }

  private func split(_ n: Int, _ width: Int, _ to: UnsafeMutablePointer<UInt8>) {
    let from = (at + index).assumingMemoryBound(to: UInt8.self)
    let count = splitCount
    if width == 8 {
      to.withMemoryRebound(to: UInt64.self, capacity: n) { to in
        for i in 0..<n {
          var value: UInt64 = 0
          for k in 0..<8 { value |= UInt64(from[k &* count &+ i]) &<< UInt64(8 &* k) }
          to[i] = value
        }
      }
    } else if width == 4 {
      to.withMemoryRebound(to: UInt32.self, capacity: n) { to in
        for i in 0..<n {
          var value: UInt32 = 0
          for k in 0..<4 { value |= UInt32(from[k &* count &+ i]) &<< UInt32(8 &* k) }
          to[i] = value
        }
      }
    } else {
      for k in 0..<width {
        let stream = from + k &* count
        for i in 0..<n { to[i &* width &+ k] = stream[i] }
      }
    }
  }

  private mutating func fixedDeltaBytes(
    _ n: Int, _ width: Int, _ target: UnsafeMutableRawPointer
  ) throws(TerraceError) {
    let text = ParquetVector(.bytes)
    try deltaBytes(n, into: text)
    if text.values.used != n * width { throw broken("a fixed-length value of another length") }
    let ends = text.offsets.base.assumingMemoryBound(to: Int32.self)
    for i in 1...n where Int(ends[i]) != i * width {
      throw broken("a fixed-length value of another length")
    }
    target.copyMemory(from: text.values.base, byteCount: n * width)
  }

  private mutating func decodeBytes(_ n: Int, into out: ParquetVector) throws(TerraceError) {
    guard case .decimalBytes = converter.conversion else { return try bytes(n, into: out) }
    let text = ParquetVector(.bytes)
    try bytes(n, into: text)
    out.values.reserve(n * out.width)
    try converter.convert(
      bytes: text.values.base, text.offsets.base.assumingMemoryBound(to: Int32.self), n,
      into: out.values.end)
    out.values.used += n * out.width
  }

  private mutating func bytes(_ n: Int, into out: ParquetVector) throws(TerraceError) {
    switch source {
    case .bytes: try plainBytes(n, into: out)
    case .deltaLength: try deltaLength(n, into: out)
    case .deltaBytes: try deltaBytes(n, into: out)
    default: throw broken("values end early")
    }
  }

  private mutating func plainBytes(_ n: Int, into out: ParquetVector) throws(TerraceError) {
    // What is left of the page bounds what the values take.
    let most = end - at - n * 4
    if most < 0 { throw broken("values end early") }
    out.offsets.reserve(n * 4)
    let ends = out.offsets.end.assumingMemoryBound(to: Int32.self)
    var from = at
    let end = end
    if out.values.used + most > ParquetVector.byteLimit { throw Self.tooLong() }
    if most > 1 << 16 {
      // Walk first, so that a few values of a large page do not reserve all of it.
      var total = 0
      for _ in 0..<n {
        if end - from < 4 { throw broken("values end early") }
        let length = Int(from.loadUnaligned(as: UInt32.self))
        if length > end - from - 4 { throw broken("a value is longer than its page") }
        from += 4 &+ length
        total &+= length
      }
      from = at
      out.values.reserve(total)
    } else {
      out.values.reserve(most)
    }
    let base = out.values.base
    var to = out.values.end
    for i in 0..<n {
      if end - from < 4 { throw broken("values end early") }
      let length = Int(from.loadUnaligned(as: UInt32.self))
      from += 4
      if length > end - from { throw broken("a value is longer than its page") }
      copyShort(from, to, length)
      from += length
      to += length
      ends[i] = Int32(truncatingIfNeeded: to - base)
    }
    at = from
    out.values.used = to - base
    out.offsets.used += n * 4
  }

  private mutating func deltaLength(_ n: Int, into out: ParquetVector) throws(TerraceError) {
    lengths.used = 0
    lengths.reserve(n * 4)
    let sizes = lengths.base.assumingMemoryBound(to: Int32.self)
    try delta?.decode(n, into: sizes)
    out.offsets.reserve(n * 4)
    let ends = out.offsets.end.assumingMemoryBound(to: Int32.self)
    var total = 0
    var sign: Int32 = 0
    let start = out.values.used
    for i in 0..<n {
      sign |= sizes[i]
      total &+= Int(sizes[i])
      ends[i] = Int32(truncatingIfNeeded: start &+ total)
    }
    if sign < 0 || total > end - at { throw broken("a value is longer than its page") }
    if start + total > ParquetVector.byteLimit { throw Self.tooLong() }
    out.values.reserve(total)
    out.values.end.copyMemory(from: at, byteCount: total)
    at += total
    out.values.used += total
    out.offsets.used += n * 4
  }

  private mutating func deltaBytes(_ n: Int, into out: ParquetVector) throws(TerraceError) {
    lengths.used = 0
    lengths.reserve(n * 8)
    let prefixes = lengths.base.assumingMemoryBound(to: Int32.self)
    let sizes = prefixes + n
    try delta?.decode(n, into: prefixes)
    try suffixes?.decode(n, into: sizes)
    var before = previous.count
    var total = 0
    for i in 0..<n {
      let prefix = Int(prefixes[i])
      let size = Int(sizes[i])
      if prefix < 0 || size < 0 || prefix > before { throw broken("a prefix is too long") }
      before = prefix + size
      total += before
      if out.values.used + total > ParquetVector.byteLimit { throw Self.tooLong() }
    }
    out.offsets.reserve(n * 4)
    out.values.reserve(total)
    let ends = out.offsets.end.assumingMemoryBound(to: Int32.self)
    let base = out.values.base
    var to = out.values.end
    var from = at
    // The value before the first of this piece lies in `previous`, the others in the output.
    let held = Buffer(byteCount: previous.count)
    previous.withUnsafeBytes {
      held.base.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(held.base), byteCount: $0.count)
    }
    try withExtendedLifetime(held) { () throws(TerraceError) in
      var last = UnsafeRawPointer(held.base)
      for i in 0..<n {
        let prefix = Int(prefixes[i])
        let size = Int(sizes[i])
        if size > end - from { throw broken("a value is longer than its page") }
        to.copyMemory(from: last, byteCount: prefix)
        (to + prefix).copyMemory(from: from, byteCount: size)
        last = UnsafeRawPointer(to)
        from += size
        to += prefix + size
        ends[i] = Int32(truncatingIfNeeded: to - base)
      }
    }
    at = from
    out.values.used = to - base
    out.offsets.used += n * 4
    previous = Array(UnsafeRawBufferPointer(start: to - before, count: before))
  }
}
