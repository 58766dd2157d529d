import Columns
import Formats
import Glibc

/// Records that are one value each, as it is: text in some charset, bytes, or a number of fixed width.
///
/// A message that is not there is null. In files a record is a line.
final class RawDecoder: RecordDecoder {
  private let field: Field
  private let isLittleEndian: Bool
  private let charset: Charset?

  init(_ format: RecordFormat, _ type: RowType) throws(TerraceError) {
    field = type.fields[0]
    isLittleEndian = format.isLittleEndian
    charset = try field.type.isText ? Charset(format.charset, isDecoding: true) : nil
  }

  func decode(_ text: RecordText) throws(TerraceError) -> DecodedRecords {
    let spans: [TextSpan]
    var consumed = 0
    var lines = 0
    switch text.shape {
    case .messages(let messages): spans = messages
    case .lines(_, let rows):
      var found: [TextSpan] = []
      while found.count < rows, consumed < text.count,
        let hit = memchr(text.bytes + consumed, 0x0a, text.count - consumed)
      {
        let end = UnsafeRawPointer(hit) - UnsafeRawPointer(text.bytes)
        let hasReturn = field.type.isText && end > consumed && text.bytes[end - 1] == 0x0d
        found.append(TextSpan(start: consumed, count: end - consumed - (hasReturn ? 1 : 0)))
        consumed = end + 1
        lines += 1
      }
      spans = found
    }
    let builder = ColumnBuilder(field.type, capacity: spans.count)
    var rejects: [RejectedLine] = []
    var messages: [Int32] = []
    for (number, span) in spans.enumerated() {
      let bytes = UnsafeRawBufferPointer(start: text.bytes + span.start, count: max(span.count, 0))
      if let reason = append(bytes, isNone: span.isNone, to: builder) {
        rejects.append(
          RejectedLine(
            row: builder.count, line: number, range: span.start..<span.start + bytes.count,
            reason: reason))
      } else {
        messages.append(Int32(truncatingIfNeeded: number))
      }
    }
    return DecodedRecords(
      columns: [builder.finish()], count: messages.count, kinds: nil, rejects: rejects,
      consumed: consumed, lines: lines, messages: messages)
  }

  /// Nil, or why it is no value.
  private func append(
    _ bytes: UnsafeRawBufferPointer, isNone: Bool, to builder: ColumnBuilder
  ) -> String? {
    if isNone {
      if !field.type.isNullable { return "null in a column that may not be null" }
      builder.appendNull()
      return nil
    }
    switch field.type.kind {
    case .char, .varchar:
      let text: [UInt8]?
      if let charset, !charset.isUTF8 { text = charset.convert(bytes) } else { text = nil }
      if let charset, !charset.isUTF8, text == nil { return "not text in \(charset.name)" }
      return (text ?? Array(bytes)).withUnsafeBytes { utf8 in
        if !UTF8Text.isValid(utf8) { return "text that is not UTF-8" }
        builder.append(bytes: utf8)
        return nil
      }
    case .binary, .varbinary:
      builder.append(bytes: bytes)
      return nil
    default:
      let width = RecordFormat.rawWidth(field.type)
      if bytes.count != width { return "\(bytes.count) bytes where \(width) make a value" }
      append(number: bytes, to: builder)
      return nil
    }
  }

  private func append(number bytes: UnsafeRawBufferPointer, to builder: ColumnBuilder) {
    var bits: UInt64 = 0
    for i in 0..<bytes.count {
      bits = bits << 8 | UInt64(isLittleEndian ? bytes[bytes.count - 1 - i] : bytes[i])
    }
    switch field.type.kind {
    case .boolean: builder.append(UInt8(bits == 0 ? 0 : 1))
    case .float: builder.append(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
    case .double: builder.append(Double(bitPattern: bits))
    case .tinyint: builder.append(Int8(truncatingIfNeeded: bits))
    case .smallint: builder.append(Int16(truncatingIfNeeded: bits))
    case .int: builder.append(Int32(truncatingIfNeeded: bits))
    default: builder.append(Int64(truncatingIfNeeded: bits))
    }
  }
}

/// A charset of the system's, to and from UTF-8.
final class Charset {
  let name: String
  let isUTF8: Bool
  private let handle: iconv_t
  /// Text of UTF-16 may begin with a mark that says the order of its bytes.
  private let mayHaveMark: Bool

  init(_ name: String, isDecoding: Bool) throws(TerraceError) {
    self.name = name
    mayHaveMark = isDecoding && name.uppercased() == "UTF-16"
    isUTF8 = ["utf-8", "utf8"].contains(name.lowercased())
    // Java's UTF-16 is big-endian without a mark; the system's would be the machine's.
    let known = name.uppercased() == "UTF-16" && !isDecoding ? "UTF-16BE" : name
    let opened = isDecoding ? iconv_open("UTF-8", known) : iconv_open(known, "UTF-8")
    guard let opened, Int(bitPattern: opened) != -1 else {
      throw TerraceError(.invalid, "an unknown charset", hint: "UTF-8, ISO-8859-1, GBK, …")
        .with("charset", name)
    }
    handle = opened
  }

  deinit { iconv_close(handle) }

  /// Nil when the bytes are not of the charset, or have no place in it.
  func convert(_ bytes: UnsafeRawBufferPointer) -> [UInt8]? {
    if bytes.isEmpty { return [] }
    _ = iconv(handle, nil, nil, nil, nil)
    var source = bytes.map { CChar(bitPattern: $0) }
    let hasMark = bytes.starts(with: [0xfe, 0xff]) || bytes.starts(with: [0xff, 0xfe])
    if mayHaveMark, !hasMark { source = [CChar(bitPattern: 0xfe), -1] + source }
    var target = [CChar](repeating: 0, count: bytes.count * 4 + 16)
    let made = source.withUnsafeMutableBufferPointer { from in
      target.withUnsafeMutableBufferPointer { to -> Int? in
        var (input, left) = (from.baseAddress, from.count)
        var (output, room) = (to.baseAddress, to.count)
        if iconv(handle, &input, &left, &output, &room) == UInt(bitPattern: -1) { return nil }
        return left == 0 ? to.count - room : nil
      }
    }
    return made.map { target[0..<$0].map { UInt8(bitPattern: $0) } }
  }
}
