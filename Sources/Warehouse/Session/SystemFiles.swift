import Columns
import Store

/// The rows of `$files`, `$partitions` and `$buckets`: what the live files of a version are.
struct SystemFiles {
  private let version: TableVersion
  private let cells: SystemRows

  init(_ version: TableVersion, _ cells: SystemRows) {
    self.version = version
    self.cells = cells
  }

  private struct Sum {
    var rows: Int64 = 0
    var bytes: Int64 = 0
    var files: Int64 = 0
    var lastMillis: Int64?

    mutating func add(_ file: DataFile) {
      rows += file.rowCount
      bytes += file.byteCount
      files += 1
      if let millis = file.creationMillis { lastMillis = max(lastMillis ?? millis, millis) }
    }
  }

  func add(_ kind: SystemTable) throws(TerraceError) {
    guard let snapshot = version.snapshot else { return }
    let table = version.table
    let schema = table.schema
    let state = try TableState(at: snapshot, try table.manifests())
    var named: [(place: BucketPlace, partition: String, shown: String?)] = []
    for place in state.buckets.keys {
      let values = try PartitionPath.values(place.partition, schema)
      named.append(
        (
          place, values.map { "\($0.name)=\($0.text)" }.joined(separator: "/"),
          values.isEmpty ? nil : "{" + values.map(\.text).joined(separator: ", ") + "}"
        ))
    }
    named.sort { ($0.partition, $0.place.bucket) < ($1.partition, $1.place.bucket) }
    var sums: [String: Sum] = [:]
    for (place, partition, shown) in named {
      let files = state.files(in: place)
      switch kind {
      case .files:
        for file in files { try add(file, place, shown) }
      case .buckets:
        var sum = Sum()
        for file in files { sum.add(file) }
        cells.add(
          shown, place.bucket, sum.rows, sum.bytes, sum.files, time(sum.lastMillis))
      default: for file in files { sums[partition, default: Sum()].add(file) }
      }
    }
    for (partition, sum) in sums.sorted(by: { $0.key < $1.key }) {
      cells.add(partition, sum.rows, sum.bytes, sum.files, time(sum.lastMillis))
    }
  }

  /// Creation times of files are wall clocks already.
  private func time(_ millis: Int64?) -> SystemRows.Time? {
    millis.map { SystemRows.Time(millis: $0) }
  }

  private func add(
    _ file: DataFile, _ place: BucketPlace, _ shown: String?
  ) throws(TerraceError) {
    let table = version.table
    let schema = table.schema
    let written = try table.schemas.schema(file.schemaID)
    let folder = table.path.bucket(
      place.bucket, partition: try PartitionPath.text(place.partition, schema))
    let names = file.valueStatsColumns ?? written.fields.map(\.name)
    let fields = names.compactMap { name in written.fields.first { $0.name == name } }
    // Statistics of another shape say nothing.
    let stats = (try? file.valueStats.columnStatistics(fields.map(\.type))) ?? []
    func joined(_ text: (Int) -> String) -> String {
      "{" + stats.indices.map { "\(fields[$0].name)=\(text($0))" }.joined(separator: ", ") + "}"
    }
    func bound(_ value: Scalar?, _ type: DataType) -> String {
      value.map { ValueText.text($0, type) } ?? "NULL"
    }
    let keys = schema.hasPrimaryKey ? written.trimmedKeyType : RowType([Field]())
    cells.add(
      shown, place.bucket, folder + "/" + file.name,
      file.name.split(separator: ".").last.map(String.init) ?? "", file.schemaID, file.level,
      file.rowCount, file.byteCount,
      schema.hasPrimaryKey ? SystemRows.row(file.minKey, keys) : nil,
      schema.hasPrimaryKey ? SystemRows.row(file.maxKey, keys) : nil,
      joined { stats[$0].nullCount.map(String.init) ?? "NULL" },
      joined { bound(stats[$0].min, fields[$0].type) },
      joined { bound(stats[$0].max, fields[$0].type) }, file.minSequence, file.maxSequence,
      time(file.creationMillis), file.deleteRowCount,
      file.source.map { $0 == .append ? "APPEND" : "COMPACT" })
  }
}
