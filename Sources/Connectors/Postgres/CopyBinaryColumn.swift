import Columns

/// One column of a binary COPY: what is asked for, and how its bytes become values of the declared type.
///
/// What it gives is what ``PostgresValue`` makes of the same value's text. A value that is not plain
/// (infinity, years outside 1…9999, a number that must be rounded or does not fit, a null that may not be)
/// refuses its row, which is then read as text: so there is one place that knows what becomes of those.
struct CopyBinaryColumn {
  enum Form: Hashable {
    /// The text, as it is.
    case text
    /// A text of another type, as the server prints it.
    case parsed
    /// A byte with the version 1, then the text.
    case jsonb
    case uuid, boolean, bytes
    /// Width in bytes; an object id has no sign.
    case integer(Int), objectID
    case float32, float64, decimal, date, time, timestamp
  }

  let form: Form
  let type: DataType
  /// In the SELECT.
  let expression: String
  private let value: PostgresValue

  init(_ name: String, _ source: PostgresType, _ type: DataType) {
    self.type = type
    let form = Self.form(source, type)
    self.form = form ?? .parsed
    value = PostgresValue(type)
    let quoted = PostgresText.name(name)
    // Not every cast to text prints what the type prints; `format` does, but nothing for a null.
    expression =
      form == nil
      ? "CASE WHEN \(quoted) IS DISTINCT FROM NULL THEN format('%s', \(quoted)) END" : quoted
  }

  /// It comes in the server's own form, not as a text that is made for us.
  var isDirect: Bool { !expression.hasPrefix("CASE") }

  /// Nil: only its text is exact.
  private static func form(_ source: PostgresType, _ type: DataType) -> Form? {
    switch (source.kind, type.kind) {
    case (.varchar, _) where type.isText, (.char, _) where type.isText: return .text
    case (.text, _) where type.isText:
      switch source.builtIn {
      case 19, 25, 114: return .text
      case 2950: return .uuid
      case 3802: return .jsonb
      default: return nil
      }
    case (.boolean, .boolean): return .boolean
    case (.bytea, .binary), (.bytea, .varbinary): return .bytes
    case (.int2, .tinyint), (.int2, .smallint), (.int2, .int), (.int2, .bigint):
      return .integer(2)
    case (.int4, .smallint), (.int4, .int), (.int4, .bigint): return .integer(4)
    case (.int8, .int), (.int8, .bigint): return .integer(8)
    case (.oid, .bigint), (.oid, .int): return .objectID
    // A float as a double is another number than its text.
    case (.float4, .float): return .float32
    case (.float8, .double): return .float64
    case (.numeric(_?, let scale), .decimal(_, let declared)) where scale <= declared:
      return .decimal
    case (.date, .date): return .date
    case (.time, .time): return .time
    case (.timestamp, .timestamp(let p)), (.timestamp, .timestampLTZ(let p)),
      (.timestamptz, .timestamp(let p)), (.timestamptz, .timestampLTZ(let p)):
      return p <= 6 ? .timestamp : nil
    default: return nil
    }
  }

  // MARK: Values

  func column(_ cells: CopyCells, _ refused: inout Set<Int>) -> Column {
    let builder = ColumnBuilder(type, capacity: cells.count)
    switch form {
    case .text, .bytes: texts(cells, builder, skipping: 0, &refused)
    case .jsonb: texts(cells, builder, skipping: 1, &refused)
    case .parsed: parse(cells, builder, &refused)
    case .uuid: uuids(cells, builder, &refused)
    case .boolean:
      fixed(cells, builder, 1, &refused) { (at) -> UInt8? in
        let byte = at.load(as: UInt8.self)
        return byte <= 1 ? byte : nil
      }
    case .integer(2): integers(cells, builder, Int16.self, &refused)
    case .integer(4): integers(cells, builder, Int32.self, &refused)
    case .integer: integers(cells, builder, Int64.self, &refused)
    case .objectID: integers(cells, builder, UInt32.self, &refused)
    case .float32:
      fixed(cells, builder, 4, &refused) { (at) -> Float? in
        let value = Float(bitPattern: UInt32(bigEndian: at.loadUnaligned(as: UInt32.self)))
        return value.isNaN ? .nan : value
      }
    case .float64:
      fixed(cells, builder, 8, &refused) { (at) -> Double? in
        let value = Double(bitPattern: UInt64(bigEndian: at.loadUnaligned(as: UInt64.self)))
        return value.isNaN ? .nan : value
      }
    case .decimal: decimals(cells, builder, &refused)
    case .date: dates(cells, builder, &refused)
    case .time: times(cells, builder, &refused)
    case .timestamp: timestamps(cells, builder, &refused)
    }
    return builder.finish()
  }

  /// Values of a fixed width here; `width` bytes there, or any when it is 0.
  @inline(__always)
  private func fixed<Value: BitwiseCopyable>(
    _ cells: CopyCells, _ builder: ColumnBuilder, _ width: Int, _ refused: inout Set<Int>,
    _ read: (UnsafeMutableRawPointer) -> Value?
  ) {
    let size = MemoryLayout<Value>.size
    let out = builder.spare(cells.count, of: Value.self)
    for row in 0..<cells.count {
      let length = cells.length(row)
      if length == width, let value = read(cells.start(row)) {
        out[row] = value
        continue
      }
      UnsafeMutableRawPointer(out + row)
        .initializeMemory(as: UInt8.self, repeating: 0, count: size)
      skip(row, isNull: length < 0, builder, &refused)
    }
    builder.advance(cells.count)
  }

  /// A row that has no value, or none that can be read here.
  @inline(never)
  private func skip(
    _ row: Int, isNull: Bool, _ builder: ColumnBuilder, _ refused: inout Set<Int>
  ) {
    builder.markNull(row)
    if !isNull || !type.isNullable { refused.insert(row) }
  }

  private func integers<Wire: FixedWidthInteger & BitwiseCopyable>(
    _ cells: CopyCells, _ builder: ColumnBuilder, _: Wire.Type, _ refused: inout Set<Int>
  ) {
    func read<Value: FixedWidthInteger & BitwiseCopyable>(_: Value.Type) {
      fixed(cells, builder, MemoryLayout<Wire>.size, &refused) { (at) -> Value? in
        Value(exactly: Wire(bigEndian: at.loadUnaligned(as: Wire.self)))
      }
    }
    switch type.physical {
    case .int8: read(Int8.self)
    case .int16: read(Int16.self)
    case .int32: read(Int32.self)
    default: read(Int64.self)
    }
  }

  private func texts(
    _ cells: CopyCells, _ builder: ColumnBuilder, skipping: Int, _ refused: inout Set<Int>
  ) {
    var total = 0
    for row in 0..<cells.count { total &+= max(0, cells.length(row) &- skipping) }
    let ends = builder.spareOffsets(cells.count)
    let out = builder.spareBytes(total)
    var at = 0
    for row in 0..<cells.count {
      let length = cells.length(row) &- skipping
      let start = cells.start(row)
      let isOther = skipping == 1 && length >= 0 && start.load(as: UInt8.self) != 1
      if length < 0 || isOther {
        skip(row, isNull: length == -1 &- skipping, builder, &refused)
      } else if length <= 16 {
        // Both sides have room behind their ends.
        (out + at).storeBytes(
          of: (start + skipping).loadUnaligned(as: SIMD16<UInt8>.self), as: SIMD16<UInt8>.self)
        at &+= length
      } else {
        (out + at).copyMemory(from: start + skipping, byteCount: length)
        at &+= length
      }
      ends[row] = Int32(truncatingIfNeeded: at)
    }
    builder.advanceBytes(at)
    builder.advance(cells.count)
  }

  private func parse(_ cells: CopyCells, _ builder: ColumnBuilder, _ refused: inout Set<Int>) {
    for row in 0..<cells.count {
      if cells.length(row) < 0 {
        builder.appendNull()
        if !type.isNullable { refused.insert(row) }
        continue
      }
      do throws(TextProblem) { try value.append(cells.value(row), to: builder) } catch {
        builder.appendNull()
        refused.insert(row)
      }
    }
  }

  private func uuids(_ cells: CopyCells, _ builder: ColumnBuilder, _ refused: inout Set<Int>) {
    let digits: StaticString = "0123456789abcdef"
    let hex = digits.utf8Start
    let ends = builder.spareOffsets(cells.count)
    let out = builder.spareBytes(36 * cells.count)
    var at = 0
    for row in 0..<cells.count {
      let length = cells.length(row)
      if length == 16 {
        let bytes = cells.start(row)
        for i in 0..<16 {
          if i == 4 || i == 6 || i == 8 || i == 10 {
            out.storeBytes(of: UInt8(ascii: "-"), toByteOffset: at, as: UInt8.self)
            at &+= 1
          }
          let byte = bytes.load(fromByteOffset: i, as: UInt8.self)
          out.storeBytes(of: hex[Int(byte >> 4)], toByteOffset: at, as: UInt8.self)
          out.storeBytes(of: hex[Int(byte & 15)], toByteOffset: at &+ 1, as: UInt8.self)
          at &+= 2
        }
      } else {
        skip(row, isNull: length < 0, builder, &refused)
      }
      ends[row] = Int32(truncatingIfNeeded: at)
    }
    builder.advanceBytes(at)
    builder.advance(cells.count)
  }

  // MARK: Times

  /// From 0001-01-01 to 9999-12-31, in days since 1970.
  private static let days: ClosedRange<Int64> = -719_162...2_932_896
  /// Days and microseconds from 1970 to 2000.
  private static let epochDays: Int64 = 10_957
  private static let epochMicros: Int64 = 946_684_800_000_000

  private func dates(_ cells: CopyCells, _ builder: ColumnBuilder, _ refused: inout Set<Int>) {
    fixed(cells, builder, 4, &refused) { (at) -> Int32? in
      let raw = Int64(Int32(bigEndian: at.loadUnaligned(as: Int32.self)))
      let day = raw &+ Self.epochDays
      return Self.days.contains(day) ? Int32(truncatingIfNeeded: day) : nil
    }
  }

  private func times(_ cells: CopyCells, _ builder: ColumnBuilder, _ refused: inout Set<Int>) {
    guard case .time(let precision) = type.kind else { return }
    let unit: Int64 = [1000, 100, 10, 1][min(max(precision, 0), 3)]
    fixed(cells, builder, 8, &refused) { (at) -> Int32? in
      let micros = Int64(bigEndian: at.loadUnaligned(as: Int64.self))
      if micros < 0 || micros >= 86_400_000_000 { return nil }
      let millis = micros / 1000
      return Int32(truncatingIfNeeded: millis - millis % unit)
    }
  }

  private func timestamps(
    _ cells: CopyCells, _ builder: ColumnBuilder, _ refused: inout Set<Int>
  ) {
    let precision: Int
    switch type.kind {
    case .timestamp(let p), .timestampLTZ(let p): precision = p
    default: return
    }
    // Microseconds of the last digit that is kept.
    var unit: Int64 = 1
    for _ in max(0, precision)..<6 { unit *= 10 }
    let divisor: Int64 = precision <= 3 ? 1000 : 1
    let least = Self.days.lowerBound * 86_400_000_000 - Self.epochMicros
    let end = (Self.days.upperBound + 1) * 86_400_000_000 - Self.epochMicros
    fixed(cells, builder, 8, &refused) { (at) -> Int64? in
      let raw = Int64(bigEndian: at.loadUnaligned(as: Int64.self))
      if raw < least || raw >= end { return nil }
      let micros = raw &+ Self.epochMicros
      let rest = micros % unit
      return (micros &- (rest < 0 ? rest &+ unit : rest)) / divisor
    }
  }
}
