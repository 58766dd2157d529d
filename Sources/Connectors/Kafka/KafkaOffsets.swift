import Columns

/// Offsets that modes of beginning and ending stand for.
enum KafkaOffsets {
  typealias Partition = KafkaProgress.Partition

  static func starts(
    _ place: KafkaPlace, _ partitions: [Partition], _ table: KafkaTable, _ client: KafkaClient
  ) throws(TerraceError) -> [Int64] {
    switch place.mode {
    case .earliest, .unbounded: return try edges(partitions, -2, client)
    case .latest: return try edges(partitions, -1, client)
    case .timestamp(let millis): return try after(millis, partitions, client)
    case .offsets(let offsets):
      return try given(offsets, partitions, table, client)
    case .group:
      let committed = try client.committed(partitions)
      return try fill(committed, partitions, table.properties.reset ?? "none", table, client)
    }
  }

  /// Where a partition ends; what is at or behind the offset is not read.
  static func ends(
    _ place: KafkaPlace, _ partitions: [Partition], _ table: KafkaTable, _ client: KafkaClient
  ) throws(TerraceError) -> [Int64] {
    switch place.mode {
    case .unbounded, .earliest: return partitions.map { _ in .max }
    case .latest: return try edges(partitions, -1, client)
    case .timestamp(let millis): return try after(millis, partitions, client)
    // A partition that is not named is not read.
    case .offsets(let offsets): return partitions.map { offsets[$0.number] ?? 0 }
    case .group:
      return try fill(try client.committed(partitions), partitions, "none", table, client)
    }
  }

  /// Partitions that are not named begin where the group stands, and else at their beginning.
  private static func given(
    _ offsets: [Int32: Int64], _ partitions: [Partition], _ table: KafkaTable, _ client: KafkaClient
  ) throws(TerraceError) -> [Int64] {
    var begins = partitions.map { offsets[$0.number] }
    let open = begins.indices.filter { begins[$0] == nil }
    if table.properties.group != nil {
      let committed = try client.committed(open.map { partitions[$0] })
      for (index, offset) in zip(open, committed) { begins[index] = offset }
    }
    return try fill(begins, partitions, "earliest", table, client)
  }

  private static func edges(
    _ partitions: [Partition], _ edge: Int64, _ client: KafkaClient
  ) throws(TerraceError) -> [Int64] {
    try client.offsets(at: partitions.map { ($0, edge) }).map { $0 ?? 0 }
  }

  /// Partitions without a record as young begin, or end, at their end.
  private static func after(
    _ millis: Int64, _ partitions: [Partition], _ client: KafkaClient
  ) throws(TerraceError) -> [Int64] {
    let found = try client.offsets(at: partitions.map { ($0, millis) })
    let ends = try edges(partitions, -1, client)
    return zip(found, ends).map { $0 ?? $1 }
  }

  private static func fill(
    _ offsets: [Int64?], _ partitions: [Partition], _ reset: String, _ table: KafkaTable,
    _ client: KafkaClient
  ) throws(TerraceError) -> [Int64] {
    let missing = partitions.indices.filter { offsets[$0] == nil }
    if missing.isEmpty { return offsets.map { $0 ?? 0 } }
    guard reset != "none" else {
      let place = partitions[missing[0]]
      throw TerraceError(
        .invalid, "the group has committed no offset for a partition",
        hint: "'properties.auto.offset.reset' = 'earliest' or 'latest' says where to begin then"
      ).with("table", table.table.name).with("group", table.properties.group ?? "")
        .with("partition", "\(place.topic)-\(place.number)")
    }
    let edge = try edges(missing.map { partitions[$0] }, reset == "latest" ? -1 : -2, client)
    var all = offsets.map { $0 ?? 0 }
    for (index, offset) in zip(missing, edge) { all[index] = offset }
    return all
  }
}

extension KafkaPlace {
  /// What Flink's starting modes set when an offset is not there.
  var defaultReset: String {
    switch mode {
    case .earliest, .offsets: "earliest"
    case .latest, .timestamp: "latest"
    case .group, .unbounded: "none"
    }
  }
}
