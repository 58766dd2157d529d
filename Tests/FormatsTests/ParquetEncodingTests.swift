import Columns
import XCTest

@testable import Formats

final class ParquetEncodingTests: XCTestCase {
  private func random() -> SeededRandom {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("Parquet encodings, seed \(seed)")
    return SeededRandom(seed)
  }

  func test_hybrid_returnsWhatWasEncoded() throws {
    var random = random()
    for width in 0...32 {
      for _ in 0..<6 {
        let count = random.below(600)
        let most = UInt64(1) << UInt64(width)
        var values: [UInt32] = []
        while values.count < count {
          let value = UInt32(truncatingIfNeeded: random.next() % most)
          values += Array(repeating: value, count: random.chance(0.2) ? 1 + random.below(40) : 1)
        }
        let out = ByteWriter()
        values.withUnsafeBufferPointer {
          if let base = $0.baseAddress {
            ParquetHybridEncoder.encode(base, values.count, width: width, into: out)
          }
        }
        var decoder = ParquetHybridDecoder(out.bytes, width: width)
        var found = [UInt32](repeating: 0, count: values.count)
        var at = 0
        while at < values.count {
          let n = min(values.count - at, 1 + random.below(100))
          try found.withUnsafeMutableBufferPointer {
            if let base = $0.baseAddress { try decoder.decode(n, into: base + at) }
          }
          at += n
        }
        XCTAssertEqual(found, values, "width \(width)")
        withExtendedLifetime(out) {}
      }
    }
  }

  func test_delta_returnsWhatWasEncoded() throws {
    var random = random()
    for narrow in [false, true] {
      for bits in stride(from: 0, through: narrow ? 32 : 64, by: 4) {
        let count = 1 + random.below(700)
        let values = (0..<count).map { _ -> Int64 in
          let value = bits == 0 ? 5 : Int64(bitPattern: random.next() >> UInt64(64 - bits))
          return narrow ? Int64(Int32(truncatingIfNeeded: value)) : value
        }
        let out = ByteWriter()
        values.withUnsafeBufferPointer {
          if let base = $0.baseAddress {
            ParquetDeltaEncoder.encode(base, count, narrow: narrow, into: out)
          }
        }
        var walker = try ParquetDeltaDecoder(out.bytes)
        XCTAssertEqual(try walker.skipToEnd(), out.count)
        var decoder = try ParquetDeltaDecoder(out.bytes)
        var found = [Int64](repeating: 0, count: count)
        var at = 0
        while at < count {
          let n = min(count - at, 1 + random.below(200))
          if narrow {
            var part = [Int32](repeating: 0, count: n)
            try part.withUnsafeMutableBufferPointer {
              if let base = $0.baseAddress { try decoder.decode(n, into: base) }
            }
            for (i, value) in part.enumerated() { found[at + i] = Int64(value) }
          } else {
            try found.withUnsafeMutableBufferPointer {
              if let base = $0.baseAddress { try decoder.decode(n, into: base + at) }
            }
          }
          at += n
        }
        XCTAssertEqual(found, values, "narrow \(narrow) bits \(bits)")
      }
    }
  }

  func test_hash_agreesWithXxHash() {
    func hash(_ text: String) -> UInt64 {
      Array(text.utf8).withUnsafeBytes { ParquetBloomFilter.hash($0) }
    }
    XCTAssertEqual(hash(""), 0xef46_db37_51d8_e999)
    XCTAssertEqual(hash("a"), 0xd24e_c4f1_a98c_6e5b)
    XCTAssertEqual(hash("abc"), 0x44bc_2cf5_ad77_0999)
    XCTAssertEqual(hash("Nobody inspects the spammish repetition"), 0xfbce_a83c_8a37_8bf1)
  }

  func test_half_converts() {
    XCTAssertEqual(ParquetConverter.half(0x3c00), 1)
    XCTAssertEqual(ParquetConverter.half(0xc000), -2)
    XCTAssertEqual(ParquetConverter.half(0x7bff), 65504)
    XCTAssertEqual(ParquetConverter.half(0x0001), 0x1p-24)
    XCTAssertEqual(ParquetConverter.half(0x7c00), .infinity)
    XCTAssertTrue(ParquetConverter.half(0x7e00).isNaN)
  }

  func test_thrift_skipsWhatItDoesNotKnow() throws {
    let out = ByteWriter()
    var writer = ThriftWriter(out)
    writer.element { w in
      w.bool(1, true)
      w.list(2, of: .i64, count: 20)
      for i in 0..<20 { w.element(i << 40) }
      w.structure(30) { w in w.text(4, "inner") }
      w.binary(300, [1, 2, 3])
      w.i32(301, -5)
    }
    var reader = ThriftReader(out.bytes)
    var last = 0
    try reader.fields { r, id, kind throws(TerraceError) in
      if id == 301 { last = try r.int(kind) } else { try r.skip(kind) }
    }
    XCTAssertEqual(last, -5)
    XCTAssertEqual(reader.consumed, out.count)
  }
}
