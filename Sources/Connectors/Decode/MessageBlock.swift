import Columns
import Formats
import Glibc

/// Messages that are decoded together: the bytes of their values and keys, one after another.
final class MessageBlock {
  private var values = ByteWriter(capacity: 1 << 16)
  private var keys = ByteWriter(capacity: 1 << 12)
  /// Missing values are tombstones.
  private(set) var valueSpans: [TextSpan] = []
  private(set) var keySpans: [TextSpan] = []

  var count: Int { valueSpans.count }
  /// Bytes of all values and keys.
  var byteCount: Int { values.count + keys.count }

  /// Appends a message; its bytes are copied. Nil is a value or key that is not there.
  func append(value: UnsafeRawBufferPointer?, key: UnsafeRawBufferPointer?) {
    valueSpans.append(Self.append(value, to: values))
    keySpans.append(Self.append(key, to: keys))
  }

  private static func append(_ bytes: UnsafeRawBufferPointer?, to out: ByteWriter) -> TextSpan {
    guard let bytes else { return TextSpan(start: out.count, count: -1) }
    let span = TextSpan(start: out.count, count: bytes.count)
    out.append(bytes)
    // Parsers run up to it, and look for no other end.
    out.append(0x0a)
    return span
  }

  func removeAll() {
    values.removeAll()
    keys.removeAll()
    valueSpans.removeAll(keepingCapacity: true)
    keySpans.removeAll(keepingCapacity: true)
  }

  /// The bytes of a value as they came; empty for a tombstone.
  func value(_ message: Int) -> [UInt8] {
    let span = valueSpans[message]
    return span.isNone ? [] : Array(values.bytes[span.start..<span.start + span.count])
  }

  func key(_ message: Int) -> [UInt8] {
    let span = keySpans[message]
    return span.isNone ? [] : Array(keys.bytes[span.start..<span.start + span.count])
  }

  /// Hands over the values, or the keys, as text. The memory is the block's.
  ///
  /// - Parameter isJSON: line ends inside are taken out, since JSON's parser takes one for the end.
  func withText<R>(
    keys isKeys: Bool, isJSON: Bool, _ body: (RecordText) throws(TerraceError) -> R
  ) throws(TerraceError) -> R {
    let writer = isKeys ? keys : values
    var spans = isKeys ? keySpans : valueSpans
    if isJSON { Self.flatten(writer, &spans) }
    defer { withExtendedLifetime(self) {} }
    return try body(
      RecordText(
        bytes: UnsafePointer(writer.base.assumingMemoryBound(to: UInt8.self)), count: writer.count,
        shape: .messages(spans)))
  }

  /// Messages of several lines are copied to the end with spaces for their line ends; inside a string one
  /// becomes another control character, which is refused there too. Byte order marks are passed over.
  private static func flatten(_ writer: ByteWriter, _ spans: inout [TextSpan]) {
    for i in spans.indices where spans[i].count > 0 {
      var span = spans[i]
      var base = writer.base + span.start
      if span.count >= 3, base.load(as: UInt8.self) == 0xef,
        base.load(fromByteOffset: 1, as: UInt8.self) == 0xbb,
        base.load(fromByteOffset: 2, as: UInt8.self) == 0xbf
      {
        span.start += 3
        span.count -= 3
        base += 3
        spans[i] = span
      }
      if memchr(base, 0x0a, span.count) == nil { continue }
      writer.reserve(span.count + 1)
      let source = writer.base + span.start
      let copy = TextSpan(start: writer.count, count: span.count)
      var isInside = false
      var isEscaped = false
      for k in 0..<span.count {
        var byte = source.load(fromByteOffset: k, as: UInt8.self)
        if isEscaped {
          isEscaped = false
        } else if byte == UInt8(ascii: "\"") {
          isInside.toggle()
        } else if isInside, byte == UInt8(ascii: "\\") {
          isEscaped = true
        }
        if byte == 0x0a { byte = isInside ? 0x01 : 0x20 }
        writer.append(byte)
      }
      writer.append(0x0a)
      spans[i] = copy
    }
  }
}
