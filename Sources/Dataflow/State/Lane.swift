internal import Columns

/// A growing array of plain values beside the rows or groups of a state, zero where never written.
final class Lane<Value: BitwiseCopyable>: @unchecked Sendable {
  private(set) var pointer: UnsafeMutablePointer<Value>
  private(set) var capacity = 0
  private var buffer = Buffer(byteCount: 0)
  private let filler: UInt8

  /// - Parameter filler: the byte that unwritten values are made of: 0, or 0xff for -1.
  init(filler: UInt8 = 0) {
    self.filler = filler
    pointer = buffer.base.assumingMemoryBound(to: Value.self)
  }

  @inline(__always) subscript(i: Int) -> Value {
    get { pointer[i] }
    set { pointer[i] = newValue }
  }

  /// Room for indices below `count`.
  func reserve(_ count: Int) {
    if count <= capacity { return }
    let wanted = max(count, capacity * 2, 64)
    let stride = MemoryLayout<Value>.stride
    let next = Buffer(byteCount: wanted * stride)
    next.base.copyMemory(from: buffer.base, byteCount: capacity * stride)
    (next.base + capacity * stride).initializeMemory(
      as: UInt8.self, repeating: filler, count: (wanted - capacity) * stride)
    buffer = next
    pointer = next.pointer(Value.self)
    capacity = wanted
  }

  /// Keeps the values at `ids`, in that order.
  func keep(_ ids: UnsafePointer<Int32>, _ count: Int) {
    let stride = MemoryLayout<Value>.stride
    let wanted = max(count, 64)
    let next = Buffer(byteCount: wanted * stride)
    let to = next.pointer(Value.self)
    for i in 0..<count { to[i] = pointer[Int(ids[i])] }
    (next.base + count * stride).initializeMemory(
      as: UInt8.self, repeating: filler, count: (wanted - count) * stride)
    buffer = next
    pointer = to
    capacity = wanted
  }

  var byteCount: Int { buffer.byteCount }

  /// The values at `ids` as a column that is never null.
  func column(_ ids: UnsafePointer<Int32>, _ n: Int, _ type: DataType) -> Column {
    column(ids, n, type) { $0 }
  }

  func column<Part: BitwiseCopyable>(
    _ ids: UnsafePointer<Int32>, _ n: Int, _ type: DataType, _ part: (Value) -> Part
  ) -> Column {
    let out = Buffer(byteCount: n * MemoryLayout<Part>.stride)
    let to = out.pointer(Part.self)
    for i in 0..<n { to[i] = part(pointer[Int(ids[i])]) }
    return Column(type: type.notNull, count: n, values: out)
  }

  /// Sets the values at `ids` from a column.
  func set(_ column: Column, _ ids: UnsafePointer<Int32>, _ n: Int) {
    let from = column.pointer(Value.self)
    for i in 0..<n { pointer[Int(ids[i])] = from[i] }
  }
}

/// A growing list of row or group numbers.
///
/// Like all that owns buffers and hands out pointers a class: a structure would be taken apart, and
/// its buffer released, while a pointer is still in use.
final class IDList: @unchecked Sendable {
  private(set) var count = 0
  private let lane = Lane<Int32>()

  func append(_ id: Int32) {
    lane.reserve(count + 1)
    lane[count] = id
    count += 1
  }

  func removeAll() { count = 0 }
  subscript(i: Int) -> Int32 { lane[i] }
  var pointer: UnsafePointer<Int32> { UnsafePointer(lane.pointer) }
}
