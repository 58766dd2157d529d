import Columns
import Foundation
import XCTest

/// Rows that Java Paimon 0.9 wrote and hashed; see Tests/Fixtures/README.md.
final class BinaryRowVectorTests: XCTestCase {
  private func vectors(_ name: String) throws -> [[String: Any]] {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../Fixtures/vectors/\(name)")
    let json = try JSONSerialization.jsonObject(with: Data(contentsOf: file))
    return try XCTUnwrap(json as? [[String: Any]])
  }

  func test_encoder_agreesWithJavaPaimonOnEveryVector() throws {
    let rows = try vectors("binaryrow_bucket.json")
    XCTAssertGreaterThanOrEqual(rows.count, 190)
    for row in rows {
      let types = try XCTUnwrap(row["types"] as? [String]).map { try DataType(text: $0) }
      let values = try XCTUnwrap(row["values"] as? [Any])
      let columns = zip(types, values).map { type, value in
        let builder = ColumnBuilder(type)
        append(value, builder)
        return builder.finish()
      }
      let binary = BinaryRow(columns, row: 0)
      XCTAssertEqual(hex(binary.bytes), row["binaryRowHex"] as? String, "\(types) \(values)")
      XCTAssertEqual(hex(binary.serialized), row["serializedHex"] as? String)
      let hash = BucketHash.hash(binary)
      XCTAssertEqual(Int(hash), row["hash"] as? Int, "\(types) \(values)")
      for (buckets, bucket) in try XCTUnwrap(row["bucket"] as? [String: Int]) {
        let n = try XCTUnwrap(Int(buckets))
        XCTAssertEqual(BucketHash.bucket(hash, of: n), bucket)
        var found: Int32 = -1
        BucketHash.buckets(columns, count: 1, of: n, into: &found)
        XCTAssertEqual(Int(found), bucket, "\(types) \(values) of \(n)")
      }
    }
  }

  func test_decode_returnsTheValuesOfBothWaysToWriteNulls() throws {
    for row in try vectors("binaryrow_bucket.json") {
      let types = try XCTUnwrap(row["types"] as? [String]).map { try DataType(text: $0) }
      if types.contains(where: { [.list, .map, .row].contains($0.physical) }) { continue }
      let values = try XCTUnwrap(row["values"] as? [Any])
      let expected = zip(types, values).map { type, value in
        let builder = ColumnBuilder(type)
        append(value, builder)
        return builder.finish().scalar(0)
      }
      let forms = [row["binaryRowHex"], row["rowSerializerHex"]].compactMap { $0 as? String }
      for form in forms {
        let prefix = withUnsafeBytes(of: UInt32(types.count).bigEndian) { Array($0) }
        let found = try (prefix + bytes(form)).withUnsafeBytes {
          try BinaryRow.decode(serialized: $0, types)
        }
        for (a, b) in zip(found, expected) { XCTAssertEqual(Scalar.compare(a, b), 0, form) }
      }
    }
  }

  func test_hash_agreesOnBytes() throws {
    for row in try vectors("murmur_bytes.json") {
      guard let expected = row["hashByWords"] as? Int, let text = row["hex"] as? String else {
        continue
      }
      XCTAssertEqual(Int(bytes(text).withUnsafeBytes { BucketHash.hash($0) }), expected, text)
    }
  }

  /// A row cut short or with offsets past its end is refused, never read past.
  func test_decode_refusesDamagedRows() {
    var random = SeededRandom(seed: 3)
    let types: [DataType] = [.int, .string, .decimal(38, 10), .timestamp(9), .bytes, .double]
    var refused = 0
    for _ in 0..<3000 {
      let values = types.map { RandomColumns.scalar($0, &random) }
      var damaged = BinaryRow(values, types).serialized
      if Bool.random(using: &random) {
        damaged.removeLast(Int.random(in: 1...damaged.count, using: &random))
      } else {
        damaged[Int.random(in: 4..<damaged.count, using: &random)] = UInt8.random(
          in: 0...255, using: &random)
      }
      do {
        _ = try damaged.withUnsafeBytes { try BinaryRow.decode(serialized: $0, types) }
      } catch {
        refused += 1
      }
    }
    XCTAssertGreaterThan(refused, 1000)
  }

  private func append(_ value: Any, _ builder: ColumnBuilder) {
    if value is NSNull { return builder.appendNull() }
    switch builder.type.kind {
    case .array:
      for element in value as? [Any] ?? [] { append(element, builder.children[0]) }
      builder.endList()
    case .map:
      for pair in value as? [[Any]] ?? [] {
        append(pair[0], builder.children[0])
        append(pair[1], builder.children[1])
      }
      builder.endList()
    case .row(let fields):
      let members = value as? [String: Any] ?? [:]
      for (field, child) in zip(fields, builder.children) {
        append(members[field.name] ?? NSNull(), child)
      }
      builder.endRow()
    default: builder.append(scalar(value, builder.type))
    }
  }

  private func scalar(_ value: Any, _ type: DataType) -> Scalar {
    let text = value as? String ?? ""
    switch type.kind {
    case .boolean: return .boolean(value as? Bool ?? false)
    case .float: return .float(Float(number(value)))
    case .double: return .double(number(value))
    case .char, .varchar: return .text(text)
    case .binary, .varbinary: return .bytes(bytes(text))
    case .decimal:
      let digits = Int128(text.replacingOccurrences(of: ".", with: "")) ?? 0
      return type.physical == .int64 ? .int(Int64(digits)) : .int128(digits)
    case .date: return .int(Int64(nanos(text + "T00:00:00.0") / 86_400_000_000_000))
    case .time: return .int(Int64(nanos("1970-01-01T" + text) / 1_000_000))
    case .timestamp(let precision), .timestampLTZ(let precision):
      let total = nanos(text.replacingOccurrences(of: "Z", with: ""))
      return precision <= 3
        ? .int(Int64(floorDivide(total, 1_000_000)))
        : precision <= 6 ? .int(Int64(floorDivide(total, 1000))) : .int128(total)
    default: return .int((value as? NSNumber)?.int64Value ?? 0)
    }
  }

  private func number(_ value: Any) -> Double {
    switch value as? String {
    case "NaN": .nan
    case "Infinity": .infinity
    case "-Infinity": -.infinity
    default: (value as? NSNumber)?.doubleValue ?? 0
    }
  }

  /// Nanoseconds since 1970 of yyyy-MM-ddTHH:mm:ss.fff….
  private func nanos(_ text: String) -> Int128 {
    let parts = text.split(separator: ".")
    let format = DateFormatter()
    format.timeZone = TimeZone(secondsFromGMT: 0)
    format.locale = Locale(identifier: "en_US_POSIX")
    format.dateFormat = "yyyy-MM-dd'T'HH:mm:ss"
    let seconds = format.date(from: String(parts[0]))?.timeIntervalSince1970 ?? .nan
    let fraction = parts[1].padding(toLength: 9, withPad: "0", startingAt: 0)
    return Int128(seconds) * 1_000_000_000 + (Int128(fraction) ?? 0)
  }

  private func bytes(_ hex: String) -> [UInt8] {
    stride(from: 0, to: hex.utf8.count, by: 2).map { i in
      let start = hex.index(hex.startIndex, offsetBy: i)
      return UInt8(hex[start..<hex.index(start, offsetBy: 2)], radix: 16) ?? 0
    }
  }

  private func hex(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
