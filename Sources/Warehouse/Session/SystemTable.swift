import Columns
import Dataflow
import Formats
import SQL
import Store

/// What Paimon tells of a table as tables: `orders$snapshots`, `orders$files`, …
enum SystemTable: String, CaseIterable {
  case snapshots, schemas, options, tags, branches, consumers, manifests, files, partitions, buckets
  case auditLog = "audit_log"

  /// Paimon's column names and types.
  var type: RowType {
    let text = DataType.string
    let number = DataType.bigint
    let time = DataType.timestamp(3)
    switch self {
    case .snapshots:
      return RowType([
        ("snapshot_id", number.notNull), ("schema_id", number.notNull),
        ("commit_user", text.notNull), ("commit_identifier", number.notNull),
        ("commit_kind", text.notNull), ("commit_time", time.notNull),
        ("base_manifest_list", text.notNull), ("delta_manifest_list", text.notNull),
        ("changelog_manifest_list", text), ("total_record_count", number),
        ("delta_record_count", number), ("changelog_record_count", number),
        ("watermark", number), ("next_row_id", number),
      ])
    case .schemas:
      return RowType([
        ("schema_id", number.notNull), ("fields", text.notNull), ("partition_keys", text.notNull),
        ("primary_keys", text.notNull), ("options", text.notNull), ("comment", text),
        ("update_time", time.notNull),
      ])
    case .options: return RowType([("key", text.notNull), ("value", text.notNull)])
    case .tags:
      return RowType([
        ("tag_name", text.notNull), ("snapshot_id", number.notNull),
        ("schema_id", number.notNull), ("commit_time", time.notNull), ("record_count", number),
        ("create_time", time), ("time_retained", text),
      ])
    case .branches: return RowType([("branch_name", text.notNull), ("create_time", time.notNull)])
    case .consumers:
      return RowType([("consumer_id", text.notNull), ("next_snapshot_id", number.notNull)])
    case .manifests:
      return RowType([
        ("file_name", text.notNull), ("file_size", number.notNull),
        ("num_added_files", number.notNull), ("num_deleted_files", number.notNull),
        ("schema_id", number.notNull), ("min_partition_stats", text),
        ("max_partition_stats", text),
      ])
    case .files:
      return RowType([
        ("partition", text), ("bucket", DataType.int.notNull), ("file_path", text.notNull),
        ("file_format", text.notNull), ("schema_id", number.notNull),
        ("level", DataType.int.notNull), ("record_count", number.notNull),
        ("file_size_in_bytes", number.notNull), ("min_key", text), ("max_key", text),
        ("null_value_counts", text.notNull), ("min_value_stats", text.notNull),
        ("max_value_stats", text.notNull), ("min_sequence_number", number),
        ("max_sequence_number", number), ("creation_time", time), ("deleteRowCount", number),
        ("file_source", text),
      ])
    case .partitions:
      return RowType([
        ("partition", text), ("record_count", number.notNull),
        ("file_size_in_bytes", number.notNull), ("file_count", number.notNull),
        ("last_update_time", time),
      ])
    case .buckets:
      return RowType([
        ("partition", text), ("bucket", DataType.int.notNull), ("record_count", number.notNull),
        ("file_size_in_bytes", number.notNull), ("file_count", number.notNull),
        ("last_update_time", time),
      ])
    case .auditLog: return RowType([("rowkind", text.notNull)])
    }
  }
}

/// A system table of one table, made when it is read.
final class SystemSessionTable: SessionTable {
  let kind: SystemTable
  let version: TableVersion
  private let name: TableName
  private let session: SQLSession
  private let cells: SystemRows

  init(
    _ kind: SystemTable, _ name: TableName, _ reference: TableReference, _ session: SQLSession
  ) throws(TerraceError) {
    self.kind = kind
    self.name = name
    self.session = session
    guard case .version(let travel) = try ReadOptions(reference, session).what else {
      throw TerraceError(.unsupported, "incremental-between of $\(kind.rawValue)")
    }
    version = try session.warehouse.open(name, at: travel)
    cells = SystemRows(kind.type)
  }

  func bound(_ reference: String) -> BoundTable {
    BoundTable(reference: reference, type: kind.type, isAppendOnly: true)
  }

  func read(_ source: Plan.Source) throws(TerraceError) -> any SessionRead {
    let table = version.table
    switch kind {
    case .snapshots: try addSnapshots(table)
    case .schemas: try addSchemas(table)
    case .options:
      let options = try table.schemas.latest().options.entries
      for (key, value) in options.sorted(by: { $0.key < $1.key }) { cells.add(key, value) }
    case .tags: try addTags(table)
    case .branches: try addBranches(table)
    case .consumers:
      for consumer in try Consumers(table.path, table.environment).list() {
        cells.add(consumer.id, consumer.next)
      }
    case .manifests: try addManifests(table)
    case .files, .partitions, .buckets: try SystemFiles(version, cells).add(kind)
    case .auditLog: break
    }
    return ListedRead(cells.finish().project(source.columns))
  }

  private func addSnapshots(_ table: Table) throws(TerraceError) {
    for id in try table.snapshots.ids() {
      // Expired since the folder was listed.
      guard let s = try table.snapshots.find(id) else { continue }
      cells.add(
        s.id, s.schemaID, s.commitUser, s.commitIdentifier, s.kind.rawValue,
        SystemRows.Time(millis: localMillis(s.timeMillis)), s.baseManifestList,
        s.deltaManifestList, s.changelogManifestList, s.totalRecordCount, s.deltaRecordCount,
        s.changelogRecordCount, s.watermark, s.nextRowID)
    }
  }

  private func addSchemas(_ table: Table) throws(TerraceError) {
    for id in try table.schemas.ids() {
      let s = try table.schemas.schema(id)
      cells.add(
        s.id, JSONText.array(s.fields.map { $0.json.text() }),
        JSONText.array(s.partitionKeys.map { JSONText.quoted($0) }),
        JSONText.array(s.primaryKeys.map { JSONText.quoted($0) }),
        JSONText.object(s.options.entries), s.comment,
        SystemRows.Time(millis: localMillis(s.timeMillis)))
    }
  }

  private func addTags(_ table: Table) throws(TerraceError) {
    for tag in try TagDirectory(table.path, table.environment).list() {
      let s = tag.snapshot
      cells.add(
        tag.name, s.id, s.schemaID, SystemRows.Time(millis: localMillis(s.timeMillis)),
        s.totalRecordCount, tag.retention.map { SystemRows.Time(millis: $0.createdMillis) },
        tag.retention.map { SystemRows.duration(millis: $0.retainedMillis) })
    }
  }

  private func addBranches(_ table: Table) throws(TerraceError) {
    let branches = Branches(TablePath(table.path.root), table.environment)
    for name in try branches.list() {
      let schemas = SchemaDirectory(try branches.branch(name), table.environment)
      let made = try schemas.ids().first.map { (id) throws(TerraceError) in
        try table.environment.files.status(schemas.path.schema(id))?.modifiedMillis
      }
      cells.add(name, SystemRows.Time(millis: localMillis((made ?? nil) ?? 0)))
    }
  }

  private func addManifests(_ table: Table) throws(TerraceError) {
    guard let snapshot = version.snapshot else { return }
    let manifests = try table.manifests()
    for list in [snapshot.baseManifestList, snapshot.deltaManifestList] {
      for manifest in try manifests.readList(list) {
        cells.add(
          manifest.name, manifest.byteCount, manifest.addedCount, manifest.deletedCount,
          manifest.schemaID,
          SystemRows.row(manifest.partitionStats.minValues, table.schema.partitionType),
          SystemRows.row(manifest.partitionStats.maxValues, table.schema.partitionType))
      }
    }
  }
}

/// Rows that are there already.
final class ListedRead: SessionRead {
  private var batch: Batch?

  init(_ batch: Batch) { self.batch = batch.count == 0 ? nil : batch }

  func next() throws(TerraceError) -> DeltaBatch? {
    defer { batch = nil }
    return batch.map { DeltaBatch(inserting: $0) }
  }

  func close() {}
}
