import Columns
import Foundation
import Store
import XCTest

@testable import Connectors

/// Files of text in every packing; the bytes were made by Python's bz2, lzma and zlib.
final class PackedFileTests: XCTestCase {
  /// Two members: rows 1 and 2, then row 3.
  private static let files = [
    "a.json.bz2":
      "QlpoOTFBWSZTWfdpM2kAAAzZgAAQEAQwECYjAAogACEqaNB6jahAAAYkcZvqkQOh4NRQ7/F3JFOFCQ92kzaQQlpoOTFBWSZTWc/Y1PsAAAlZgAAQEAQIEC4jAAogADEAAAp6jRp6mn6oNyT1w7C8YEL4u5IpwoSGfsan2A==",
    "a.json.xz":
      "/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQAceyJpZCI6MSwibmFtZSI6ImEifQp7ImlkIjoyfQoAAAAAmOHsU9rzbfsAATUdRBux4R+2830BAAAAAARZWgAAAAD9N3pYWgAABObWtEYCACEBFgAAAHQv5aMBABN7ImlkIjozLCJuYW1lIjoiYyJ9CgAC1Y1Zeyd1zAABLBT4Cm0DH7bzfQEAAAAABFla",
    "a.json.deflate":
      "eJyrVspMUbIy1FHKS8xNVbJSSlSq5aoGixnVcgEAelQH7nicq1bKTFGyMtZRykvMTVWyUkpWquUCADvLBXM=",
  ]
  private let rows = ["+I[1, a]", "+I[2, NULL]", "+I[3, c]"]

  private func bytes(_ base64: String) throws -> [UInt8] {
    Array(try XCTUnwrap(Data(base64Encoded: base64)))
  }

  private func read(
    _ name: String, _ bytes: [UInt8], _ options: [String: String] = [:]
  ) throws -> [String] {
    let fixture = try FileFixture()
    try fixture.put(name, bytes: bytes)
    return try fixture.read(fixture.table("json", options))
  }

  func test_members_areReadOneAfterAnother() throws {
    for (name, text) in Self.files {
      XCTAssertEqual(try read(name, bytes(text)), rows, name)
      // The bytes tell, where they can.
      if !name.hasSuffix("deflate") { XCTAssertEqual(try read("a", bytes(text)), rows, name) }
    }
    XCTAssertEqual(try read("a.bz2", bytes("QlpoORdyRThQkAAAAAA=")), [])
    XCTAssertEqual(try read("a", Array("BZh91AY is text\n".utf8)).count, 1)
  }

  func test_position_isThatOfTheText() throws {
    for (name, text) in Self.files {
      let fixture = try FileFixture()
      try fixture.put(name, bytes: bytes(text))
      let source = try fixture.open(fixture.table("json"))
      _ = try source.poll(rows: 1, bytes: 1 << 20)
      XCTAssertEqual(
        FileFixture.text(try XCTUnwrap(try source.poll(rows: 1, bytes: 1 << 20))), [rows[0]])
      let next = try fixture.open(fixture.table("json"))
      try next.seek(source.position)
      XCTAssertEqual(try FileFixture.drain(next), Array(rows[1...]), name)
    }
  }

  func test_damage_isOneDeadLetter() throws {
    for (name, text) in Self.files {
      let whole = try bytes(text)
      for cut in [3, 9, whole.count / 2, whole.count - 1] {
        let found = try read(name, Array(whole[..<cut]))
        XCTAssertTrue(found.last?.contains("the packed data ends early") == true, "\(found)")
        XCTAssertLessThanOrEqual(found.count, 4)
      }
      for place in 0..<whole.count {
        var damaged = whole
        damaged[place] ^= 0x5a
        // Whatever it gives, it ends.
        _ = try? read(name, damaged)
      }
      XCTAssertThrowsError(try read(name, Array(whole.dropLast(2)), ["on-error": "fail"]))
      let found = try read(name, whole + Array("garbage".utf8))
      XCTAssertEqual(found.count, 4)
      XCTAssertEqual(found.last?.contains(": the rest of the file is not read"), true, "\(found)")
    }
  }

  func test_file_thatIsStillWrittenIsWaitedFor() throws {
    for (name, text) in Self.files {
      let whole = try bytes(text)
      let fixture = try FileFixture()
      try fixture.put(name, bytes: Array(whole.prefix(whole.count / 2 + 8)))
      let source = try fixture.open(fixture.table("json"))
      let first = try FileFixture.drain(source)
      try fixture.put(name, bytes: whole)
      fixture.time.advance(millis: 2000)
      XCTAssertEqual(first + (try FileFixture.drain(source)), rows, name)
    }
  }

  func test_bombs_areReadPieceByPiece() throws {
    let packed = try bytes(
      "QlpoOTFBWSZTWVy7hbQFVyjZgAAQEAAgEAQgAAogAJAhgQFKobTU2VEoLFUSgtVRKC6qiUFiqJQWqolBeKolBZ2VEoLVUSgvzFBWSZTWTB6IpQAAAFZgAAQEAAgEAQgAAogADEMCAqpoep6lZFeRWIr4u5IpwoSESGlP4A=="
    )
    XCTAssertLessThan(packed.count, 1_000)
    XCTAssertEqual(try read("a", packed).count, 100_000)
    // A dictionary of 512 MB.
    let greedy = try bytes(
      "/Td6WFoAAATm1rRGAgAhASIAAACCQKzcAQAceyJpZCI6MSwibmFtZSI6ImEifQp7ImlkIjoyfQoAAAAAmOHsU9rzbfsAATUdRBux4R+2830BAAAAAARZWg=="
    )
    let found = try read("a", greedy)
    XCTAssertEqual(found.count, 1)
    XCTAssertTrue(found[0].contains("damaged xz data"), found[0])
  }

  func test_otherPackings_areRefusedByName() throws {
    let cases: [(String, [UInt8], String)] = [
      ("a", [4, 0x22, 0x4d, 0x18, 0, 0], "lz4"), ("a.csv.lz4", Array("x".utf8), "lz4"),
      ("a.sz", [], "snappy"), ("a", [0x50, 0x4b, 3, 4], "zip"), ("a.json.br", [1], "brotli"),
    ]
    for (name, bytes, packing) in cases {
      XCTAssertThrowsError(try read(name, bytes + [0x0a])) {
        let error = $0 as? TerraceError
        XCTAssertEqual(error?.kind, .unsupported)
        XCTAssertEqual(error?.message.contains("files packed with \(packing)"), true)
        XCTAssertEqual(error?.facts.contains { $0.name == "file" }, true)
      }
    }
  }
}
