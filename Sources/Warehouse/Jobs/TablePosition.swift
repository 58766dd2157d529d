import Columns
import Formats
import Store

/// Where a job stands in a source table: behind a snapshot, or within the content of one.
///
/// A snapshot is named with the commit that made it, so that a rollback is found out.
struct TablePosition: Hashable {
  var snapshot: Int64 = 0
  var user = ""
  var identifier: Int64 = 0
  var timeMillis: Int64 = 0
  /// The rows of `snapshot` itself are still being read: its content.
  var isContent = false
  /// Rows taken of the content, or of the snapshot after this one.
  var skip = 0

  init() {}

  init(_ snapshot: Snapshot, isContent: Bool = false) {
    self.snapshot = snapshot.id
    user = snapshot.commitUser
    identifier = snapshot.commitIdentifier
    timeMillis = snapshot.timeMillis
    self.isContent = isContent
  }

  init(_ json: JSONValue) throws(TerraceError) {
    snapshot = try json.int("snapshot")
    user = try json.optionalString("user") ?? ""
    identifier = try json.optionalInt("identifier") ?? 0
    timeMillis = try json.optionalInt("time") ?? 0
    isContent = try json.optionalString("phase") == "content"
    skip = Int(try json.optionalInt("skip") ?? 0)
  }

  func json(watermark: Int64) -> JSONValue {
    .members([
      ("snapshot", .int(snapshot)), ("user", snapshot == 0 ? nil : .string(user)),
      ("identifier", snapshot == 0 ? nil : .int(identifier)),
      ("time", snapshot == 0 ? nil : .int(timeMillis)),
      ("phase", isContent ? .string("content") : nil),
      ("skip", skip == 0 ? nil : .int(Int64(skip))),
      ("watermark", watermark == .min ? nil : .int(watermark)),
    ])
  }

  func names(_ other: Snapshot) -> Bool {
    snapshot == other.id && user == other.commitUser && identifier == other.commitIdentifier
      && timeMillis == other.timeMillis
  }
}
