import CKafka
import Columns

/// What a message has beside key and value, by Flink's names.
enum KafkaMetadata: String, CaseIterable {
  case topic, partition, offset, timestamp, headers
  case timestampType = "timestamp-type"
  case leaderEpoch = "leader-epoch"

  var type: DataType {
    switch self {
    case .topic, .timestampType: .string
    case .partition, .leaderEpoch: .int
    case .offset: .bigint
    case .timestamp: DataType(.timestampLTZ(3))
    case .headers: DataType(.map(DataType.string.notNull, .bytes))
    }
  }

  func fits(_ declared: DataType) -> Bool {
    if case .map(let key, let value) = declared.kind, self == .headers {
      return key.kind == DataType.string.kind && value.kind == DataType.bytes.kind
    }
    return declared.kind == type.kind
  }

  /// - Throws: `invalid` for metadata columns that are not there, or that cannot be written.
  static func check(_ table: ConnectorTable, isSink: Bool) throws(TerraceError) {
    for column in table.metadata {
      if column.key.hasPrefix("value."), !isSink { continue }
      guard let known = KafkaMetadata(rawValue: column.key) else {
        throw TerraceError(
          .invalid, "no metadata of that name",
          hint: "known: " + allCases.map(\.rawValue).joined(separator: ", ")
        ).with("table", table.name).with("metadata", column.key)
      }
      guard let index = table.type.index(of: column.column) else { continue }
      if !known.fits(table.type.fields[index].type) {
        throw TerraceError(
          .invalid, "metadata column of another type than its values",
          hint: "'\(column.key)' is \(known.type.text)"
        ).with("table", table.name).with("column", column.column).with("metadata", column.key)
      }
      if isSink, known != .timestamp, known != .headers {
        throw TerraceError(
          .invalid, "this metadata cannot be written", hint: "declare the column VIRTUAL"
        ).with("table", table.name).with("column", column.column).with("metadata", column.key)
      }
    }
  }
}

/// Columns of what messages have beside key and value.
enum KafkaMetadataColumn {
  /// - Parameter rows: the message of each row; nil when row i is of message i.
  static func make(
    _ kind: KafkaMetadata, _ type: DataType, _ messages: [KafkaRows.Message], _ rows: [Int32]?
  ) -> Column {
    let count = rows?.count ?? messages.count
    let builder = ColumnBuilder(type, capacity: count)
    for row in 0..<count {
      let message = messages[rows.map { Int($0[row]) } ?? row]
      switch kind {
      case .topic: builder.append(String(cString: rd_kafka_topic_name(message.pointee.rkt)))
      case .partition: builder.append(message.pointee.partition)
      case .offset: builder.append(message.pointee.offset)
      case .timestamp:
        let millis = rd_kafka_message_timestamp(message, nil)
        if millis < 0 { builder.appendNull() } else { builder.append(millis) }
      case .timestampType:
        var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        _ = rd_kafka_message_timestamp(message, &type)
        switch type {
        case RD_KAFKA_TIMESTAMP_CREATE_TIME: builder.append("CreateTime")
        case RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME: builder.append("LogAppendTime")
        default: builder.append("NoTimestampType")
        }
      case .leaderEpoch:
        // librdkafka tells it from 2.1 on; Flink's column is null where it is not known, too.
        builder.appendNull()
      case .headers: append(message, to: builder)
      }
    }
    return builder.finish()
  }

  /// The last of several headers of a name counts, as in Flink's map.
  private static func append(_ message: KafkaRows.Message, to builder: ColumnBuilder) {
    var headers: OpaquePointer?
    let (names, values) = (builder.children[0], builder.children[1])
    if rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR, let headers {
      var name: UnsafePointer<CChar>?
      var value: UnsafeRawPointer?
      var size = 0
      var found: [(name: String, value: UnsafeRawBufferPointer?)] = []
      while rd_kafka_header_get_all(headers, found.count, &name, &value, &size)
        == RD_KAFKA_RESP_ERR_NO_ERROR, let name
      {
        found.append(
          (String(cString: name), value.map { UnsafeRawBufferPointer(start: $0, count: size) }))
      }
      for (index, header) in found.enumerated()
      where !found[(index + 1)...].contains(where: { $0.name == header.name }) {
        names.append(header.name)
        if let value = header.value { values.append(bytes: value) } else { values.appendNull() }
      }
    }
    builder.endList()
  }
}
