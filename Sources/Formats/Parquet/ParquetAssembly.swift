import Columns

/// Puts columns together from the levels and values of their leaves.
struct ParquetAssembly {
  let vectors: [ParquetVector]

  private func broken(_ plan: ParquetPlan) -> TerraceError {
    TerraceError(.corrupted, "the leaves of a nested column disagree")
      .with("column", plan.column?.name ?? "")
  }

  /// The column of `plan`, which must have `count` rows or elements.
  func column(_ plan: ParquetPlan, _ count: Int) throws(TerraceError) -> Column {
    guard let column = plan.column else { return Self.nulls(plan.type, count) }
    let vector = vectors[plan.leaf]
    if case .leaf = plan.source {
      return try leaf(plan, column, vector, count)
    }
    let validity = try presence(plan, column, vector, count)
    switch plan.source {
    case .row(let plans):
      var children: [Column] = []
      for child in plans { children.append(try self.column(child, count)) }
      return Column(
        type: plan.type, count: count, values: nil, validity: validity, children: children)
    case .list(let element):
      guard case .list(let inner) = column.shape else { throw broken(plan) }
      let (offsets, total) = try offsets(plan, column, inner, vector, count)
      return Column(
        type: plan.type, count: count, values: nil, offsets: offsets, validity: validity,
        children: [try self.column(element, total)])
    case .map(let key, let value):
      guard case .map(let inner, _) = column.shape else { throw broken(plan) }
      let (offsets, total) = try offsets(plan, column, inner, vector, count)
      return Column(
        type: plan.type, count: count, values: nil, offsets: offsets, validity: validity,
        children: [try self.column(key, total), try self.column(value, total)])
    case .leaf, .missing: throw broken(plan)
    }
  }

  /// `count` nulls of any type.
  static func nulls(_ type: DataType, _ count: Int) -> Column {
    let validity = count == 0 ? nil : Bitmap(count: count, filled: false)
    switch type.physical {
    case .row:
      var children: [Column] = []
      if case .row(let fields) = type.kind { children = fields.map { nulls($0.type, count) } }
      return Column(
        type: type, count: count, values: nil, validity: validity, children: children)
    case .list, .map, .bytes:
      let offsets = Buffer(byteCount: 4 * (count + 1))
      offsets.base.initializeMemory(as: UInt8.self, repeating: 0, count: offsets.byteCount)
      var children: [Column] = []
      switch type.kind {
      case .array(let element): children = [nulls(element, 0)]
      case .map(let key, let value): children = [nulls(key, 0), nulls(value, 0)]
      case .multiset(let key): children = [nulls(key, 0), nulls(DataType.int.notNull, 0)]
      default: break
      }
      return Column(
        type: type, count: count, values: type.physical == .bytes ? Buffer(byteCount: 0) : nil,
        offsets: offsets, validity: validity, children: children)
    default:
      let values = Buffer(byteCount: count * type.physical.width)
      values.base.initializeMemory(as: UInt8.self, repeating: 0, count: values.byteCount)
      return Column(type: type, count: count, values: values, validity: validity)
    }
  }

  /// One byte a slot of the column: 1 where it is not null. Nil when all are there.
  private func slots(
    _ plan: ParquetPlan, _ column: ParquetColumn, _ vector: ParquetVector, _ count: Int
  ) throws(TerraceError) -> Buffer? {
    if !vector.hasDefinitions {
      if vector.slots != count { throw broken(plan) }
      return nil
    }
    let levels = vector.definitions.base.assumingMemoryBound(to: UInt8.self)
    let threshold = UInt8(column.definition)
    let n = vector.slots
    if column.slotDefinition == 0 && vector.repetitions.used == 0 {
      if n != count { throw broken(plan) }
      let present = Buffer(byteCount: n)
      let to = present.pointer(UInt8.self)
      for i in 0..<n { to[i] = UInt8(truncatingIfNeeded: bit(levels[i] >= threshold)) }
      return present
    }
    // Entries that begin a slot of this column, at this depth.
    let repetitions = vector.repetitions.base.assumingMemoryBound(to: UInt8.self)
    let slotRepetition = UInt8(column.slotRepetition)
    let slotDefinition = UInt8(column.slotDefinition)
    let present = Buffer(byteCount: n)
    let to = present.pointer(UInt8.self)
    var k = 0
    for i in 0..<n {
      to[k] = UInt8(truncatingIfNeeded: bit(levels[i] >= threshold))
      k &+= bit(repetitions[i] <= slotRepetition) & bit(levels[i] >= slotDefinition)
    }
    if k != count { throw broken(plan) }
    return present
  }

  private func presence(
    _ plan: ParquetPlan, _ column: ParquetColumn, _ vector: ParquetVector, _ count: Int
  ) throws(TerraceError) -> Bitmap? {
    // A required column that stands in nothing optional has no nulls.
    if column.definition == 0 {
      _ = try slots(plan, column, vector, count)
      return nil
    }
    guard let present = try slots(plan, column, vector, count) else { return nil }
    return Self.bitmap(present.pointer(UInt8.self), count)
  }

  /// Nil when all `count` bytes are 1.
  static func bitmap(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bitmap? {
    let map = Bitmap(count: count, filled: false)
    let words = map.words
    let from = UnsafeRawPointer(bytes)
    let whole = count / 8
    let out = UnsafeMutableRawPointer(words)
    for i in 0..<whole {
      let eight = from.loadUnaligned(fromByteOffset: i &* 8, as: UInt64.self)
      // Gathers the lowest bits of eight bytes in the top byte.
      let packed = UInt8(truncatingIfNeeded: (eight &* 0x0102_0408_1020_4080) &>> 56)
      out.storeBytes(of: packed, toByteOffset: i, as: UInt8.self)
    }
    for i in whole * 8..<count where bytes[i] != 0 { map.set(i) }
    return map.setCount == count ? nil : map
  }

  private func offsets(
    _ plan: ParquetPlan, _ column: ParquetColumn, _ element: ParquetColumn,
    _ vector: ParquetVector, _ count: Int
  ) throws(TerraceError) -> (Buffer, Int) {
    let levels = vector.definitions.base.assumingMemoryBound(to: UInt8.self)
    let repetitions = vector.repetitions.base.assumingMemoryBound(to: UInt8.self)
    let slotRepetition = UInt8(column.slotRepetition)
    let slotDefinition = UInt8(column.slotDefinition)
    let elementRepetition = UInt8(element.slotRepetition)
    let elementDefinition = UInt8(element.slotDefinition)
    let buffer = Buffer(byteCount: 4 * (vector.slots + 2))
    let out = buffer.pointer(Int32.self)
    var k = 0
    var elements: Int32 = 0
    for i in 0..<vector.slots {
      out[k] = elements
      k &+= bit(repetitions[i] <= slotRepetition) & bit(levels[i] >= slotDefinition)
      elements &+= Int32(
        truncatingIfNeeded: bit(levels[i] >= elementDefinition)
          & bit(repetitions[i] <= elementRepetition))
    }
    out[k] = elements
    if k != count { throw broken(plan) }
    return (buffer, Int(elements))
  }

  private func leaf(
    _ plan: ParquetPlan, _ column: ParquetColumn, _ vector: ParquetVector, _ count: Int
  ) throws(TerraceError) -> Column {
    let present = try slots(plan, column, vector, count)
    let validity = present.flatMap { Self.bitmap($0.pointer(UInt8.self), count) }
    let valid = validity?.setCount ?? count
    if valid != vector.count { throw broken(plan) }
    if let present, validity != nil {
      spread(vector, present.pointer(UInt8.self), count)
    }
    if vector.isBytes {
      return Column(
        type: plan.type, count: count, values: vector.values.take(),
        offsets: vector.offsets.take(), validity: validity)
    }
    return Column(
      type: plan.type, count: count, values: vector.values.take(), validity: validity)
  }

  /// Moves the values, which lie close together, to their slots, from the last on.
  private func spread(
    _ vector: ParquetVector, _ present: UnsafePointer<UInt8>, _ count: Int
  ) {
    if vector.isBytes {
      vector.offsets.reserve((count + 1) * 4 - vector.offsets.used)
      let ends = vector.offsets.base.assumingMemoryBound(to: Int32.self)
      var k = vector.count
      ends[count] = ends[k]
      for i in stride(from: count - 1, through: 0, by: -1) {
        k &-= Int(present[i])
        ends[i] = ends[k]
      }
      return
    }
    vector.values.reserve(count * vector.width - vector.values.used)
    let base = vector.values.base
    switch vector.width {
    case 1: spread(base, UInt8.self, vector.count, present, count)
    case 2: spread(base, UInt16.self, vector.count, present, count)
    case 4: spread(base, UInt32.self, vector.count, present, count)
    case 8: spread(base, UInt64.self, vector.count, present, count)
    default: spread(base, UInt128.self, vector.count, present, count)
    }
  }

  @inline(__always)
  private func spread<T: FixedWidthInteger & BitwiseCopyable>(
    _ base: UnsafeMutableRawPointer, _ type: T.Type, _ values: Int,
    _ present: UnsafePointer<UInt8>, _ count: Int
  ) {
    let to = base.assumingMemoryBound(to: T.self)
    var k = values
    for i in stride(from: count - 1, through: 0, by: -1) {
      k &-= Int(present[i])
      // Before the first value there is none to copy; a null may hold anything.
      to[i] = to[max(k, 0)]
    }
  }
}
