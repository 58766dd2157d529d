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
      return try fill(partitions.map { offsets[$0.number] }, partitions, "earliest", table, client)
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
    case .offsets(let offsets): return partitions.map { offsets[$0.number] ?? .max }
    case .group: return try client.committed(partitions).map { $0 ?? .max }
    }
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
