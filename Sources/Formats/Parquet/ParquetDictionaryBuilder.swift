import Columns

/// Numbers the distinct values of a column chunk, in order of appearance.
///
/// An open-addressing table of entry numbers. The entries are kept as PLAIN values of fixed width,
/// or as bytes with ends.
final class ParquetDictionaryBuilder {
  private let width: Int
  private(set) var count = 0
  /// Entries in PLAIN form when their width is fixed; bytes close together otherwise.
  private let entries = ParquetRoom()
  private let ends = ParquetRoom()
  private var table: Buffer
  private var mask: Int
  private static let smallest = 1024

  /// - Parameter width: of a stored value; 0 for bytes.
  init(width: Int) {
    self.width = width
    table = Buffer(byteCount: Self.smallest * 4)
    mask = Self.smallest - 1
    removeAll()
  }

  /// Bytes of the dictionary page.
  var byteCount: Int { entries.used + (width == 0 ? count * 4 : 0) }

  func removeAll() {
    count = 0
    entries.used = 0
    ends.used = 0
    ends.reserve(4)
    ends.base.storeBytes(of: 0, as: Int32.self)
    ends.used = 4
    table.base.initializeMemory(as: UInt8.self, repeating: 0xff, count: (mask + 1) * 4)
  }

  @inline(__always) private static func mix(_ a: UInt64) -> UInt64 {
    let product = (a ^ 0x9E37_79B9_7F4A_7C15).multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
    return product.low ^ product.high
  }

  /// Room for `more` entries at a load of at most a half.
  private func reserve(_ more: Int) {
    entries.reserve(more * max(width, 1))
    ends.reserve(more * 4)
    var size = mask + 1
    while size < (count + more) * 2 { size *= 2 }
    if size > mask + 1 { rehash(size) }
  }

  private func rehash(_ size: Int) {
    table = Buffer(byteCount: size * 4)
    mask = size - 1
    table.base.initializeMemory(as: UInt8.self, repeating: 0xff, count: size * 4)
    let slots = table.pointer(Int32.self)
    for i in 0..<count {
      var slot = Int(truncatingIfNeeded: hash(entry: i)) & mask
      while slots[slot] >= 0 { slot = (slot &+ 1) & mask }
      slots[slot] = Int32(truncatingIfNeeded: i)
    }
  }

  private func hash(entry i: Int) -> UInt64 {
    switch width {
    case 4: return Self.mix(UInt64(entries.base.assumingMemoryBound(to: UInt32.self)[i]))
    case 8: return Self.mix(entries.base.assumingMemoryBound(to: UInt64.self)[i])
    case 0:
      let end = ends.base.assumingMemoryBound(to: Int32.self)
      let start = Int(end[i])
      return Self.hash(UnsafeRawPointer(entries.base + start), Int(end[i + 1]) - start)
    default: return Self.hash(UnsafeRawPointer(entries.base + i * width), width)
    }
  }

  /// Numbers `n` values of fixed width into `out`.
  func add(_ values: UnsafeRawPointer, _ n: Int, into out: UnsafeMutablePointer<UInt32>) {
    var done = 0
    while done < n {
      // In pieces, so that room is reserved for what may come and not for all.
      let piece = min(n - done, 1024)
      reserve(piece)
      switch width {
      case 4: addWords(values.assumingMemoryBound(to: UInt32.self) + done, piece, out + done)
      case 8: addWords(values.assumingMemoryBound(to: UInt64.self) + done, piece, out + done)
      default:
        for i in done..<done + piece { out[i] = add(values + i &* width, width) }
      }
      done += piece
    }
  }

  @inline(__always)
  private func addWords<T: FixedWidthInteger & BitwiseCopyable>(
    _ values: UnsafePointer<T>, _ n: Int, _ out: UnsafeMutablePointer<UInt32>
  ) {
    let known = entries.base.assumingMemoryBound(to: T.self)
    let slots = table.pointer(Int32.self)
    let mask = mask
    var count = count
    for i in 0..<n {
      let value = values[i]
      var slot = Int(truncatingIfNeeded: Self.mix(UInt64(truncatingIfNeeded: value))) & mask
      var entry = Int(slots[slot])
      while entry >= 0 && known[entry] != value {
        slot = (slot &+ 1) & mask
        entry = Int(slots[slot])
      }
      if entry < 0 {
        entry = count
        known[entry] = value
        slots[slot] = Int32(truncatingIfNeeded: entry)
        count &+= 1
      }
      out[i] = UInt32(truncatingIfNeeded: entry)
    }
    self.count = count
    entries.used = count * MemoryLayout<T>.size
  }

  /// Numbers `n` values between `offsets` into `out`.
  func add(
    bytes base: UnsafeRawPointer, _ offsets: UnsafePointer<Int32>, _ n: Int,
    into out: UnsafeMutablePointer<UInt32>
  ) {
    var done = 0
    while done < n {
      let piece = min(n - done, 1024)
      reserve(piece)
      for i in done..<done + piece {
        let start = Int(offsets[i])
        out[i] = add(base + start, Int(offsets[i &+ 1]) &- start)
      }
      done += piece
    }
  }

  @inline(__always) private static func hash(_ p: UnsafeRawPointer, _ length: Int) -> UInt64 {
    var h = UInt64(truncatingIfNeeded: length) &* 0x9E37_79B9_7F4A_7C15
    var i = 0
    while i &+ 8 <= length {
      h = mix(h ^ p.loadUnaligned(fromByteOffset: i, as: UInt64.self))
      i &+= 8
    }
    if i < length {
      // Bytes past the end are padding or the next value: masked off.
      let rest = UInt64(truncatingIfNeeded: (length &- i) &* 8)
      let word = p.loadUnaligned(fromByteOffset: i, as: UInt64.self)
      h = mix(h ^ (word & ((1 << rest) &- 1)))
    }
    return h
  }

  private func add(_ p: UnsafeRawPointer, _ length: Int) -> UInt32 {
    let slots = table.pointer(Int32.self)
    var slot = Int(truncatingIfNeeded: Self.hash(p, length)) & mask
    while true {
      let entry = Int(slots[slot])
      if entry < 0 { break }
      if equals(entry, p, length) { return UInt32(truncatingIfNeeded: entry) }
      slot = (slot &+ 1) & mask
    }
    let entry = count
    slots[slot] = Int32(truncatingIfNeeded: entry)
    entries.reserve(length)
    entries.end.copyMemory(from: p, byteCount: length)
    entries.used += length
    if width == 0 {
      ends.reserve(4)
      ends.end.storeBytes(of: Int32(truncatingIfNeeded: entries.used), as: Int32.self)
      ends.used += 4
    }
    count += 1
    return UInt32(truncatingIfNeeded: entry)
  }

  @inline(__always)
  private func equals(_ entry: Int, _ p: UnsafeRawPointer, _ length: Int) -> Bool {
    let start: Int
    if width == 0 {
      let end = ends.base.assumingMemoryBound(to: Int32.self)
      start = Int(end[entry])
      if Int(end[entry &+ 1]) &- start != length { return false }
    } else {
      start = entry &* width
    }
    let a = UnsafeRawPointer(entries.base + start)
    var i = 0
    while i &+ 8 <= length {
      if a.loadUnaligned(fromByteOffset: i, as: UInt64.self)
        != p.loadUnaligned(fromByteOffset: i, as: UInt64.self)
      {
        return false
      }
      i &+= 8
    }
    if i == length { return true }
    let rest = UInt64(truncatingIfNeeded: (length &- i) &* 8)
    let differ =
      a.loadUnaligned(fromByteOffset: i, as: UInt64.self)
      ^ p.loadUnaligned(fromByteOffset: i, as: UInt64.self)
    return differ & ((1 << rest) &- 1) == 0
  }

  /// Appends the entries in PLAIN form.
  func writePlain(into out: ByteWriter) {
    if width > 0 {
      out.append(UnsafeRawBufferPointer(start: entries.base, count: entries.used))
    } else {
      ParquetPlain.append(
        bytes: entries.base, ends.base.assumingMemoryBound(to: Int32.self), count, into: out)
    }
  }

  /// Appends the entries at `indices` in PLAIN form: undoes the numbering.
  func writePlain(_ indices: UnsafePointer<UInt32>, _ n: Int, into out: ByteWriter) {
    let end = ends.base.assumingMemoryBound(to: Int32.self)
    for i in 0..<n {
      let entry = Int(indices[i])
      let start = width > 0 ? entry * width : Int(end[entry])
      let length = width > 0 ? width : Int(end[entry + 1]) - start
      out.reserve(length + 4)
      if width == 0 { out.appendRaw(UInt32(truncatingIfNeeded: length)) }
      out.append(UnsafeRawBufferPointer(start: entries.base + start, count: length))
    }
  }

  /// Calls `body` with the bytes of every entry.
  func forEach(_ body: (UnsafeRawBufferPointer) -> Void) {
    let end = ends.base.assumingMemoryBound(to: Int32.self)
    for entry in 0..<count {
      let start = width > 0 ? entry * width : Int(end[entry])
      let length = width > 0 ? width : Int(end[entry + 1]) - start
      body(UnsafeRawBufferPointer(start: entries.base + start, count: length))
    }
  }
}
