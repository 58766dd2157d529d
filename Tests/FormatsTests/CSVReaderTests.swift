import Columns
import XCTest

@testable import Formats

func readCSV(
  _ text: [UInt8], _ type: RowType, chunk: Int = 1 << 20, format: CSVOptions = CSVOptions(),
  options: RecordOptions = RecordOptions()
) throws -> Batch {
  let reader = try CSVReader(
    SourceStream(MemorySource(text, name: "t.csv"), chunk: chunk), type: type, format: format,
    options: options)
  var batches: [Batch] = []
  while let batch = try reader.next() { batches.append(batch) }
  return batches.isEmpty ? RandomRowsFixture.empty(type) : Batch.concat(batches)
}

final class CSVReaderTests: XCTestCase {
  private func rows(
    _ text: String, _ type: RowType, _ format: CSVOptions = CSVOptions()
  ) throws -> String {
    let out = ByteWriter()
    for chunk in [1, 5, 1 << 20] {
      out.removeAll()
      JSONRows(type).append(
        try readCSV(Array(text.utf8), type, chunk: chunk, format: format), to: out)
    }
    return out.text
  }

  func test_next_returnsWhatWasPrinted() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    for round in 0..<40 {
      var random = RandomRows(seed &+ UInt64(round))
      let type = random.rowType(fields: 2 + random.below(8))
      let batch = random.batch(type, rows: random.below(60))
      var format = CSVOptions()
      if random.below(2) == 0 { format.delimiter = UInt8(ascii: "|") }
      if random.below(2) == 0 { format.null = "\\N" }
      if random.below(3) == 0 { format.escape = UInt8(ascii: "\\") }
      if random.below(3) == 0 { format.hasHeader = false }
      let out = ByteWriter()
      let csv = CSVRows(type, options: format)
      if format.hasHeader { csv.appendHeader(to: out) }
      csv.append(batch, to: out)
      let back = try readCSV(
        Array(out.bytes), type, chunk: 1 + random.below(300), format: format)
      XCTAssertEqual(back.count, batch.count, "seed \(seed) round \(round)")
      XCTAssertNil(difference(batch, back), "seed \(seed) round \(round)")
    }
  }

  func test_next_findsColumnsByHeader() throws {
    let type = RowType([("id", .int), ("name", .string), ("d", .decimal(9, 2)), ("gone", .date)])
    XCTAssertEqual(
      try rows(
        "\u{FEFF}name,other,\"id\",d\r\n\"a,\"\"b\"\"\nc\",x,1,1.5\r\n,,-2,\r\n\r\n\"\",y,3,7", type
      ),
      """
      {"id":1,"name":"a,\\"b\\"\\nc","d":"1.50","gone":null}
      {"id":-2,"name":null,"d":null,"gone":null}
      {"id":3,"name":"","d":"7.00","gone":null}

      """)
  }

  func test_next_readsByPositionAndOtherMarks() throws {
    let type = RowType([("a", .string), ("b", .bigint), ("c", .array(.int)), ("e", .timestamp(3))])
    var format = CSVOptions()
    format.hasHeader = false
    format.delimiter = 0x09
    format.quote = UInt8(ascii: "'")
    format.escape = UInt8(ascii: "\\")
    format.null = "NULL"
    XCTAssertEqual(
      try rows(
        "'it\\'s\tone'\t5\t[1,null]\t2024-02-29 12:34:56.789\nNULL\tNULL\tNULL\tNULL\n5\" x\t'7'\t'[ ]'\t2024-02-29",
        type, format),
      """
      {"a":"it's\\tone","b":5,"c":[1,null],"e":"2024-02-29 12:34:56.789"}
      {"a":null,"b":null,"c":null,"e":null}
      {"a":"5\\" x","b":7,"c":[],"e":"2024-02-29 00:00:00.000"}

      """)
  }

  func test_next_saysWhatIsWrong() throws {
    let type = RowType([("a", .int.notNull), ("b", .string), ("c", .array(.int))])
    let cases: [(String, String, Int)] = [
      ("x,,", "not an integer", 1), ("1.5,,", "not an integer", 1), ("2147483648,,", "range", 1),
      (",,", "may not be null", 1), ("\"\",,", "empty text", 1), ("1,2", "number of fields", 4),
      ("1,2,,4", "number of fields", 5), ("1,\"a\"b,", "closing quote", 6),
      ("1,\"abc", "does not end", 3), ("1,,[1", "','", 4), ("1,,x", "no value", 4),
    ]
    for (text, reason, column) in cases {
      XCTAssertThrowsError(try readCSV(Array("a,b,c\n1,\"\n\",\n\(text)\n".utf8), type), text) {
        error in
        let printed = "\(error)"
        XCTAssert(printed.contains(reason), "\(text): \(printed)")
        XCTAssert(printed.contains("line=4 column=\(column) "), "\(text): \(printed)")
      }
    }
    for header in ["x,y", "b,c", "a,a"] {
      XCTAssertThrowsError(try readCSV(Array("\(header)\n1,2\n".utf8), type), header)
    }
    var rejected = 0
    var options = RecordOptions()
    options.onReject = .skip { _ in rejected += 1 }
    let batch = try readCSV(
      Array("a,b,c\n1,x,[1]\nq,y,[2]\n3,z,[3\n4,w,[4]\n".utf8), type, options: options)
    XCTAssertEqual(rejected, 2)
    XCTAssertEqual(batch.count, 2)
    XCTAssertEqual(batch.columns[0].pointer(Int32.self)[1], 4)
    XCTAssertEqual(ValueText.text(batch.columns[2], 1), "[4]")
  }

  func test_next_takesEmptyLinesOfOneColumnAsNull() throws {
    let type = RowType([("a", .string)])
    XCTAssertEqual(try rows("a\nx\n\ny\n", type), "{\"a\":\"x\"}\n{\"a\":null}\n{\"a\":\"y\"}\n")
  }

  func test_next_neverTrapsOnDamage() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var random = RandomRows(seed)
    for _ in 0..<30 {
      let type = random.rowType(fields: 5)
      let out = ByteWriter()
      let csv = CSVRows(type)
      csv.appendHeader(to: out)
      csv.append(random.batch(type, rows: 8), to: out)
      let good = Array(out.bytes)
      for _ in 0..<40 {
        var bad = good
        for _ in 0..<(1 + random.below(4)) {
          let palette: [UInt8] = [0x22, 0x2c, 0x0a, 0x0d, 0xff, 0x30, 0x2e, 0x5b, 0x2d]
          bad[random.below(bad.count)] = palette[random.below(palette.count)]
        }
        bad.removeLast(random.below(min(4, bad.count)))
        var options = RecordOptions()
        options.onReject = .skip { _ in }
        let whole = try? readCSV(bad, type, options: options)
        let parts = try? readCSV(bad, type, chunk: 7, options: options)
        XCTAssertEqual(whole == nil, parts == nil)
        if let whole, let parts { XCTAssertNil(difference(whole, parts), "seed \(seed)") }
      }
    }
  }
}
