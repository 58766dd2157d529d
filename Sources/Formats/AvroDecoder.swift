import Columns

/// Runs a plan over the bytes of blocks, a row at a time, straight into the builders.
///
/// A block is trusted in nothing: items cost at least a byte each or a share of `spareItems`, so a
/// count of 2⁶⁰ empty records ends early; nesting is bounded; integers must fit.
final class AvroDecoder {
  private let plan: AvroPlan
  private let steps: UnsafeMutablePointer<AvroStep>
  private let links: UnsafeMutablePointer<Int32>
  /// Items of no bytes that may still come.
  @exclusivity(unchecked) private var spareItems = 1 << 20
  private static let depthLimit = 256

  init(_ plan: AvroPlan) {
    self.plan = plan
    steps = .allocate(capacity: plan.steps.count)
    steps.initialize(from: plan.steps, count: plan.steps.count)
    links = .allocate(capacity: plan.links.count + 1)
    links.initialize(from: plan.links, count: plan.links.count)
  }

  deinit {
    steps.deallocate()
    links.deallocate()
  }

  /// Decodes `count` rows that must fill the cursor exactly.
  func decodeRows(_ count: Int, _ cursor: inout ByteCursor) throws(TerraceError) {
    for _ in 0..<count {
      let before = cursor.position
      try decode(plan.root, &cursor, 0)
      if cursor.position == before { try spendItem(cursor) }
    }
    if !cursor.isAtEnd { throw cursor.broken("bytes remain after the last row of an Avro block") }
  }

  private func spendItem(_ cursor: ByteCursor) throws(TerraceError) {
    spareItems &-= 1
    if spareItems < 0 { throw cursor.broken("too many Avro items without a byte") }
  }

  @inline(__always)
  private func append<T: BitwiseCopyable>(_ step: AvroStep, _ value: T) {
    step.builder.unsafelyUnwrapped._withUnsafeGuaranteedRef { $0.append(value) }
  }

  @inline(__always)
  private func append(
    _ step: AvroStep, bytes: UnsafeRawBufferPointer, _ cursor: ByteCursor
  ) throws(TerraceError) {
    let builder = step.builder.unsafelyUnwrapped
    let held = builder._withUnsafeGuaranteedRef { $0.byteCount }
    if held &+ bytes.count > Int(Int32.max) { throw cursor.broken("over 2 GiB of text in a batch") }
    builder._withUnsafeGuaranteedRef { $0.append(bytes: bytes) }
  }

  @inline(__always)
  private func length(_ cursor: inout ByteCursor) throws(TerraceError) -> Int {
    let length = try cursor.readZigzag()
    if length < 0 { throw cursor.broken("a negative length") }
    return Int(length)
  }

  @inline(__always)
  private func integer<T: FixedWidthInteger & BitwiseCopyable>(
    _ step: AvroStep, _ type: T.Type, _ cursor: inout ByteCursor
  ) throws(TerraceError) {
    let value = try cursor.readZigzag()
    guard let narrow = T(exactly: value) else {
      throw cursor.broken("an Avro integer is too large for its column").with("value", value)
    }
    append(step, narrow)
  }

  private func decode(
    _ at: Int32, _ cursor: inout ByteCursor, _ depth: Int
  ) throws(TerraceError) {
    let step = steps[Int(at)]
    switch step.op {
    case .record:
      for k in Int(step.first)..<Int(step.first &+ step.count) {
        try decode(links[k], &cursor, depth &+ 1)
      }
      step.builder?._withUnsafeGuaranteedRef { $0.endRow() }
    case .union:
      let branch = try cursor.readZigzag()
      guard branch >= 0, branch < Int64(step.count) else {
        throw cursor.broken("no such branch of an Avro union").with("branch", branch)
      }
      try decode(links[Int(step.first) &+ Int(branch)], &cursor, depth &+ 1)
    case .bytes:
      let count = try length(&cursor)
      let bytes = try cursor.readBytes(count)
      try append(step, bytes: bytes, cursor)
    case .int64: append(step, try cursor.readZigzag())
    case .int32: try integer(step, Int32.self, &cursor)
    case .null: step.builder.unsafelyUnwrapped._withUnsafeGuaranteedRef { $0.appendNull() }
    case .boolean:
      let byte = try cursor.readByte()
      if byte > 1 { throw cursor.broken("a boolean that is neither 0 nor 1") }
      append(step, byte)
    case .int8: try integer(step, Int8.self, &cursor)
    case .int16: try integer(step, Int16.self, &cursor)
    case .intToFloat: append(step, Float(try cursor.readZigzag()))
    case .intToDouble: append(step, Double(try cursor.readZigzag()))
    case .float: append(step, try cursor.readRaw(UInt32.self))
    case .floatToDouble: append(step, Double(Float(bitPattern: try cursor.readRaw(UInt32.self))))
    case .double: append(step, try cursor.readRaw(UInt64.self))
    case .fixedBytes:
      let bytes = try cursor.readBytes(step.extra)
      try append(step, bytes: bytes, cursor)
    case .symbol:
      let names = plan.symbols[step.extra]
      let index = try cursor.readZigzag()
      guard index >= 0, index < Int64(names.count) else {
        throw cursor.broken("no such symbol of an Avro enum").with("index", index)
      }
      let name = names[Int(index)]
      step.builder.unsafelyUnwrapped._withUnsafeGuaranteedRef { builder in
        name.withUnsafeBytes { builder.append(bytes: $0) }
      }
    case .decimal:
      let count = try length(&cursor)
      try decimal(step, try cursor.readBytes(count), step.extra, cursor)
    case .fixedDecimal:
      try decimal(step, try cursor.readBytes(step.extra >> 8), step.extra & 0xff, cursor)
    case .scaled64, .scaled128, .scaled32: try scaled(step, &cursor)
    case .list, .map, .entries: try items(step, &cursor, depth)
    case .text: try text(step, &cursor)
    case .timeOfDay:
      let value = try cursor.readZigzag()
      guard value >= 0, value < 86_400_000 else {
        throw cursor.broken("a time out of range").with("value", value)
      }
      append(step, Int32(truncatingIfNeeded: value))
    case .refuse: throw cursor.broken("an Avro union branch that the wanted type cannot hold")
    default: try skip(step, &cursor, depth)
    }
  }

  private func text(_ step: AvroStep, _ cursor: inout ByteCursor) throws(TerraceError) {
    let bytes = try cursor.readBytes(try length(&cursor))
    if !UTF8Text.isValid(bytes) { throw cursor.broken("text that is not UTF-8") }
    try append(step, bytes: bytes, cursor)
  }

  private func scaled(_ step: AvroStep, _ cursor: inout ByteCursor) throws(TerraceError) {
    let value = try cursor.readZigzag()
    let factor = Int64(step.extra)
    if step.op == .scaled128 { return append(step, Int128(value) * Int128(factor)) }
    let result: Int64
    if factor < 0 {
      // Towards the past, so that times before 1970 round as those after.
      let (quotient, rest) = value.quotientAndRemainder(dividingBy: -factor)
      result = rest < 0 ? quotient - 1 : quotient
    } else {
      let (product, overflow) = value.multipliedReportingOverflow(by: factor)
      if overflow { throw cursor.broken("a timestamp out of range").with("value", value) }
      result = product
    }
    if step.op == .scaled64 { return append(step, result) }
    guard let narrow = Int32(exactly: result) else {
      throw cursor.broken("a time out of range").with("value", value)
    }
    append(step, narrow)
  }

  private func decimal(
    _ step: AvroStep, _ bytes: UnsafeRawBufferPointer, _ precision: Int, _ cursor: ByteCursor
  ) throws(TerraceError) {
    guard let value = Int128(bigEndian: bytes), let limit = Int128.powerOfTen(precision),
      value < limit, value > -limit
    else {
      throw cursor.broken("a decimal of more digits than its column").with("digits", precision)
    }
    if step.builder.unsafelyUnwrapped._withUnsafeGuaranteedRef({ $0.physical == .int64 }) {
      append(step, Int64(truncatingIfNeeded: value))
    } else {
      append(step, value)
    }
  }

  /// Blocks of items: a count, or a negative count and the bytes it takes; a count of 0 ends them.
  private func items(
    _ step: AvroStep, _ cursor: inout ByteCursor, _ depth: Int
  ) throws(TerraceError) {
    let body = links[Int(step.first)]
    let builder = step.builder.unsafelyUnwrapped
    var total = builder._withUnsafeGuaranteedRef { $0.children[0].count }
    while true {
      var count = try cursor.readZigzag()
      if count == 0 { break }
      if count < 0 {
        if count == .min { throw cursor.broken("an Avro block count out of range") }
        count = -count
        _ = try length(&cursor)
      }
      for _ in 0..<count {
        let before = cursor.position
        if step.op == .map {
          let size = try length(&cursor)
          let key = try cursor.readBytes(size)
          if plan.isStrict, !UTF8Text.isValid(key) { throw cursor.broken("text that is not UTF-8") }
          builder._withUnsafeGuaranteedRef { $0.children[0].append(bytes: key) }
        }
        try decode(body, &cursor, depth &+ 1)
        if cursor.position == before { try spendItem(cursor) }
        total &+= 1
        if total & 0xffff == 0, builder._withUnsafeGuaranteedRef({ $0.allocatedBytes }) > 1 << 30 {
          throw cursor.broken("over 1 GiB of items in a batch")
        }
        if total >= Int(Int32.max) { throw cursor.broken("over 2 billion items in a batch") }
      }
    }
    builder._withUnsafeGuaranteedRef { $0.endList() }
  }

  private func skip(
    _ step: AvroStep, _ cursor: inout ByteCursor, _ depth: Int
  ) throws(TerraceError) {
    if depth > Self.depthLimit { throw cursor.broken("Avro records nested too deep") }
    switch step.op {
    case .skipByte: try cursor.skip(1)
    case .skipVarint: _ = try cursor.readVarint()
    case .skipFixed: try cursor.skip(step.extra)
    case .skipBytes: try cursor.skip(try length(&cursor))
    case .skipRecord:
      for k in Int(step.first)..<Int(step.first &+ step.count) {
        try decode(links[k], &cursor, depth &+ 1)
      }
    case .skipUnion:
      let branch = try cursor.readZigzag()
      guard branch >= 0, branch < Int64(step.count) else {
        throw cursor.broken("no such branch of an Avro union").with("branch", branch)
      }
      try decode(links[Int(step.first) &+ Int(branch)], &cursor, depth &+ 1)
    case .skipItems, .skipMap:
      while true {
        let count = try cursor.readZigzag()
        if count == 0 { break }
        if count < 0 {
          try cursor.skip(try length(&cursor))
          continue
        }
        for _ in 0..<count {
          let before = cursor.position
          if step.op == .skipMap { try cursor.skip(try length(&cursor)) }
          try decode(links[Int(step.first)], &cursor, depth &+ 1)
          if cursor.position == before { try spendItem(cursor) }
        }
      }
    default: break
    }
  }
}
