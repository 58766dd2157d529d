package import Columns

/// What is cleared away after commits: snapshots, tags and consumers whose time is over.
///
/// Never part of a commit: when it fails, what was committed stays committed.
package struct Maintenance {
  package struct Outcome: Sendable {
    package var files = Expiration.Outcome()
    package var tags = 0
    package var consumers = 0
  }

  private let path: TablePath
  private let environment: Environment

  package init(_ path: TablePath, _ environment: Environment) {
    self.path = path
    self.environment = environment
  }

  /// Clears away what the policy and the table's options let go.
  package func run(
    _ policy: Expiration.Policy = Expiration.Policy()
  ) throws(TerraceError) -> Outcome {
    var outcome = Outcome()
    // Tags and consumers first: what they kept may go with the snapshots.
    outcome.tags = try TagDirectory(path, environment).expire().count
    outcome.consumers = try Consumers(path, environment).expire().count
    outcome.files = try Expiration(path, environment).run(policy)
    return outcome
  }
}

extension Table {
  /// What a writer does after its commits, unless the table is `write-only`.
  ///
  /// - Returns: why it failed, for the caller to tell; nil when all is well.
  package func maintain() -> TerraceError? {
    do throws(TerraceError) {
      if try !schema.options.writeOnly { _ = try Maintenance(path, environment).run() }
      return nil
    } catch {
      return error
    }
  }
}
