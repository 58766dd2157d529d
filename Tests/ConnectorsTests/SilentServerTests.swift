import Columns
import Foundation
import XCTest

@testable import Connectors

/// Servers that let one in, stay connected, and say nothing more.
final class SilentServerTests: XCTestCase {
  private final class Server: @unchecked Sendable {
    let port: Int
    private let socket: Int32
    private let isFirst: Bool
    private let greeting: [[UInt8]]

    /// - Parameters:
    ///   - greeting: what is sent, each piece behind something that has come.
    ///   - isFirst: the server speaks first.
    init(_ greeting: [[UInt8]], isFirst: Bool) {
      (self.greeting, self.isFirst) = (greeting, isFirst)
      (socket, port) = TestSocket.listen()
      Thread.detachNewThread { [self] in serve() }
    }

    private func serve() {
      let connection = accept(socket, nil, nil)
      if connection < 0 { return }
      var bytes = [UInt8](repeating: 0, count: 4096)
      for (i, piece) in greeting.enumerated() {
        if i > 0 || !isFirst, read(connection, &bytes, bytes.count) <= 0 { return }
        _ = write(connection, piece, piece.count)
      }
      // Until the other side has had enough.
      while read(connection, &bytes, bytes.count) > 0 {}
      close(connection)
      close(socket)
    }
  }

  private func postgres(_ seconds: Int, _ cut: ConnectionCut?) throws -> PostgresConnection {
    let ok: [UInt8] = [0x52, 0, 0, 0, 8, 0, 0, 0, 0, 0x5a, 0, 0, 0, 5, 0x49]
    let server = Server([ok], isFirst: false)
    let settings = PostgresConnection.Settings(
      host: "127.0.0.1", port: server.port, database: "d", user: "u",
      tls: ["sslmode": "disable", "gssencmode": "disable"])
    return try PostgresConnection(settings, quietSeconds: seconds, cut: cut)
  }

  private func mysql(_ seconds: Int, _ cut: ConnectionCut?) throws -> MySQLConnection {
    let name = Array("mysql_native_password".utf8)
    let hello =
      [10] + Array("8.0.30".utf8) + [0, 1, 0, 0, 0] + Array("abcdefgh".utf8)
      + [0, 1, 0x82, 45, 2, 0, 8, 0, 21] + [UInt8](repeating: 0, count: 10)
      + Array("ijklmnopqrst".utf8) + [0] + name + [0]
    let ok: [UInt8] = [7, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0]
    let server = Server([[UInt8(hello.count), 0, 0, 0] + hello, ok], isFirst: true)
    let settings = MySQLConnection.Settings(host: "127.0.0.1", port: server.port, user: "u")
    return try MySQLConnection(settings, readSeconds: seconds, cut: cut)
  }

  private func check(
    _ words: String, line: UInt = #line, _ body: () throws -> Void
  ) {
    XCTAssertThrowsError(try body(), line: line) { error in
      let error = error as? TerraceError
      XCTAssertEqual(error?.kind, .unavailable, line: line)
      XCTAssertTrue(error?.message.contains(words) ?? false, "\(error as Any)", line: line)
    }
  }

  func test_query_failsWhenPostgresSaysNothing() throws {
    let connection = try postgres(1, nil)
    check("sent nothing for 1 s") { try connection.query("SELECT 1") }
    XCTAssertTrue(connection.isBroken)
    let other = try postgres(1, nil)
    check("sent nothing for 1 s") { try other.query("SELECT $1::int", ["1"]) }
  }

  func test_query_endsWhenPostgresIsCut() throws {
    let cut = ConnectionCut()
    let connection = try postgres(3_600, cut)
    Thread.detachNewThread { cut.cut() }
    check("the run was stopped") { try connection.query("SELECT 1") }
  }

  func test_awaitPacket_failsWhenMySQLSaysNothing() throws {
    let connection = try mysql(1, nil)
    var count = 0
    check("sent nothing for 1 s") {
      while try !connection.awaitPacket(millis: 50) { count += 1 }
    }
    XCTAssertEqual(count, 19)
    XCTAssertTrue(connection.isBroken && connection.isQuiet)
  }

  func test_query_endsWhenMySQLIsCut() throws {
    let cut = ConnectionCut()
    let connection = try mysql(3_600, cut)
    Thread.detachNewThread { cut.cut() }
    XCTAssertThrowsError(try connection.query("SELECT 1")) {
      XCTAssertEqual(($0 as? TerraceError)?.kind, .unavailable)
    }
    // One that is made when all has ended is cut, too.
    let late = try mysql(3_600, cut)
    XCTAssertThrowsError(try late.query("SELECT 1"))
  }
}
