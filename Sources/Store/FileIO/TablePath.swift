package import Columns

/// Where the parts of a table lie (Paimon's layout).
package struct TablePath: Hashable, Sendable {
  /// The table's folder.
  package let root: String
  /// Nil on the main branch. A branch has its own schemas, snapshots, tags and consumers, and shares
  /// manifests and data.
  package let branch: String?

  package init(_ root: String, branch: String? = nil) {
    self.root = root
    self.branch = branch == "main" ? nil : branch
  }

  /// Where the metadata of the branch lies.
  package var home: String { branch.map { root + "/branch/branch-" + $0 } ?? root }

  package var schemas: String { home + "/schema" }
  package var snapshots: String { home + "/snapshot" }
  package var changelogs: String { home + "/changelog" }
  package var tags: String { home + "/tag" }
  package var consumers: String { home + "/consumer" }
  package var branches: String { root + "/branch" }
  package var manifests: String { root + "/manifest" }
  package var indexes: String { root + "/index" }
  package var statistics: String { root + "/statistics" }

  package func schema(_ id: Int) -> String { "\(schemas)/schema-\(id)" }
  package func snapshot(_ id: Int64) -> String { "\(snapshots)/snapshot-\(id)" }
  package func changelog(_ id: Int64) -> String { "\(changelogs)/changelog-\(id)" }
  package func tag(_ name: String) -> String { "\(tags)/tag-\(name)" }
  package func consumer(_ id: String) -> String { "\(consumers)/consumer-\(id)" }
  package func manifest(_ name: String) -> String { "\(manifests)/\(name)" }

  /// - Parameter partition: the escaped partition path, "" for none, such as `dt=2026-01-01/`.
  package func bucket(_ bucket: Int, partition: String) -> String {
    root + "/" + partition + (bucket == -2 ? "bucket-postpone" : "bucket-\(bucket)")
  }
}

/// Refuses what is no plain file name: a name from metadata must not lead out of its folder.
///
/// - Parameter what: what the name is of, for the error.
package func checkFileName(_ name: String, _ what: String) throws(TerraceError) {
  let bytes = name.utf8
  let isPlain =
    !bytes.isEmpty && bytes.count <= 255 && name != "." && name != ".."
    && !bytes.contains { $0 == 0 || $0 == UInt8(ascii: "/") }
  if !isPlain {
    throw TerraceError(.corrupted, "the \(what) is not a file name").with("name", shown(name))
  }
}

/// A name from outside as it may be shown in a message: no control characters, not too long.
package func shown(_ name: String) -> String {
  var text = ""
  for scalar in name.unicodeScalars.prefix(80) {
    if scalar.value < 0x20 || scalar.value == 0x7f {
      text += "\\u{" + String(scalar.value, radix: 16) + "}"
    } else {
      text.unicodeScalars.append(scalar)
    }
  }
  return "'" + text + (name.unicodeScalars.count > 80 ? "…'" : "'")
}
