import Columns
import XCTest

@testable import Formats

final class CompressionTests: XCTestCase {
  private func samples() -> [[UInt8]] {
    var random = SystemRandomNumberGenerator()
    let noise = (0..<5000).map { _ in UInt8.random(in: 0...255, using: &random) }
    return [[], [7], Array(repeating: 65, count: 100_000), noise]
  }

  func test_decompress_returnsWhatWasCompressed() throws {
    let compressor = Compressor(level: 3)
    let decompressor = Decompressor()
    for codec in Codec.allCases {
      for sample in samples() {
        let target = Buffer(byteCount: sample.count)
        try sample.withUnsafeBytes { bytes in
          let packed = try compressor.compress(codec, bytes)
          try decompressor.decompress(
            codec, packed,
            into: UnsafeMutableRawBufferPointer(start: target.base, count: sample.count))
          if codec == .zstd || codec == .snappy {
            let grown = try decompressor.decompress(codec, packed, limit: 100_000)
            XCTAssertEqual(Array(grown.bytes), sample)
          }
        }
        XCTAssertEqual(Array(target.bytes), sample, "\(codec)")
      }
    }
  }

  func test_inflateRaw_returnsWhatWasDeflated() throws {
    let compressor = Compressor(level: 6)
    for sample in samples() {
      try sample.withUnsafeBytes { bytes in
        let packed = try compressor.deflateRaw(bytes)
        let out = try Decompressor().inflateRaw(packed, limit: 100_000)
        XCTAssertEqual(Array(out.bytes), sample)
        if sample.count > 10 {
          XCTAssertThrowsError(try Decompressor().inflateRaw(packed, limit: sample.count - 1))
        }
      }
    }
  }

  func test_decompress_throwsWhenTheSizeIsAnother() throws {
    let compressor = Compressor()
    let sample = Array("hello hello hello hello hello".utf8)
    for codec in Codec.allCases {
      for size in [sample.count - 1, sample.count + 1, 0] {
        let target = Buffer(byteCount: size)
        XCTAssertThrowsError(
          try sample.withUnsafeBytes { bytes in
            try Decompressor().decompress(
              codec, try compressor.compress(codec, bytes),
              into: UnsafeMutableRawBufferPointer(start: target.base, count: size))
          }, "\(codec) \(size)")
      }
    }
  }

  func test_decompress_neverTrapsOnDamage() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededRandom(seed)
    let compressor = Compressor()
    let sample = (0..<2000).map { UInt8(truncatingIfNeeded: $0 / 7) }
    for codec in [Codec.snappy, .gzip, .lz4, .zstd] {
      let packed = try sample.withUnsafeBytes { Array(try compressor.compress(codec, $0)) }
      for _ in 0..<300 {
        var bad = packed
        for _ in 0..<3 { bad[Int(random.next() % UInt64(bad.count))] = UInt8(random.next() & 255) }
        bad.removeLast(Int(random.next() % 4))
        let target = Buffer(byteCount: sample.count)
        bad.withUnsafeBytes { bytes in
          try? Decompressor().decompress(
            codec, bytes,
            into: UnsafeMutableRawBufferPointer(start: target.base, count: sample.count))
          _ = try? Decompressor().decompress(codec, bytes, limit: 10_000)
        }
      }
    }
  }

  func test_readVarint_throwsWhenTooLong() throws {
    let bytes = [UInt8](repeating: 0xff, count: 12)
    try bytes.withUnsafeBytes { raw in
      var cursor = ByteCursor(raw)
      XCTAssertThrowsError(try cursor.readVarint())
    }
    let writer = ByteWriter()
    for value in [0, 1, -1, 63, -64, 64, Int64.max, Int64.min] { writer.appendZigzag(value) }
    var cursor = ByteCursor(writer.bytes)
    for value in [0, 1, -1, 63, -64, 64, Int64.max, Int64.min] {
      XCTAssertEqual(try cursor.readZigzag(), value)
    }
    XCTAssert(cursor.isAtEnd)
    XCTAssertThrowsError(try cursor.readZigzag())
  }
}

/// SplitMix64: random tests print its seed, so that a failure can be run again.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
