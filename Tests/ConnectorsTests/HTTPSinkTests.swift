import Columns
import Foundation
import Store
import XCTest

@testable import Connectors

final class HTTPSinkTests: XCTestCase {
  /// Answers requests with given statuses, in a thread of its own; keeps what it was sent.
  final class Server: @unchecked Sendable {
    let port: Int
    private let socket: Int32
    private let lock = NSLock()
    private var kept: [String] = []
    private var statuses: [Int]

    var requests: [String] { lock.withLock { kept } }

    init(_ statuses: [Int]) {
      self.statuses = statuses
      (socket, port) = TestSocket.listen()
      Thread.detachNewThread { [self] in serve() }
    }

    private func serve() {
      while true {
        let connection = accept(socket, nil, nil)
        if connection < 0 { return }
        var text = ""
        var bytes = [UInt8](repeating: 0, count: 65536)
        while true {
          let count = read(connection, &bytes, bytes.count)
          if count <= 0 { break }
          text += String(decoding: bytes[..<count], as: UTF8.self)
          guard let head = text.firstRange(of: "\r\n\r\n") else { continue }
          let length = text.split(separator: "\r\n").first {
            $0.lowercased().hasPrefix("content-length:")
          }.flatMap { Int($0.split(separator: " ").last ?? "") }
          if text[head.upperBound...].utf8.count >= length ?? 0 { break }
        }
        let status = lock.withLock {
          kept.append(text)
          return statuses.isEmpty ? 200 : statuses.removeFirst()
        }
        let answer =
          "HTTP/1.1 \(status) X\r\nContent-Length: 4\r\nConnection: close\r\n\r\nwhat"
        _ = answer.utf8CString.withUnsafeBytes { write(connection, $0.baseAddress, $0.count - 1) }
        close(connection)
      }
    }

    deinit { close(socket) }
  }

  private func table(_ server: Server, _ options: [String: String] = [:]) -> ConnectorTable {
    var all = [
      "connector": "http", "url": "http://127.0.0.1:\(server.port)/rows", "format": "json",
      "http.header.Authorization": "Bearer hush", "http.retry-delay": "1 ms",
    ]
    all.merge(options) { $1 }
    return ConnectorTable(name: "t", type: RowType([("id", .bigint)]), options: all, folder: "/")
  }

  private func rows(_ ids: Range<Int64>) -> Batch {
    let builder = ColumnBuilder(.bigint)
    for id in ids { builder.append(id) }
    return Batch(RowType([("id", .bigint)]), [builder.finish()], count: ids.count)
  }

  func test_write_sendsBatchesWithKeysAndHeaders() throws {
    let server = Server([])
    let sink = try Connectors.sink(
      table(server, ["http.batch.rows": "2", "http.body": "array"]), Environment())
    XCTAssertEqual(try sink.recover("4"), .complete)
    try sink.write(rows(0..<3), kinds: nil)
    XCTAssertEqual(try sink.prepare(epoch: 5), "5")
    let requests = server.requests
    XCTAssertEqual(requests.count, 2)
    XCTAssert(requests[0].hasSuffix(#"[{"id":0},{"id":1}]"#), requests[0])
    XCTAssert(requests[1].hasSuffix(#"[{"id":2}]"#), requests[1])
    XCTAssert(requests[0].contains("POST /rows"))
    XCTAssert(requests[0].contains("Authorization: Bearer hush"))
    XCTAssert(requests[0].contains("Idempotency-Key: t-5-0-"), requests[0])
    XCTAssert(requests[1].contains("Idempotency-Key: t-5-1-"), requests[1])
  }

  func test_write_triesAgainWithTheSameKey() throws {
    let server = Server([503, 429, 200])
    let sink = try Connectors.sink(table(server), Environment())
    try sink.write(rows(0..<1), kinds: nil)
    _ = try sink.prepare(epoch: 1)
    let keys = server.requests.compactMap { request in
      request.split(separator: "\r\n").first { $0.hasPrefix("Idempotency-Key") }
    }
    XCTAssertEqual(keys.count, 3)
    XCTAssertEqual(Set(keys).count, 1)
  }

  func test_write_failsWhenRefused() throws {
    for (status, kind) in [(400, TerraceError.Kind.invalid), (302, .invalid), (500, .unavailable)] {
      let server = Server([status, status])
      let sink = try Connectors.sink(table(server, ["http.retries": "1"]), Environment())
      try sink.write(rows(0..<1), kinds: nil)
      XCTAssertThrowsError(try sink.prepare(epoch: 1)) { error in
        XCTAssertEqual((error as? TerraceError)?.kind, kind, "\(status)")
        XCTAssertFalse("\(error)".contains("hush"), "\(error)")
      }
      XCTAssertEqual(server.requests.count, status == 500 ? 2 : 1)
    }
  }

  func test_options_areChecked() throws {
    let server = Server([])
    for options in [
      ["url": "ftp://x"], ["http.header.A": "x\r\nB: y"], ["http.header.A B": "x"],
      ["format": "parquet"], ["http.batch.rows": "0"], ["format": "csv", "http.body": "array"],
      ["http.unknown": "1"], ["sslrootcert": "no/such.pem"],
    ] {
      XCTAssertThrowsError(
        try Connectors.sink(table(server, options), Environment()), "\(options)")
    }
  }
}
