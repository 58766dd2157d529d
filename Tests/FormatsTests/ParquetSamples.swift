import Columns
import XCTest

@testable import Formats

extension SeededRandom {
  mutating func below(_ n: Int) -> Int { Int.random(in: 0..<n, using: &self) }
  mutating func chance(_ share: Double) -> Bool { Double.random(in: 0..<1, using: &self) < share }
}

/// Random types, columns and options for Parquet files.
enum ParquetSamples {
  static func type(_ random: inout SeededRandom, depth: Int = 2) -> DataType {
    let kind: DataType.Kind
    switch random.below(depth > 0 ? 24 : 19) {
    case 0: kind = .boolean
    case 1: kind = .tinyint
    case 2: kind = .smallint
    case 3: kind = .int
    case 4, 5: kind = .bigint
    case 6: kind = .float
    case 7: kind = .double
    case 8: kind = .decimal(1 + random.below(9), 0)
    case 9: kind = .decimal(10 + random.below(9), 3)
    case 10: kind = .decimal(19 + random.below(20), 7)
    case 11, 12: kind = .varchar(DataType.unbounded)
    case 13: kind = .varbinary(DataType.unbounded)
    case 14: kind = .date
    case 15: kind = .time(3)
    case 16: kind = .timestamp([0, 3, 6, 9][random.below(4)])
    case 17: kind = .timestampLTZ([3, 6][random.below(2)])
    case 18: kind = .char(5)
    case 19, 20: kind = .array(type(&random, depth: depth - 1))
    case 21: kind = .map(type(&random, depth: 0).notNull, type(&random, depth: depth - 1))
    case 22: kind = .multiset(type(&random, depth: 0).notNull)
    default: kind = .row(fields(&random, 1 + random.below(3), depth: depth - 1))
    }
    return DataType(kind, nullable: random.chance(0.8))
  }

  static func fields(_ random: inout SeededRandom, _ count: Int, depth: Int = 2) -> [Field] {
    (0..<count).map { Field(id: $0, name: "f\($0)", type: type(&random, depth: depth)) }
  }

  /// How the values of a column are spread.
  struct Spread {
    var nulls: Double
    /// Distinct values; 0 for no bound.
    var distinct: Int
    var ascending: Bool
  }

  static func column(
    _ type: DataType, _ rows: Int, _ spread: Spread, _ random: inout SeededRandom
  ) -> Column {
    let builder = ColumnBuilder(type)
    for row in 0..<rows { append(builder, row, spread, &random) }
    return builder.finish()
  }

  private static func append(
    _ builder: ColumnBuilder, _ row: Int, _ spread: Spread, _ random: inout SeededRandom
  ) {
    if builder.type.isNullable && random.chance(spread.nulls) { return builder.appendNull() }
    switch builder.type.kind {
    case .array, .map, .multiset:
      for _ in 0..<random.below(4) {
        for child in builder.children { append(child, row, spread, &random) }
      }
      builder.endList()
    case .row:
      for child in builder.children { append(child, row, spread, &random) }
      builder.endRow()
    default: builder.append(scalar(builder.type, row, spread, &random))
    }
  }

  private static func scalar(
    _ type: DataType, _ row: Int, _ spread: Spread, _ random: inout SeededRandom
  ) -> Scalar {
    var word = random.next()
    if spread.ascending {
      word = UInt64(row)
    } else if spread.distinct > 0 {
      word = UInt64(random.below(spread.distinct)) &* 0x9E37_79B9
    } else if random.chance(0.3) {
      word = [0, 1, UInt64.max, 1 << 63, (1 << 63) - 1, 127, 128][random.below(7)]
    }
    let int = Int64(bitPattern: word)
    switch type.kind {
    case .boolean: return .boolean(word & 1 == 1)
    case .tinyint: return .int(Int64(Int8(truncatingIfNeeded: int)))
    case .smallint: return .int(Int64(Int16(truncatingIfNeeded: int)))
    case .int, .date: return .int(Int64(Int32(truncatingIfNeeded: int)))
    case .time: return .int(abs(int % 86_400_000))
    case .bigint: return .int(int)
    case .timestamp(let p), .timestampLTZ(let p): return p > 6 ? .int128(Int128(int)) : .int(int)
    case .float:
      return .float(
        spread.ascending ? Float(row) : Float(bitPattern: UInt32(truncatingIfNeeded: word)))
    case .double: return .double(spread.ascending ? Double(row) : Double(bitPattern: word))
    case .decimal(let precision, _):
      var most: Int128 = 1
      for _ in 0..<precision { most *= 10 }
      let wide = precision > 18 && !spread.ascending ? Int128(int) * Int128(1_000_003) : Int128(int)
      return precision > 18 ? .int128(wide % most) : .int(Int64(wide % most))
    default:
      var text = Array(String(word, radix: 36).utf8)
      if spread.ascending { text = Array(String(1_000_000 + row).utf8) }
      let length =
        spread.distinct > 0 ? Int(word % 40) : random.below(random.chance(0.05) ? 300 : 20)
      if !spread.ascending { while text.count < length { text += text } }
      return .bytes(spread.ascending ? text : Array(text.prefix(length)))
    }
  }

  static func batch(_ type: RowType, _ rows: Int, _ random: inout SeededRandom) -> Batch {
    let columns = type.fields.map { field in
      let spread = Spread(
        nulls: [0, 0.1, 0.5, 1][random.below(4)], distinct: [0, 3, 50][random.below(3)],
        ascending: random.chance(0.2))
      return column(field.type, rows, spread, &random)
    }
    return Batch(type, columns, count: rows)
  }

  static func options(_ random: inout SeededRandom) -> ParquetWriteOptions {
    var options = ParquetWriteOptions()
    options.codec = Codec.allCases[random.below(Codec.allCases.count)]
    options.dictionary = random.chance(0.7)
    options.dictionaryBytes = [64, 1 << 20][random.below(2)]
    options.deltaEncodings = random.chance(0.5)
    options.dataPageV2 = random.chance(0.5)
    options.pageBytes = [1, 100, 5000, 1 << 20][random.below(4)]
    options.pageRows = [1, 7, 100, 20_000][random.below(4)]
    options.rowGroupRows = [1, 50, 333, Int.max][random.below(4)]
    options.crc = random.chance(0.7)
    options.pageIndex = random.chance(0.7)
    return options
  }

  /// The file that `batches` make, in memory.
  static func file(
    _ type: RowType, _ batches: [Batch], _ options: ParquetWriteOptions
  ) throws -> (Buffer, ParquetSummary) {
    let sink = MemorySink()
    let writer = try ParquetWriter(sink, type: type, options: options)
    for batch in batches { try writer.write(batch) }
    let summary = try writer.finish()
    XCTAssertEqual(summary.byteCount, sink.byteCount)
    XCTAssertEqual(writer.bytesWritten, sink.byteCount)
    return (sink.content(), summary)
  }

  /// All rows of a scan, as text.
  static func lines(_ scan: ParquetScan) throws -> [String] {
    var out: [String] = []
    while let batch = try scan.next() { out += lines(batch) }
    return out
  }

  static func lines(_ batch: Batch) -> [String] {
    let formats = batch.type.fields.map { ValueFormat($0.type) }
    let out = ByteWriter()
    return (0..<batch.count).map { row in
      out.removeAll()
      for (format, column) in zip(formats, batch.columns) {
        format.appendJSON(column, row, to: out)
        out.append(UInt8(ascii: " "))
      }
      return String(decoding: out.bytes, as: UTF8.self)
    }
  }
}
