/// What a file is for, told by its name and folder. Counters and faults are kept by role.
package enum FileRole: String, CaseIterable, Sendable {
  case data, changelog, manifest, snapshot, schema, tag, consumer, branch, index, statistics
  /// LATEST and EARLIEST.
  case hint
  /// Spilled runs, lookup files, locks and whatever else is no part of a table.
  case other

  /// - Parameter path: of a file or a folder.
  package init(path: String) {
    let parts = path.split(separator: "/", omittingEmptySubsequences: true).suffix(2)
    var name = parts.last.map(String.init) ?? ""
    let folder = parts.count == 2 ? parts.first.map(String.init) ?? "" : ""
    // `.snapshot-7.UUID.tmp` counts as what it is going to be.
    if name.hasPrefix("."), name.hasSuffix(".tmp") { name.removeFirst() }
    if name == "LATEST" || name == "EARLIEST" {
      self = .hint
    } else if let role = FileRole.byPrefix.first(where: { name.hasPrefix($0.0) })?.1 {
      // A changelog file lies among the data, a long-lived changelog snapshot in `changelog/`.
      self = role == .changelog && folder == "changelog" ? .snapshot : role
    } else {
      self = FileRole.byFolder[name] ?? FileRole.byFolder[folder] ?? .other
    }
  }

  private static let byPrefix: [(String, FileRole)] = [
    ("data-", .data), ("bucket-", .data), ("changelog-", .changelog), ("manifest-", .manifest),
    ("index-manifest-", .manifest), ("snapshot-", .snapshot), ("schema-", .schema),
    ("tag-", .tag), ("consumer-", .consumer), ("branch-", .branch), ("index-", .index),
    ("stat-", .statistics),
  ]

  private static let byFolder: [String: FileRole] = [
    "manifest": .manifest, "snapshot": .snapshot, "changelog": .snapshot, "schema": .schema,
    "tag": .tag, "consumer": .consumer, "branch": .branch, "index": .index,
    "statistics": .statistics,
  ]
}
