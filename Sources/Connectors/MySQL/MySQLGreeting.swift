import Columns
import Glibc

/// What a server says before anybody logs in: looked at by a connection of its own, since the library sends
/// user and password to a server without TLS before it looks whether there is TLS.
enum MySQLGreeting {
  /// CLIENT_SSL of the protocol.
  private static let offersTLS: UInt16 = 0x800

  /// Whether the server offers TLS; nil when it says nothing that tells.
  static func hasTLS(_ settings: MySQLConnection.Settings) -> Bool? {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(settings.host, String(settings.port), &hints, &found) == 0 else { return nil }
    defer { freeaddrinfo(found) }
    var next = found
    while let address = next {
      if let greeting = greeting(address.pointee, seconds: settings.connectSeconds) {
        return hasTLS(greeting)
      }
      next = address.pointee.ai_next
    }
    return nil
  }

  /// Of a greeting's packet (protocol 10): version up to a zero, thread, salt of eight, a zero, capabilities.
  static func hasTLS(_ packet: [UInt8]) -> Bool? {
    guard packet.count > 5, packet[4] == 10,
      let end = packet[5...].firstIndex(of: 0), packet.count >= end + 16
    else { return nil }
    return (UInt16(packet[end + 14]) | UInt16(packet[end + 15]) << 8) & offersTLS != 0
  }

  private static func greeting(_ address: addrinfo, seconds: Int) -> [UInt8]? {
    let descriptor = socket(
      address.ai_family, address.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), address.ai_protocol)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var wait = timeval(tv_sec: min(max(seconds, 1), 600), tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      setsockopt(
        descriptor, SOL_SOCKET, option, &wait, socklen_t(MemoryLayout<timeval>.size))
    }
    guard connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 else { return nil }
    var packet = [UInt8](repeating: 0, count: 512)
    var count = 0
    while count < packet.count {
      let got = packet.withUnsafeMutableBytes { all in
        let rest = UnsafeMutableRawBufferPointer(rebasing: all[count...])
        return recv(descriptor, rest.baseAddress, rest.count, 0)
      }
      if got <= 0 { break }
      count += got
      let length = count < 4 ? 4 : 4 + Int(packet[0]) + Int(packet[1]) << 8 + Int(packet[2]) << 16
      if count >= length { break }
    }
    return Array(packet.prefix(count))
  }
}
