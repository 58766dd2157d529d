import CKafka
import Columns

/// Turns messages of one partition into rows, a block at a time.
final class KafkaRows {
  typealias Message = UnsafeMutablePointer<rd_kafka_message_t>

  private let table: ConnectorTable
  private let decoder: MessageDecoder
  private let block = MessageBlock()
  private let hasKeys: Bool
  /// For each column of the table: its number among the decoded ones, or what it is of the message.
  private let origins: [Origin]
  private(set) var skipped: Int64 = 0

  private enum Origin {
    case decoded(Int)
    case metadata(KafkaMetadata)
  }

  init(_ table: KafkaTable) throws(TerraceError) {
    guard let decoder = table.decoder else { preconditionFailure("made for a source") }
    self.decoder = decoder
    self.table = table.table
    hasKeys = table.table.options["key.format"] != nil
    var origins: [Origin] = []
    for (place, field) in table.table.type.fields.enumerated() {
      if let index = decoder.places.firstIndex(of: place) {
        origins.append(.decoded(index))
      } else if let column = table.table.metadata.first(where: { $0.column == field.name }),
        let known = KafkaMetadata(rawValue: column.key)
      {
        origins.append(.metadata(known))
      } else {
        preconditionFailure("the column \(field.name) comes from nowhere")
      }
    }
    self.origins = origins
  }

  /// - Throws: `invalid` for a message that is no row, where `on-error` says so.
  func batch(_ messages: [Message]) throws(TerraceError) -> SourceBatch {
    block.removeAll()
    for message in messages {
      let value = message.pointee.payload.map {
        UnsafeRawBufferPointer(start: $0, count: message.pointee.len)
      }
      let key =
        hasKeys
        ? message.pointee.key.map {
          UnsafeRawBufferPointer(start: $0, count: message.pointee.key_len)
        } : nil
      block.append(value: value, key: key)
    }
    let decoded = try decoder.decode(block)
    let columns = zip(table.type.fields, origins).map { field, origin in
      switch origin {
      case .decoded(let c): decoded.columns[c].retyped(field.type)
      case .metadata(let kind):
        KafkaMetadataColumn.make(kind, field.type, messages, decoded.messages)
      }
    }
    return SourceBatch(
      rows: Batch(table.type, columns, count: decoded.count), kinds: decoded.kinds,
      deadLetters: try letters(decoded.rejects, messages))
  }

  private func letters(
    _ rejects: [RejectedMessage], _ messages: [Message]
  ) throws(TerraceError) -> [DeadLetter] {
    if rejects.isEmpty { return [] }
    func place(_ message: Int) -> String {
      let message = messages[message].pointee
      let topic = String(cString: rd_kafka_topic_name(message.rkt))
      return "\(topic)-\(message.partition)@\(message.offset)"
    }
    switch decoder.reject {
    case .skip:
      skipped += Int64(rejects.count)
      return []
    case .fail:
      throw TerraceError(.invalid, rejects[0].reason).with("table", table.name)
        .with("place", place(rejects[0].message))
    case .deadLetter: return MessageDecoder.letters(rejects, block, place: place)
    }
  }
}
