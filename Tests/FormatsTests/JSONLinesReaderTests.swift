import Columns
import XCTest

@testable import Formats

/// All rows of a text, read in chunks of that many bytes.
func readJSON(
  _ text: [UInt8], _ type: RowType, chunk: Int = 1 << 20, options: RecordOptions = RecordOptions()
) throws -> Batch {
  let reader = JSONLinesReader(
    SourceStream(MemorySource(text, name: "t.json"), chunk: chunk), type: type, options: options)
  var batches: [Batch] = []
  while let batch = try reader.next() { batches.append(batch) }
  return batches.isEmpty ? RandomRowsFixture.empty(type) : Batch.concat(batches)
}

final class JSONLinesReaderTests: XCTestCase {
  private func rows(_ text: String, _ type: RowType) throws -> String {
    let out = ByteWriter()
    JSONRows(type).append(try readJSON(Array(text.utf8), type), to: out)
    return out.text
  }

  func test_next_returnsWhatWasPrinted() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    for round in 0..<40 {
      var random = RandomRows(seed &+ UInt64(round))
      let type = random.rowType(fields: 1 + random.below(8))
      let batch = random.batch(type, rows: random.below(60))
      let out = ByteWriter()
      JSONRows(type).append(batch, to: out)
      var options = RecordOptions()
      options.batchRows = 1 + random.below(40)
      let back = try readJSON(
        Array(out.bytes), type, chunk: 1 + random.below(300), options: options)
      XCTAssertEqual(back.count, batch.count)
      XCTAssertNil(difference(batch, back), "seed \(seed) round \(round)")
    }
  }

  func test_next_readsPackedInput() throws {
    let type = RowType([("a", .int), ("s", .string)])
    var text = ""
    for i in 0..<5000 { text += "{\"a\":\(i),\"s\":\"row \(i)\"}\n" }
    let bytes = Array(text.utf8)
    let plain = try readJSON(bytes, type)
    let compressor = Compressor(level: 3)
    defer { withExtendedLifetime(compressor) {} }
    for codec in [Codec.gzip, .zstd] {
      var packed: [UInt8] = []
      // Two members one after another are one file.
      for half in [bytes[..<40_000], bytes[40_000...]] {
        try Array(half).withUnsafeBytes {
          packed.append(contentsOf: try compressor.compress(codec, $0))
        }
      }
      for chunk in [1, 7, 1 << 20] {
        XCTAssertNil(difference(plain, try readJSON(packed, type, chunk: chunk)))
      }
      XCTAssertThrowsError(try readJSON(packed.dropLast(5), type))
      packed[packed.count / 2] ^= 0xff
      XCTAssertThrowsError(try readJSON(packed, type))
    }
  }

  func test_next_matchesMembersByName() throws {
    let type = RowType([("id", .int), ("a_rather_long_name", .string), ("é\"", .bigint)])
    XCTAssertEqual(
      try rows(
        """
        {"id":1,"a_rather_long_name":"x","é\\"":5}

        {"\\u0069d":2,"x":{"y":[1,"]",{"z":null}]},"a_rather_long_namf":1}\r
          { "é\\"" : 7 , "a_rather_long_name" : "\\u00e9\\ud83d\\ude00\\n" , "ID":9 }\u{20}
        {}
        {"id":null}
        """, type),
      """
      {"id":1,"a_rather_long_name":"x","é\\"":5}
      {"id":2,"a_rather_long_name":null,"é\\"":null}
      {"id":null,"a_rather_long_name":"é😀\\n","é\\"":7}
      {"id":null,"a_rather_long_name":null,"é\\"":null}
      {"id":null,"a_rather_long_name":null,"é\\"":null}

      """)
  }

  func test_next_acceptsOtherSpellings() throws {
    let cases: [(DataType, String, String)] = [
      (.int, "\"42\"", "42"), (.double, "\"1.5\"", "1.5"), (.double, "\"NaN\"", "\"NaN\""),
      (.double, "\"-Infinity\"", "\"-Infinity\""),
      (.double, "12345678901234567890", "1.2345678901234567e+19"),
      (.double, "1E2", "100.0"), (.double, "-0.0", "-0.0"), (.decimal(38, 2), "1.5", "\"1.50\""),
      (
        .decimal(38, 0), "12345678901234567890123456789012345678",
        "\"12345678901234567890123456789012345678\""
      ),
      (.decimal(5, 2), "\"-1.250\"", "\"-1.25\""), (.decimal(5, 2), "1e2", "\"100.00\""),
      (.boolean, "\"true\"", "true"), (.string, "12.50", "\"12.50\""),
      (.string, "true", "\"true\""),
      (.string, "[1, {\"a\":2}]", "\"[1, {\\\"a\\\":2}]\""),
      (.bigint, "-9223372036854775808", "-9223372036854775808"),
      (.timestamp(3), "\"2024-02-29T12:34:56.7\"", "\"2024-02-29 12:34:56.700\""),
      (.timestamp(6), "\"2024-02-29\"", "\"2024-02-29 00:00:00.000000\""),
      (.timestamp(9), "\"1969-12-31 23:59:59.999999999\"", "\"1969-12-31 23:59:59.999999999\""),
      (DataType(.timestampLTZ(3)), "\"2024-02-29T12:34:56+02:00\"", "\"2024-02-29 10:34:56.000Z\""),
      (DataType(.timestampLTZ(0)), "\"2024-02-29T12:34:56Z\"", "\"2024-02-29 12:34:56Z\""),
      (.date, "\"-0001-01-01\"", "\"-0001-01-01\""), (.bytes, "\"0xFf\"", "\"0xff\""),
      (.map(.string, .int), "{\"a\":1,\"b\":null}", "[[\"a\",1],[\"b\",null]]"),
      (.map(.int, .string), "{\"1\":\"x\"}", "[[1,\"x\"]]"),
      (.map(.int, .string), "[ [ 1 , \"x\" ] , [2,null] ]", "[[1,\"x\"],[2,null]]"),
      (DataType(.multiset(.string)), "{\"a\":2}", "[[\"a\",2]]"), (.array(.int), "[ ]", "[]"),
      (.array(.array(.string)), "[[],null,[\"a\",null]]", "[[],null,[\"a\",null]]"),
      (.string, "\"\\ud800x\"", "\"\u{FFFD}x\""),
    ]
    for (type, text, expected) in cases {
      XCTAssertEqual(
        try rows("{\"v\":\(text)}", RowType([("v", type)])), "{\"v\":\(expected)}\n", text)
    }
  }

  func test_next_saysWhatIsWrong() throws {
    let nested = DataType.row([Field(id: 3, name: "x", type: .array(.int))])
    let type = RowType([
      ("id", .int.notNull), ("s", .string), ("d", .decimal(5, 2)), ("r", nested),
      ("m", .map(.string, .int)), ("ms", DataType(.multiset(.string))),
      ("v", DataType(.varchar(2))),
      ("b", .boolean), ("t", .timestamp(3)),
    ])
    let cases: [(String, String, Int, String?)] = [
      ("x", "not a JSON object", 1, nil), ("[1]", "not a JSON object", 1, nil),
      ("{", "member name", 2, nil), ("{id:1}", "member name", 2, nil),
      ("{\"id\" 1}", "':'", 7, nil),
      ("{\"id\":1", "','", 8, nil), ("{\"id\":1 2}", "','", 9, nil),
      ("{\"id\":1,}", "member name", 9, nil),
      ("{\"id\":1}x", "after the record", 9, nil), ("{\"id\":}", "no value", 7, nil),
      ("{\"id\":01}", "malformed number", 7, "id"), ("{\"id\":-}", "malformed number", 7, "id"),
      ("{\"id\":1.}", "malformed number", 7, "id"), ("{\"id\":1e}", "malformed number", 7, nil),
      ("{\"id\":1.5}", "not an integer", 7, "id"),
      ("{\"id\":2147483648}", "out of the type's range", 7, "id"),
      ("{\"id\":99999999999999999999}", "out of the type's range", 7, "id"),
      ("{\"id\":\"\"}", "empty text", 7, "id"), ("{\"id\":\"x\"}", "not an integer", 7, "id"),
      ("{\"id\":true}", "another kind", 7, "id"), ("{\"id\":[]}", "another kind", 7, "id"),
      ("{\"id\":null}", "may not be null", 7, "id"),
      ("{\"s\":\"a\"}", "no value for a column", 9, "id"),
      ("{\"id\":1,\"id\":2}", "twice", 9, "id"), ("{\"id\":nul}", "no value", 7, nil),
      ("{\"s\":\"abc", "does not end", 6, nil),
      ("{\"s\":\"a\u{1}b\"}", "control character", 8, nil),
      ("{\"s\":\"a\\q\"}", "unknown escape", 8, nil),
      ("{\"s\":\"\\u12x4\"}", "unknown escape", 7, nil),
      ("{\"s\":\"\\", "unknown escape", 7, nil), ("{\"x\":\"a", "does not end", 6, nil),
      ("{\"x\":[1,}", "no value", 9, nil), ("{\"x\":tru}", "no value", 6, nil),
      ("{\"x\":" + String(repeating: "[", count: 300), "nested too deep", 262, nil),
      ("{\"id\":1,\"d\":1.234}", "more digits after the point", 13, "d"),
      ("{\"id\":1,\"d\":1000}", "more digits before the point", 13, "d"),
      ("{\"id\":1,\"r\":{\"x\":[1,\"y\"]}}", "not an integer", 21, "r.x.element"),
      ("{\"id\":1,\"r\":{\"x\":[1,2}}", "','", 22, nil),
      ("{\"id\":1,\"r\":7}", "another kind", 13, "r"),
      ("{\"id\":1,\"m\":{\"a\":\"z\"}}", "not an integer", 18, "m.value"),
      ("{\"id\":1,\"m\":[[1]]}", "two items", 16, "m"),
      ("{\"id\":1,\"m\":[[\"a\",1,2]]}", "two items", 20, "m"),
      ("{\"id\":1,\"m\":[3]}", "two items", 14, "m"),
      ("{\"id\":1,\"ms\":{\"a\":0}}", "count", 19, "ms"),
      ("{\"id\":1,\"v\":\"abc\"}", "longer", 13, "v"),
      ("{\"id\":1,\"b\":2}", "another kind", 13, "b"),
      ("{\"id\":1,\"t\":5}", "another kind", 13, "t"),
      ("{\"id\":1,\"t\":\"2024-01-01 25:00:00\"}", "not a timestamp", 13, "t"),
      ("{\"id\":1,\"t\":\"2024-01-01 00:00:00.1234\"}", "more digits after", 13, "t"),
    ]
    for (text, reason, column, field) in cases {
      XCTAssertThrowsError(
        try readJSON(Array(("{\"id\":0}\n" + text).utf8), type), text
      ) { error in
        let printed = "\(error)"
        XCTAssert(printed.contains(reason), "\(text): \(printed)")
        XCTAssert(printed.contains("file=t.json line=2 column=\(column) "), "\(text): \(printed)")
        if let field { XCTAssert(printed.contains("field=\(field) "), "\(text): \(printed)") }
      }
    }
    XCTAssertThrowsError(try readJSON(Array("{\"s\":\"".utf8) + [0xff, 0x22, 0x7d], type)) {
      XCTAssert("\($0)".contains("not UTF-8"))
    }
  }

  func test_next_leavesOutWhatIsRejected() throws {
    let nested = DataType.row([
      Field(id: 3, name: "x", type: .array(.int)),
      Field(id: 4, name: "m", type: DataType.map(.string, .array(.int))),
    ])
    let type = RowType([("id", .int), ("s", .string), ("r", nested), ("z", .bigint.notNull)])
    let good = #"{"id":1,"s":"a","r":{"x":[1,2],"m":{"k":[3]}},"z":5}"#
    let bad = [
      #"{"id":1,"s":"a\q","r":null,"z":1}"#, #"{"id":1,"s":"b","r":{"x":[1,"q"],"m":{}},"z":1}"#,
      #"{"id":1,"r":{"x":[7],"m":{"k":[1],"l":[2,{}]}},"z":1}"#, #"{"r":{"m":[["k",[1]],["l"]]}}"#,
      #"{"id":1,"s":"b"}"#, "junk", #"{"id":1,"z":5}}"#,
    ]
    var text = ""
    for line in bad { text += good + "\n" + line + "\n" }
    text += good
    for chunk in [3, 1 << 20] {
      var rejected: [String] = []
      var lines: [Int] = []
      var options = RecordOptions()
      options.onReject = .skip { record in
        rejected.append(String(decoding: record.bytes, as: UTF8.self))
        lines.append(record.line)
        XCTAssertFalse(record.error.message.isEmpty)
      }
      let batch = try readJSON(Array(text.utf8), type, chunk: chunk, options: options)
      XCTAssertEqual(rejected, bad)
      XCTAssertEqual(lines, Array(stride(from: 2, through: 14, by: 2)))
      let out = ByteWriter()
      JSONRows(type).append(batch, to: out)
      let printed = #"{"id":1,"s":"a","r":{"x":[1,2],"m":[["k",[3]]]},"z":5}"# + "\n"
      XCTAssertEqual(out.text, String(repeating: printed, count: bad.count + 1))
    }
  }

  func test_next_rejectsRecordsOverTheLimit() throws {
    let type = RowType([("s", .string)])
    let long = "{\"s\":\"" + String(repeating: "x", count: 5000) + "\"}"
    let text = Array("{\"s\":\"a\"}\n\(long)\n{\"s\":\"b\"}\n\(long)".utf8)
    for chunk in [100, 1 << 20] {
      var options = RecordOptions()
      options.maxRecordBytes = 1000
      XCTAssertThrowsError(try readJSON(text, type, chunk: chunk, options: options))
      var lines: [Int] = []
      options.onReject = .skip { lines.append($0.line) }
      let batch = try readJSON(text, type, chunk: chunk, options: options)
      XCTAssertEqual(batch.count, 2)
      XCTAssertEqual(lines, [2, 4])
    }
  }

  func test_next_readsLongStrings() throws {
    let type = RowType([("s", .string)])
    let long = String(repeating: "é", count: 3 << 20)
    let batch = try readJSON(Array("\u{FEFF}{\"s\":\"\(long)\\n\"}".utf8), type, chunk: 100_000)
    XCTAssertEqual(batch.columns[0].bytes(0).count, (6 << 20) + 1)
    XCTAssertNil(try JSONLinesReader(SourceStream(MemorySource([])), type: type).next())
    XCTAssertNil(
      try JSONLinesReader(SourceStream(MemorySource([0x0a, 0x20, 0x0a])), type: type).next())
  }

  func test_next_neverTrapsOnDamage() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var random = RandomRows(seed)
    for _ in 0..<30 {
      let type = random.rowType(fields: 5)
      let batch = random.batch(type, rows: 8)
      let out = ByteWriter()
      JSONRows(type).append(batch, to: out)
      let good = Array(out.bytes)
      for _ in 0..<40 {
        var bad = good
        for _ in 0..<(1 + random.below(4)) {
          let palette: [UInt8] = [
            0x22, 0x5c, 0x7b, 0x7d, 0x5b, 0x5d, 0x2c, 0x3a, 0x0a, 0xff, 0x30, 0x2e,
          ]
          bad[random.below(bad.count)] = palette[random.below(palette.count)]
        }
        bad.removeLast(random.below(min(4, bad.count)))
        _ = try? readJSON(bad, type)
        var options = RecordOptions()
        options.onReject = .skip { _ in }
        let kept = try readJSON(bad, type, chunk: 50, options: options)
        let printed = ByteWriter()
        JSONRows(type).append(kept, to: printed)
        XCTAssertNil(difference(kept, try readJSON(Array(printed.bytes), type)), "seed \(seed)")
      }
    }
  }
}
