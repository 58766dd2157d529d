import Foundation
import XCTest

/// A port on this machine for servers that tests play.
enum TestSocket {
  /// - Returns: a socket that listens, and the port that the system gave it.
  static func listen() -> (socket: Int32, port: Int) {
    let made = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        XCTAssertEqual(bind(made, $0, length), 0)
        Foundation.listen(made, 8)
        return getsockname(made, $0, &length)
      }
    }
    return (made, Int(UInt16(bigEndian: address.sin_port)))
  }
}
