import Columns
import XCTest

@testable import Formats

final class AvroTests: XCTestCase {
  private func write(_ batch: Batch, _ options: AvroWriteOptions) throws -> [UInt8] {
    let sink = MemorySink()
    let writer = try AvroWriter(sink, type: batch.type, options: options)
    try writer.write(batch)
    try writer.finish()
    return sink.array()
  }

  func test_read_returnsWhatWasWritten() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    for round in 0..<40 {
      var random = RandomRows(seed &+ UInt64(round))
      random.timestampLimit = 6
      let type = random.rowType(fields: 1 + random.below(8))
      let batch = random.batch(type, rows: random.below(200))
      var options = AvroWriteOptions()
      options.codec = AvroCodec.allCases[random.below(4)]
      options.blockBytes = 200 + random.below(2000)
      options.nullableRow = random.below(2) == 0
      let bytes = try write(batch, options)
      let back = try AvroFile.read(MemorySource(bytes), as: type)
      XCTAssertEqual(back.count, batch.count)
      XCTAssertNil(difference(batch, back), "seed \(seed) round \(round)")
      let reader = try AvroReader(MemorySource(bytes), batchRows: 10)
      XCTAssertEqual(reader.codec, options.codec)
      var rows = 0
      while let part = try reader.next() { rows += part.count }
      XCTAssertEqual(rows, batch.count)
    }
  }

  func test_schemaText_followsPaimon() throws {
    let nested = DataType.row([Field(id: 2, name: "x", type: .timestamp(3))])
    let type = RowType([
      ("_A", .int.notNull), ("n", nested.notNull), ("l", .array(.bigint)),
      ("m", DataType.map(.int.notNull, .string)), ("s", .map(.string, .double)),
      ("d", .decimal(20, 3)),
    ])
    let sink = MemorySink()
    try AvroFile.write(RandomRowsFixture.empty(type), to: sink)
    let text = try AvroFile.schemaText(MemorySource(sink.content()))
    XCTAssertEqual(
      text,
      #"{"type":"record","name":"record","namespace":"org.apache.paimon.avro.generated","fields":["#
        + #"{"name":"_A","type":"int"},"#
        + #"{"name":"n","type":{"type":"record","name":"record_n","fields":[{"name":"x","type":["null","#
        + #"{"type":"long","logicalType":"timestamp-millis"}],"default":null}]}},"#
        + #"{"name":"l","type":["null",{"type":"array","items":["null","long"]}],"default":null},"#
        + #"{"name":"m","type":["null",{"type":"array","items":{"type":"record","name":"record_m","#
        + #""fields":[{"name":"key","type":"int"},{"name":"value","type":["null","string"],"default":null}]},"#
        + #""logicalType":"map"}],"default":null},"#
        + #"{"name":"s","type":["null",{"type":"map","values":["null","double"]}],"default":null},"#
        + #"{"name":"d","type":["null",{"type":"bytes","logicalType":"decimal","precision":20,"scale":3}],"#
        + #""default":null}]}"#)
  }

  func test_read_resolvesByName() throws {
    let written = RowType([
      ("id", .int.notNull), ("gone", .array(.string)), ("name", .string), ("f", .float),
      ("r", .row([Field(id: 9, name: "a", type: .int), Field(id: 10, name: "b", type: .bytes)])),
    ])
    var random = RandomRows(7)
    let batch = random.batch(written, rows: 50)
    let bytes = try write(batch, AvroWriteOptions())
    let wanted = RowType([
      ("new", .timestamp(9)), ("f", .double), ("name", .bytes), ("id", .bigint),
      ("r", .row([Field(id: 0, name: "b", type: .string), Field(id: 1, name: "c", type: .date)])),
    ])
    let back = try AvroFile.read(MemorySource(bytes), as: wanted)
    for row in 0..<50 {
      XCTAssert(back.columns[0].isNull(row))
      XCTAssertEqual(
        back.columns[3].pointer(Int64.self)[row],
        Int64(batch.columns[0].pointer(Int32.self)[row]))
      XCTAssertEqual(Array(back.columns[2].bytes(row)), Array(batch.columns[2].bytes(row)))
      if !batch.columns[4].isNull(row) { XCTAssert(back.columns[4].children[1].isNull(row)) }
    }
    XCTAssertThrowsError(
      try AvroFile.read(MemorySource(bytes), as: RowType([("x", .int.notNull)])))
    XCTAssertThrowsError(try AvroFile.read(MemorySource(bytes), as: RowType([("name", .int)])))
    XCTAssertThrowsError(
      try AvroFile.read(MemorySource(bytes), as: RowType([("name", .string.notNull)])))
  }

  /// Schemas of other writers: enums, fixed, wide unions, recursion, nanoseconds.
  func test_read_understandsForeignSchemas() throws {
    let schema = """
      {"type":"record","name":"T","namespace":"x","fields":[
        {"name":"e","type":{"type":"enum","name":"E","symbols":["RED","GREEN"]}},
        {"name":"u","type":["string","null","bytes"]},
        {"name":"next","type":["null","T"]},
        {"name":"t","type":{"type":"long","logicalType":"timestamp-nanos"}},
        {"name":"d","type":{"type":"fixed","name":"F","size":4,"logicalType":"decimal",
          "precision":9,"scale":2}},
        {"name":"d2","type":"F"}]}
      """
    let body = ByteWriter()
    func row(next: Bool) {
      body.appendZigzag(1)  // GREEN
      body.appendZigzag(next ? 0 : 1)
      if next { body.appendZigzag(2); body.append("hi") }
      body.appendZigzag(next ? 1 : 0)
      if next { row(next: false) }
      body.appendZigzag(-1_500)
      body.appendRaw(UInt32(bitPattern: -125).bigEndian)
      body.appendRaw(UInt32(7).bigEndian)
    }
    row(next: true)
    row(next: false)
    let bytes = container(schema, rows: 2, body)
    let wanted = RowType([
      ("e", .string), ("u", .string), ("t", .timestamp(6)), ("d", .decimal(9, 2)),
      ("d2", .decimal(9, 2)),
    ])
    let batch = try AvroFile.read(MemorySource(bytes), as: wanted)
    XCTAssertEqual(Array(batch.columns[0].bytes(1)), Array("GREEN".utf8))
    XCTAssertEqual(Array(batch.columns[1].bytes(0)), Array("hi".utf8))
    XCTAssert(batch.columns[1].isNull(1))
    XCTAssertEqual(batch.columns[2].pointer(Int64.self)[0], -2)
    XCTAssertEqual(batch.columns[3].pointer(Int64.self)[0], -125)
    XCTAssertEqual(batch.columns[4].pointer(Int64.self)[1], 7)
    // The file's own type cannot be told: the record contains itself.
    XCTAssertThrowsError(try AvroReader(MemorySource(bytes)))
  }

  private func container(_ schema: String, rows: Int64, _ body: ByteWriter) -> [UInt8] {
    let out = ByteWriter()
    out.append("Obj\u{1}")
    out.appendZigzag(-1)  // a block of entries with its size
    out.appendZigzag(99)
    out.appendZigzag(11)
    out.append("avro.schema")
    out.appendZigzag(Int64(schema.utf8.count))
    out.append(schema)
    out.append(0)
    let sync = [UInt8](repeating: 9, count: 16)
    sync.withUnsafeBytes { out.append($0) }
    out.appendZigzag(rows)
    out.appendZigzag(Int64(body.count))
    out.append(body.bytes)
    sync.withUnsafeBytes { out.append($0) }
    return Array(out.bytes)
  }

  func test_read_endsOnBombs() throws {
    let schema =
      #"{"type":"record","name":"T","fields":[{"name":"a","type":{"type":"array","items":"null"}}]}"#
    for count in [Int64.max, Int64.max / 2, 1 << 40] {
      let body = ByteWriter()
      body.appendZigzag(count)
      body.append(0)
      for name in ["a", "b"] {
        XCTAssertThrowsError(
          try AvroFile.read(
            MemorySource(container(schema, rows: 1, body)),
            as: RowType([(name, .array(.int))])))
      }
    }
    let empty = #"{"type":"record","name":"T","fields":[]}"#
    XCTAssertThrowsError(
      try AvroFile.read(
        MemorySource(container(empty, rows: .max, ByteWriter())), as: RowType([("a", .int)])))
    let loop = #"{"type":"record","name":"T","fields":[{"name":"n","type":["null","T"]}]}"#
    let deep = ByteWriter()
    for _ in 0..<100_000 { deep.append(2) }
    deep.append(0)
    XCTAssertThrowsError(
      try AvroFile.read(
        MemorySource(container(loop, rows: 1, deep)), as: RowType([("a", .int)])))
    let negative = ByteWriter()
    negative.appendZigzag(-5)
    let text = #"{"type":"record","name":"T","fields":[{"name":"a","type":"string"}]}"#
    XCTAssertThrowsError(
      try AvroFile.read(
        MemorySource(container(text, rows: 1, negative)), as: RowType([("a", .string)])))
  }

  /// Named types make much of a short schema: deep chains of them, and records that hold one another twice.
  func test_read_endsOnTypesThatReferToEachOther() throws {
    func record(_ name: String, _ fields: [String]) -> String {
      let members = fields.enumerated().map { #"{"name":"f\#($0.offset)","type":\#($0.element)}"# }
      return #"{"type":"record","name":"\#(name)","fields":[\#(members.joined(separator: ","))]}"#
    }
    let twice = (0..<60).map { n in
      record("R\(n)", n == 0 ? ["\"null\""] : ["\"R\(n - 1)\"", "\"R\(n - 1)\""])
    }
    let one = ByteWriter()
    one.appendZigzag(7)
    let wide = record("T", twice + ["\"long\""])
    let read = try AvroFile.read(
      MemorySource(container(wide, rows: 1, one)), as: RowType([("f60", .bigint)]))
    XCTAssertEqual(read.columns[0].pointer(Int64.self)[0], 7)

    let chain = (0..<50_000).map { n in record("C\(n)", n == 0 ? [] : ["\"C\(n - 1)\""]) }
    let union = "[\"null\",\"string\"," + chain.joined(separator: ",") + "]"
    let body = ByteWriter()
    body.append(0)
    for last in ["\"C49999\"", #"{"type":"array","items":"C49999"}"#] {
      XCTAssertThrowsError(
        try AvroFile.read(
          MemorySource(container(record("T", [union, last]), rows: 1, body)),
          as: RowType([("f0", .string)])))
    }
  }

  func test_read_neverTrapsOnDamage() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var random = RandomRows(seed)
    random.timestampLimit = 6
    for codec in AvroCodec.allCases {
      let type = random.rowType(fields: 6)
      let batch = random.batch(type, rows: 60)
      var options = AvroWriteOptions()
      options.codec = codec
      let good = try write(batch, options)
      let body = Int(good.count / 2)
      for round in 0..<150 {
        var bad = good
        for _ in 0..<(1 + random.below(4)) {
          let at = round % 2 == 0 ? random.below(bad.count) : body + random.below(bad.count - body)
          bad[at] = UInt8(random.below(256))
        }
        if random.below(5) == 0 { bad.removeLast(random.below(bad.count)) }
        _ = try? AvroFile.read(MemorySource(bad), as: type)
        if let reader = try? AvroReader(MemorySource(bad)) {
          while let _ = try? reader.next() {}
        }
      }
    }
  }

  func test_write_throwsOnNullThatMayNotBe() throws {
    let builder = ColumnBuilder(.int)
    builder.appendNull()
    let batch = Batch(RowType([("a", .int.notNull)]), [builder.finish()], count: 1)
    XCTAssertThrowsError(try AvroFile.write(batch, to: MemorySink()))
    let bad = RowType([("a-b", .int)])
    XCTAssertThrowsError(try AvroWriter(MemorySink(), type: bad))
    XCTAssertThrowsError(try AvroWriter(MemorySink(), type: RowType([("t", .timestamp(9))])))
  }
}

enum RandomRowsFixture {
  static func empty(_ type: RowType) -> Batch {
    Batch(type, type.fields.map { ColumnBuilder($0.type).finish() }, count: 0)
  }
}
