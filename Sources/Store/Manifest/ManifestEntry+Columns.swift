import Columns

/// Entries as columns, both ways.
extension ManifestEntry {
  static func batch(_ entries: some Collection<ManifestEntry>) -> Batch {
    let type = ManifestFormat.manifest
    let builders = type.fields.map { ColumnBuilder($0.type, capacity: entries.count) }
    for entry in entries {
      builders[0].append(ManifestFormat.version)
      builders[1].append(entry.kind.rawValue)
      builders[2].append(raw: entry.partition)
      builders[3].append(Int32(clamping: entry.bucket))
      builders[4].append(Int32(clamping: entry.totalBuckets))
      entry.file.append(to: builders[5])
    }
    return Batch(type, builders.map { $0.finish() }, count: entries.count)
  }

  /// - Parameter keep: which entries are wanted; asked before the rest of the entry is read.
  static func read(
    _ batch: Batch, where keep: (BucketPlace, _ totalBuckets: Int) throws(TerraceError) -> Bool
  ) throws(TerraceError) -> [ManifestEntry] {
    var entries: [ManifestEntry] = []
    var row = MetadataRow(columns: batch.columns, row: 0)
    var file = MetadataRow(columns: batch.columns[5].children, row: 0)
    for index in 0..<batch.count {
      row.row = index
      file.row = index
      let version = row.int32(0)
      if version != ManifestFormat.version {
        throw TerraceError(.unsupported, "manifest version \(version)")
      }
      guard let kind = Kind(rawValue: row.int8(1)) else {
        throw TerraceError(.corrupted, "a manifest entry neither adds nor deletes")
          .with("kind", row.int8(1))
      }
      let place = BucketPlace(partition: row.bytes(2), bucket: row.int32(3))
      if place.bucket < -2 {
        throw TerraceError(.corrupted, "no such bucket").with("bucket", place.bucket)
      }
      let total = row.int32(4)
      if try !keep(place, total) { continue }
      entries.append(
        ManifestEntry(
          kind, partition: place.partition, bucket: place.bucket, totalBuckets: total,
          file: try DataFile(row: file)))
    }
    return entries
  }
}

extension DataFile {
  fileprivate func append(to row: ColumnBuilder) {
    let c = row.children
    c[0].append(name)
    c[1].append(byteCount)
    c[2].append(rowCount)
    c[3].append(raw: minKey)
    c[4].append(raw: maxKey)
    c[5].append(stats: keyStats)
    c[6].append(stats: valueStats)
    c[7].append(minSequence)
    c[8].append(maxSequence)
    c[9].append(Int64(schemaID))
    c[10].append(Int32(clamping: level))
    c[11].append(texts: extraFiles)
    c[12].append(optional: creationMillis)
    c[13].append(optional: deleteRowCount)
    if let embeddedIndex { c[14].append(raw: embeddedIndex) } else { c[14].appendNull() }
    if let source { c[15].append(source.rawValue) } else { c[15].appendNull() }
    c[16].append(texts: valueStatsColumns)
    if let externalPath { c[17].append(externalPath) } else { c[17].appendNull() }
    c[18].append(optional: firstRowID)
    c[19].append(texts: writeColumns)
    if let writeColumnSequences {
      for sequence in writeColumnSequences { c[20].children[0].append(sequence) }
      c[20].endList()
    } else {
      c[20].appendNull()
    }
    row.endRow()
  }

  fileprivate init(row: MetadataRow) throws(TerraceError) {
    self.init(
      name: row.text(0), byteCount: row.int64(1), rowCount: row.int64(2), minKey: row.bytes(3),
      maxKey: row.bytes(4), keyStats: row.stats(5), valueStats: row.stats(6),
      minSequence: row.int64(7), maxSequence: row.int64(8), schemaID: Int(row.int64(9)),
      level: row.int32(10), extraFiles: row.texts(11), creationMillis: row.optionalInt64(12),
      deleteRowCount: row.optionalInt64(13), embeddedIndex: row.isNull(14) ? nil : row.bytes(14),
      source: row.isNull(15) ? nil : Source(rawValue: row.int8(15)),
      valueStatsColumns: row.isNull(16) ? nil : row.texts(16),
      externalPath: row.isNull(17) ? nil : row.text(17), firstRowID: row.optionalInt64(18),
      writeColumns: row.isNull(19) ? nil : row.texts(19),
      writeColumnSequences: row.isNull(20) ? nil : row.list(20) { $0.pointer(Int64.self)[$1] })
    try checkFileName(name, "name of a data file")
    for extra in extraFiles { try checkFileName(extra, "name of an extra file") }
    let isSane =
      byteCount >= 0 && rowCount >= 0 && (0...1000).contains(level)
      && (0...Int(Int32.max)).contains(schemaID)
    if !isSane {
      throw TerraceError(.corrupted, "a manifest entry is out of range").with("data", name)
        .with("bytes", byteCount).with("rows", rowCount).with("level", level)
        .with("schema", schemaID)
    }
  }
}
