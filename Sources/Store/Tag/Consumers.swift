package import Columns
import Formats

/// Readers that keep their place in a table: snapshots from there on are not expired.
package struct Consumers: Sendable {
  package let path: TablePath
  private let environment: Environment

  package init(_ path: TablePath, _ environment: Environment) {
    self.path = path
    self.environment = environment
  }

  /// Next snapshots to be read, by consumer.
  package func list() throws(TerraceError) -> [(id: String, next: Int64)] {
    var found: [(String, Int64)] = []
    for file in try environment.files.list(path.consumers) where file.hasPrefix("consumer-") {
      let id = String(file.dropFirst(9))
      if let next = try read(id) { found.append((id, next)) }
    }
    return found
  }

  package func find(_ id: String) throws(TerraceError) -> Int64? {
    try Tag.checkName(id, "consumer")
    return try read(id)
  }

  private func read(_ id: String) throws(TerraceError) -> Int64? {
    let file = path.consumer(id)
    guard let bytes = try environment.files.readSmall(file) else { return nil }
    do {
      return try parseJSON(bytes).int("nextSnapshot")
    } catch {
      throw error.with("file", file)
    }
  }

  /// The least of all; nil without consumers.
  package func minNext() throws(TerraceError) -> Int64? { try list().map(\.next).min() }

  /// Puts a consumer at a snapshot, which need not exist yet.
  package func set(_ id: String, next: Int64) throws(TerraceError) {
    try Tag.checkName(id, "consumer")
    guard next > 0 else {
      throw TerraceError(.invalid, "snapshots count from 1").with("next", next)
    }
    try environment.files.makeDirectories(path.consumers)
    let json = JSONValue.members([("nextSnapshot", .int(next))])
    try environment.files.replace(
      path.consumer(id), with: Array(json.text(pretty: true).utf8), durable: true)
  }

  /// - Returns: false when there was none.
  @discardableResult package func delete(_ id: String) throws(TerraceError) -> Bool {
    try Tag.checkName(id, "consumer")
    return try environment.files.delete(path.consumer(id))
  }

  /// Removes consumers that did not move for `consumer.expiration-time`.
  package func expire() throws(TerraceError) -> [String] {
    let options = try SchemaDirectory(path, environment).latest().options
    guard let kept = try options.consumerExpirationMillis else { return [] }
    let now = environment.time.nowMillis()
    var gone: [String] = []
    for (id, _) in try list() {
      guard let status = try environment.files.status(path.consumer(id)) else { continue }
      if status.modifiedMillis.addingClamped(kept) < now, try delete(id) { gone.append(id) }
    }
    return gone
  }
}
