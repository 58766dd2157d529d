import Columns

/// A growing run of bytes that is handed over without a copy.
final class ParquetRoom {
  private(set) var buffer = Buffer(byteCount: 0)
  var used = 0

  var base: UnsafeMutableRawPointer { buffer.base }
  var end: UnsafeMutableRawPointer { buffer.base + used }

  func reserve(_ extra: Int) {
    if used &+ extra > buffer.byteCount { grow(extra) }
  }

  private func grow(_ extra: Int) {
    let next = Buffer(byteCount: used == 0 ? extra : max(used + extra, buffer.byteCount * 2))
    next.base.copyMemory(from: buffer.base, byteCount: used)
    buffer = next
  }

  func take() -> Buffer {
    let taken = buffer
    buffer = Buffer(byteCount: 0)
    used = 0
    return taken
  }
}

/// What a leaf gives for some rows: levels of all slots, and the values of those that are not null,
/// close together and already of the wanted type.
final class ParquetVector {
  let width: Int
  let isBytes: Bool
  /// Slots: values and nulls, at any level.
  var slots = 0
  /// Values.
  var count = 0
  /// One level a slot; empty while every slot so far has a value.
  let definitions = ParquetRoom()
  var hasDefinitions = false
  /// One level a slot; only of leaves below repeated ancestors.
  let repetitions = ParquetRoom()
  let values = ParquetRoom()
  /// count + 1 ends; only of bytes.
  let offsets = ParquetRoom()

  /// Bytes of one column in one batch; more is refused before it is allocated.
  static let byteLimit = 1 << 29
  static let slotLimit = 1 << 26

  init(_ type: DataType) {
    width = type.physical.width
    isBytes = type.physical == .bytes
    clear()
  }

  func clear() {
    slots = 0
    count = 0
    hasDefinitions = false
    definitions.used = 0
    repetitions.used = 0
    values.used = 0
    offsets.used = 0
    if isBytes {
      offsets.reserve(4)
      offsets.base.storeBytes(of: 0, as: Int32.self)
      offsets.used = 4
    }
  }

  /// Room for `rows` slots with a value each, to save growing.
  func reserve(_ rows: Int) {
    if isBytes { offsets.reserve(rows * 4) } else { values.reserve(rows * width) }
  }

  /// Begins to note levels: all slots so far have a value.
  func needDefinitions(_ level: Int, extra: Int) {
    definitions.reserve((hasDefinitions ? 0 : slots) + extra)
    if hasDefinitions { return }
    hasDefinitions = true
    definitions.base.initializeMemory(
      as: UInt8.self, repeating: UInt8(level), count: slots)
    definitions.used = slots
  }

  struct Mark {
    var slots, count, definitions, repetitions, values, offsets: Int
    var hasDefinitions: Bool
  }

  var mark: Mark {
    Mark(
      slots: slots, count: count, definitions: definitions.used, repetitions: repetitions.used,
      values: values.used, offsets: offsets.used, hasDefinitions: hasDefinitions)
  }

  func cut(to mark: Mark) {
    slots = mark.slots
    count = mark.count
    definitions.used = mark.definitions
    repetitions.used = mark.repetitions
    values.used = mark.values
    offsets.used = mark.offsets
    hasDefinitions = mark.hasDefinitions
  }
}

/// Copies `count` bytes in pieces of 16, reading and writing up to 15 more: both sides are padded.
@inline(__always)
func copyShort(
  _ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer, _ count: Int
) {
  if count > 64 {
    to.copyMemory(from: from, byteCount: count)
    return
  }
  var at = 0
  while at < count {
    let piece = from.loadUnaligned(fromByteOffset: at, as: SIMD16<UInt8>.self)
    (to + at).storeBytes(of: piece, as: SIMD16<UInt8>.self)
    at &+= 16
  }
}
