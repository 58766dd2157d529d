/// Bytes as `%` and two hexadecimal digits, as in URLs and folders of partitions.
enum PercentCode {
  /// `%3A` as `:`. A percent sign before anything else stands for itself.
  static func decoded(_ text: some StringProtocol) -> String {
    var bytes: [UInt8] = []
    let given = Array(text.utf8)
    var i = 0
    while i < given.count {
      if given[i] == UInt8(ascii: "%"), i + 2 < given.count,
        let code = UInt8(String(decoding: given[i + 1...i + 2], as: UTF8.self), radix: 16)
      {
        bytes.append(code)
        i += 3
      } else {
        bytes.append(given[i])
        i += 1
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
