import Columns

/// How the values of one column are read from row images. Nothing in it is counted, so that the loop over a
/// row may copy it.
struct ImageStep {
  enum Way: UInt8 {
    /// Nobody asks: `size` bytes, or as many as a length of `size` bytes says.
    case pass, passLong
    /// Little-endian numbers of `size` bytes that the builder's type always holds.
    case toBoolean, toInt8, toInt16, toInt32, toInt64
    case float, double
    /// Bytes behind a length of `size` bytes, up to `limit` of them as they are.
    case bytes
    /// The same where ASCII alone stands for itself.
    case ascii
    /// Packed decimals below `limit`, with the scale that is declared.
    case decimal64, decimal128
    case date
    /// DATETIME(n), with the declared fraction in milli- or microseconds.
    case milliClock, microClock
    case member
    /// By what is known of the column.
    case other
  }

  var way: Way
  var isSigned = false
  var isNotNull = false
  var size: Int32 = 0
  /// Precision and scale of a decimal, digits of the second.
  var precision: Int32 = 0
  var scale: Int32 = 0
  var limit: Int64 = .max
  var builder: Unmanaged<ColumnBuilder>?
  /// Of an ENUM, `limit` of them.
  var names: UnsafePointer<UnsafeRawBufferPointer>?
}

/// Reads row images of one table into rows: made once, then a loop that counts no references.
final class ImagePlan {
  let columns: [LoggedColumn]
  private let rows: MySQLRows
  private let zone: MySQLZone
  private let steps: UnsafeMutablePointer<ImageStep>
  private let count: Int
  private let members: [MemberNames]

  init(_ columns: [LoggedColumn], _ rows: MySQLRows, _ zone: MySQLZone) {
    self.columns = columns
    self.rows = rows
    self.zone = zone
    count = columns.count
    steps = .allocate(capacity: max(count, 1))
    var members: [MemberNames] = []
    for (c, column) in columns.enumerated() {
      var step = Self.step(column, rows)
      if step.way == .member {
        let names = MemberNames(column.members)
        step.names = UnsafePointer(names.names)
        step.limit = Int64(column.members.count)
        members.append(names)
      }
      (steps + c).initialize(to: step)
    }
    self.members = members
  }

  deinit { steps.deallocate() }

  // MARK: Reading

  /// Appends the columns of one image that are asked for.
  ///
  /// - Parameters:
  ///   - present: bits of the columns that the image has; there are as many as `columns`.
  ///   - isFull: all of them are set.
  func read(
    _ bytes: inout ImageBytes, present: UnsafeRawBufferPointer, isFull: Bool
  ) throws(TerraceError) {
    let nulls = try nulls(&bytes, present, isFull)
    let start = bytes.at
    var bit = 0
    for c in 0..<count {
      if !isFull, present[c >> 3] >> UInt8(c & 7) & 1 == 0 {
        if columns[c].target >= 0 { throw Self.partial() }
        continue
      }
      let isNull = nulls[bit >> 3] >> UInt8(bit & 7) & 1 != 0
      bit &+= 1
      if isNull {
        guard let builder = steps[c].builder else { continue }
        if steps[c].isNotNull {
          rows.appendNull(columns[c].target)
        } else {
          builder._withUnsafeGuaranteedRef { $0.appendNull() }
        }
      } else {
        try value(c, &bytes)
      }
    }
    rows.byteCount &+= bytes.at - start &+ count &* 8
  }

  /// Passes over an image.
  func pass(
    _ bytes: inout ImageBytes, present: UnsafeRawBufferPointer, isFull: Bool
  ) throws(TerraceError) {
    let nulls = try nulls(&bytes, present, isFull)
    var bit = 0
    for c in 0..<count where isFull || present[c >> 3] >> UInt8(c & 7) & 1 != 0 {
      if nulls[bit >> 3] >> UInt8(bit & 7) & 1 == 0 { try columns[c].skip(&bytes) }
      bit &+= 1
    }
  }

  /// The bits of the values that are null.
  private func nulls(
    _ bytes: inout ImageBytes, _ present: UnsafeRawBufferPointer, _ isFull: Bool
  ) throws(TerraceError) -> UnsafePointer<UInt8> {
    var set = count
    if !isFull {
      set = 0
      for c in 0..<count where present[c >> 3] >> UInt8(c & 7) & 1 != 0 { set += 1 }
    }
    // An image of no bytes would never end.
    if set == 0 { throw Self.partial() }
    return try bytes.take((set + 7) / 8)
  }

  private static func partial() -> TerraceError {
    TerraceError(
      .invalid, "the binary log does not hold whole rows",
      hint: "SET GLOBAL binlog_row_image = 'FULL', and connect the applications anew")
  }

  @inline(__always)
  private func value(_ c: Int, _ bytes: inout ImageBytes) throws(TerraceError) {
    let step = steps[c]
    let size = Int(step.size)
    switch step.way {
    case .pass: _ = try bytes.take(size)
    case .passLong: _ = try bytes.take(Int(try bytes.little(size)))
    case .toInt32: put(step, Int32(truncatingIfNeeded: try number(step, &bytes)))
    case .toInt64: put(step, try number(step, &bytes))
    case .toInt16: put(step, Int16(truncatingIfNeeded: try number(step, &bytes)))
    case .toInt8: put(step, Int8(truncatingIfNeeded: try number(step, &bytes)))
    case .toBoolean: put(step, UInt8(try number(step, &bytes) == 0 ? 0 : 1))
    case .float: put(step, Float(bitPattern: UInt32(truncatingIfNeeded: try bytes.little(4))))
    case .double: put(step, Double(bitPattern: try bytes.little(8)))
    case .bytes, .ascii:
      let before = bytes
      let length = Int(try bytes.little(size))
      let text = try bytes.raw(length)
      if length > step.limit || (step.way == .ascii && !Self.isASCII(text)) {
        bytes = before
        return try rows.value(columns[c], &bytes, zone)
      }
      step.builder.unsafelyUnwrapped._withUnsafeGuaranteedRef { $0.append(bytes: text) }
    case .decimal64, .decimal128, .date, .milliClock, .microClock, .member:
      let before = bytes
      if try packed(step, &bytes) { return }
      bytes = before
      try rows.value(columns[c], &bytes, zone)
    case .other: try rows.value(columns[c], &bytes, zone)
    }
  }

  @inline(__always)
  private func put<T: BitwiseCopyable>(_ step: ImageStep, _ value: T) {
    step.builder.unsafelyUnwrapped._withUnsafeGuaranteedRef { $0.append(value) }
  }

  @inline(__always)
  private func number(
    _ step: ImageStep, _ bytes: inout ImageBytes
  ) throws(TerraceError) -> Int64 {
    let size = Int(step.size)
    let word = try bytes.little(size)
    if !step.isSigned { return Int64(bitPattern: word) }
    let unused = UInt64(64 &- size &* 8)
    return Int64(bitPattern: word &<< unused) &>> Int64(unused)
  }

  /// - Returns: false when the value needs more care.
  @inline(__always)
  private func packed(
    _ step: ImageStep, _ bytes: inout ImageBytes
  ) throws(TerraceError) -> Bool {
    switch step.way {
    case .decimal64:
      let raw = try bytes.take(Int(step.size))
      let value = MySQLDecimal.value(raw, Int(step.precision), Int(step.scale), as: Int64.self)
      if value.magnitude >= step.limit { return false }
      put(step, value)
    case .decimal128:
      let raw = try bytes.take(Int(step.size))
      let value = MySQLDecimal.value(raw, Int(step.precision), Int(step.scale), as: Int128.self)
      // What 18 digits hold is surely within more of them.
      if value.magnitude >= 1_000_000_000_000_000_000 { return false }
      put(step, value)
    case .date:
      let word = Int64(try bytes.little(3))
      guard let day = Self.day(word >> 9, word >> 5 & 15, word & 31) else { return false }
      put(step, Int32(truncatingIfNeeded: day))
    case .member:
      let index = Int(try bytes.little(Int(step.size)))
      guard index > 0, index <= step.limit, let names = step.names else { return false }
      let name = names[index - 1]
      step.builder.unsafelyUnwrapped._withUnsafeGuaranteedRef { $0.append(bytes: name) }
    default:
      let word = Int64(try bytes.big(5)) - 0x80_0000_0000
      let width = Int(step.size)
      var micro = Int64(try bytes.big(width))
      for _ in width..<3 { micro &*= 100 }
      let (months, clock) = (word >> 22, word & 0x1ffff)
      guard let day = Self.day(months / 13, months % 13, word >> 17 & 31) else { return false }
      let second =
        day &* 86_400 &+ (clock >> 12) &* 3600 &+ (clock >> 6 & 63) &* 60 &+ clock & 63
      put(
        step,
        step.way == .milliClock ? second &* 1000 &+ micro / 1000 : second &* 1_000_000 &+ micro)
    }
    return true
  }

  @inline(__always)
  private static func day(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64? {
    guard month >= 1, month <= 12, day >= 1, year <= 9999, year >= 0,
      day <= 28 || day <= CivilDate.lastDay(ofMonth: month, year: year)
    else { return nil }
    return CivilDate.day(year: year, month: month, day: day)
  }

  @inline(__always) private static func isASCII(_ text: UnsafeRawBufferPointer) -> Bool {
    var at = 0
    var bits: UInt64 = 0
    while at &+ 8 <= text.count {
      bits |= text.loadUnaligned(fromByteOffset: at, as: UInt64.self)
      at &+= 8
    }
    while at < text.count {
      bits |= UInt64(text[at])
      at &+= 1
    }
    return bits & 0x8080_8080_8080_8080 == 0
  }
}

/// The names of an ENUM's members in UTF-8.
private final class MemberNames {
  private let bytes: Buffer
  let names: UnsafeMutablePointer<UnsafeRawBufferPointer>

  init(_ members: [String]) {
    let bytes = Array(members.joined().utf8).withUnsafeBytes { Buffer(copying: $0) }
    self.bytes = bytes
    names = .allocate(capacity: max(members.count, 1))
    var start = 0
    for (i, member) in members.enumerated() {
      let count = member.utf8.count
      (names + i).initialize(to: UnsafeRawBufferPointer(start: bytes.base + start, count: count))
      start += count
    }
  }

  deinit { names.deallocate() }
}

// MARK: The plan

extension ImagePlan {
  /// The quickest way that is right for each value of the column.
  private static func step(_ column: LoggedColumn, _ rows: MySQLRows) -> ImageStep {
    if column.target < 0 { return passing(column) }
    let target = rows.target(column.target)
    var step = quick(column, target.type) ?? ImageStep(way: .other)
    step.builder = Unmanaged.passUnretained(target.builder)
    step.isNotNull = !target.type.isNullable
    return step
  }

  private static func passing(_ column: LoggedColumn) -> ImageStep {
    func fixed(_ size: Int) -> ImageStep { ImageStep(way: .pass, size: Int32(size)) }
    switch column.type {
    case 1, 13: return fixed(1)
    case 2: return fixed(2)
    case 9, 10, 14, 11: return fixed(3)
    case 3, 4, 7: return fixed(4)
    case 5, 8, 12: return fixed(8)
    case 17: return fixed(4 + (column.meta + 1) / 2)
    case 18: return fixed(5 + (column.meta + 1) / 2)
    case 19: return fixed(3 + (column.meta + 1) / 2)
    case 16: return fixed((column.meta + 7) / 8)
    case 246: return fixed(MySQLDecimal.size(column.meta >> 8, column.meta & 255))
    case 247, 248: return fixed(column.meta)
    default:
      guard let width = column.lengthWidth else { return ImageStep(way: .other) }
      return ImageStep(way: .passLong, size: Int32(width))
    }
  }

  private static func quick(_ column: LoggedColumn, _ declared: DataType) -> ImageStep? {
    switch column.type {
    case 1, 2, 3, 9, 8: return integer(column, declared)
    case 4: return declared.kind == .float ? ImageStep(way: .float) : nil
    case 5: return declared.kind == .double ? ImageStep(way: .double) : nil
    case 10, 14: return declared.kind == .date ? ImageStep(way: .date) : nil
    case 15, 252, 253, 254: return text(column, declared)
    case 18:
      guard case .timestamp(let p) = declared.kind, p <= 6, column.meta <= 6 else { return nil }
      return ImageStep(
        way: p <= 3 ? .milliClock : .microClock, size: Int32((column.meta + 1) / 2))
    case 246: return decimal(column, declared)
    case 247:
      guard case .varchar(DataType.unbounded) = declared.kind, (1...4).contains(column.meta) else {
        return nil
      }
      return ImageStep(way: .member, size: Int32(column.meta))
    default: return nil
    }
  }

  private static func integer(_ column: LoggedColumn, _ declared: DataType) -> ImageStep? {
    let size = column.type == 3 ? 4 : column.type == 9 ? 3 : Int(column.type)
    // An unsigned number needs one bit more.
    let bits = size * 8 + (column.isUnsigned ? 1 : 0)
    let way: ImageStep.Way
    switch declared.kind {
    case .boolean: way = .toBoolean
    case .tinyint where bits <= 8: way = .toInt8
    case .smallint where bits <= 16: way = .toInt16
    case .int where bits <= 32: way = .toInt32
    case .bigint where bits <= 64: way = .toInt64
    default: return nil
    }
    return ImageStep(way: way, isSigned: !column.isUnsigned, size: Int32(size))
  }

  private static func text(_ column: LoggedColumn, _ declared: DataType) -> ImageStep? {
    guard let width = column.lengthWidth, !column.isGeometry,
      !(column.isBinary && column.type == 254)
    else { return nil }
    var step = ImageStep(way: .bytes, size: Int32(width))
    switch declared.kind {
    case .char(let n) where !column.isBinary, .varchar(let n) where !column.isBinary:
      step.limit = Int64(n)
    case .binary(let n) where column.isBinary, .varbinary(let n) where column.isBinary:
      step.limit = Int64(n)
    default: return nil
    }
    if let charset = column.charset {
      if !charset.hasASCII { return nil }
      step.way = .ascii
    }
    return step
  }

  private static func decimal(_ column: LoggedColumn, _ declared: DataType) -> ImageStep? {
    let (precision, scale) = (column.meta >> 8, column.meta & 255)
    guard case .decimal(let wanted, scale) = declared.kind, precision > 0, precision <= wanted
    else { return nil }
    var step = ImageStep(
      way: wanted <= 18 ? .decimal64 : .decimal128,
      size: Int32(MySQLDecimal.size(precision, scale)), precision: Int32(precision),
      scale: Int32(scale))
    if wanted <= 18 {
      step.limit = 1
      for _ in 0..<wanted { step.limit *= 10 }
    } else if precision > 38 {
      return nil
    }
    return step
  }
}
