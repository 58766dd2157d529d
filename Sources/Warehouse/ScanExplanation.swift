package import Columns
package import Formats
import Store

/// Says what a read would do: how many files each step leaves out, and what is left to be read.
package struct ScanExplanation {
  private let name: TableName
  private let table: Table
  private let report: ScanReport
  private let query: RowQuery
  private let condition: String?

  /// - Parameter condition: its text, for the first lines.
  package init(
    _ name: TableName, _ version: TableVersion, _ query: RowQuery, condition: String?
  ) throws(TerraceError) {
    self.name = name
    table = version.table
    self.query = query
    self.condition = condition
    report = try table.scan(columns: query.columns, predicate: query.condition)
      .report(version.snapshot)
  }

  private var kind: String {
    get throws(TerraceError) {
      let buckets: String
      switch try table.schema.bucketMode {
      case .fixed(let count): buckets = DisplayText.count(count, "bucket")
      case .unaware: buckets = "no buckets"
      case .dynamic: buckets = "dynamic buckets"
      case .crossPartition: buckets = "buckets across partitions"
      case .postpone: buckets = "postponed buckets"
      }
      return (table.schema.hasPrimaryKey ? "primary key" : "append") + ", " + buckets
    }
  }

  private var levels: [(level: Int, files: Int)] {
    var counts: [Int: Int] = [:]
    for split in report.splits { for file in split.files { counts[file.level, default: 0] += 1 } }
    return counts.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  private var bytes: Int64 { report.splits.reduce(0) { $0 + $1.byteCount } }
  private var rows: Int64 { report.splits.reduce(0) { $0 + $1.rowCount } }
  private var merged: Int { report.splits.count { $0.runs > 1 } }

  /// - Parameter isVerbose: every split with its files.
  package func text(isVerbose: Bool) throws(TerraceError) -> String {
    var lines: [(String, String)] = []
    lines.append(("Table", "\(name) (\(try kind))"))
    if let snapshot = report.snapshot {
      let time = InstantText.text(millis: snapshot.timeMillis)
      lines.append(
        ("Snapshot", "\(snapshot.id), schema \(table.schema.id), committed \(time)"))
    } else {
      lines.append(("Snapshot", "none: nothing was ever written"))
    }
    lines.append(("Columns", query.outputType.fields.map(\.name).joined(separator: ", ")))
    lines.append(("Condition", condition ?? "none"))
    if query.limit > 0 { lines.append(("Limit", "\(query.limit)")) }
    lines.append(("", ""))
    let funnel = report.funnel
    lines.append(("Live files", "\(funnel.live), \(DisplayText.bytes(Int(report.liveBytes)))"))
    lines.append(("  by partition", ScanExplanation.step(funnel.live, funnel.byPartition)))
    lines.append(("  by bucket", ScanExplanation.step(funnel.byPartition, funnel.byBucket)))
    lines.append(("  by key", ScanExplanation.step(funnel.byBucket, funnel.byKey)))
    lines.append(("  by statistics", ScanExplanation.step(funnel.byKey, funnel.byStatistics)))
    lines.append(
      (
        "Files to read",
        "\(funnel.byStatistics), \(DisplayText.bytes(Int(bytes))), "
          + DisplayText.count(Int(rows), "row")
      ))
    if !levels.isEmpty {
      lines.append(
        ("  levels", levels.map { "L\($0.level): \($0.files)" }.joined(separator: ", ")))
    }
    lines.append(("Splits", "\(report.splits.count), \(merged) with runs to merge"))
    if let most = report.splits.map(\.runs).max(), most > 1 {
      lines.append(("  most runs", "\(most)"))
    }
    var text = ""
    for (name, value) in lines {
      if name.isEmpty {
        text += "\n"
        continue
      }
      text += name + String(repeating: " ", count: max(1, 16 - name.count))
      text += DisplayText.oneLine(value) + "\n"
    }
    return isVerbose && !report.splits.isEmpty ? text + "\n" + splits.text(.table) : text
  }

  private static func step(_ before: Int, _ after: Int) -> String {
    before == after ? "\(after)" : "\(after) (\(before - after) left out)"
  }

  private var splits: Listing {
    var listing = Listing("split", "partition", "bucket", "runs", "level", "file", "rows", "bytes")
    for (index, split) in report.splits.enumerated() {
      for file in split.files {
        listing.add(
          JSONValue(index), .string(split.partition), JSONValue(split.bucket),
          JSONValue(split.runs), JSONValue(file.level), .string(file.name), .int(file.rowCount),
          .int(file.byteCount))
      }
    }
    return listing
  }

  /// The files to read, for CSV.
  package var files: Listing { splits }

  package var json: JSONValue {
    get throws(TerraceError) {
      let funnel = report.funnel
      return .members([
        ("table", .string(name.description)), ("kind", .string(try kind)),
        ("snapshot", JSONValue(report.snapshot?.id)), ("schema", JSONValue(table.schema.id)),
        ("columns", .array(query.outputType.fields.map { .string($0.name) })),
        ("condition", JSONValue(condition)),
        (
          "files",
          .members([
            ("live", JSONValue(funnel.live)), ("afterPartition", JSONValue(funnel.byPartition)),
            ("afterBucket", JSONValue(funnel.byBucket)), ("afterKey", JSONValue(funnel.byKey)),
            ("afterStatistics", JSONValue(funnel.byStatistics)),
          ])
        ),
        ("liveBytes", .int(report.liveBytes)), ("bytes", .int(bytes)), ("rows", .int(rows)),
        (
          "levels",
          .members(levels.map { (String($0.level), JSONValue($0.files)) })
        ),
        ("mergedSplits", JSONValue(merged)),
        (
          "splits",
          .array(
            report.splits.map { split in
              .members([
                ("partition", .string(split.partition)), ("bucket", JSONValue(split.bucket)),
                ("runs", JSONValue(split.runs)), ("rows", .int(split.rowCount)),
                ("bytes", .int(split.byteCount)),
                ("files", .array(split.files.map { .string($0.name) })),
              ])
            })
        ),
      ])
    }
  }
}
