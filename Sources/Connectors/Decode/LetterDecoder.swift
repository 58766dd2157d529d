package import Columns
import Formats
package import Store

/// What a dead letter is today.
package enum LetterFate {
  /// Rows of the source, with kinds if it tells changes; none: it is passed over on purpose.
  case rows(Batch, kinds: Buffer?)
  case refused(String)
}

/// Reads records again that were put aside, with the table as it is declared now.
package protocol LetterDecoder: AnyObject {
  /// - Parameter keepsKey: false for letters of before keys were kept.
  func decode(_ letter: DeadLetter, keepsKey: Bool) throws(TerraceError) -> LetterFate
}

extension Connectors {
  /// - Throws: `unsupported` for sources whose records cannot be read alone.
  package static func letterDecoder(
    _ table: ConnectorTable, _ environment: Environment
  ) throws(TerraceError) -> any LetterDecoder {
    let table = try Secrets.resolved(table, environment.files)
    switch table.options["connector"] {
    case "filesystem": return try FileLetterDecoder(table, environment)
    case let name? where KafkaTable.isKafka(name): return try KafkaLetterDecoder(table)
    case let name?:
      throw TerraceError(
        .unsupported, "replaying dead letters of '\(name)': the row may have changed since",
        hint: "once the type fits, “terrace run --rebuild TABLE” reads all rows anew; "
          + rowAgain(name)
      ).with("table", table.name)
    case nil: throw TerraceError(.invalid, "a table without a connector").with("table", table.name)
    }
  }

  /// How a server tells a row of its table once more.
  private static func rowAgain(_ connector: String) -> String {
    connector == "postgres-cdc"
      ? "one row comes again by “UPDATE … SET c = c WHERE …” in the database"
      : "one row comes again by DELETE and INSERT in one transaction of the database "
        + "(an UPDATE that changes nothing is not in its log)"
  }
}

/// Records of files: metadata columns are those of the file, as far as it is still there.
final class FileLetterDecoder: LetterDecoder {
  private let table: FileTable
  private let decoder: any RecordDecoder
  private let listing: FileListing
  private let environment: Environment

  init(_ table: ConnectorTable, _ environment: Environment) throws(TerraceError) {
    self.table = try FileTable(table)
    self.environment = environment
    decoder = try self.table.decoder()
    listing = try FileListing(
      self.table.path, folder: table.folder, pattern: nil, environment.files)
  }

  func decode(_ letter: DeadLetter, keepsKey: Bool) throws(TerraceError) -> LetterFate {
    let place = letter.place
    let block = MessageBlock()
    letter.bytes.withUnsafeBytes { block.append(value: $0, key: nil) }
    let decoder = self.decoder
    let records = try block.withText(keys: false, isJSON: table.format.isJSON) {
      text throws(TerraceError) in try decoder.decode(text)
    }
    if let reject = records.rejects.first { return .refused(reject.reason) }
    let path = String(place[..<(place.lastIndex(of: ":") ?? place.endIndex)])
    let full = listing.full(path)
    let status =
      try environment.files.status(full)
      ?? FileStatus(kind: .file, byteCount: 0, modifiedMillis: 0, identity: 0)
    let part = FileBatch(columns: records.columns, count: records.count, kinds: records.kinds)
    let batch = try table.batch(
      part, FileState(path), FileListing.Entry(path: path, status: status), full)
    return .rows(batch, kinds: records.kinds)
  }
}

/// Messages, with their keys: `topic-partition@offset` is known of their metadata, the rest is null.
final class KafkaLetterDecoder: LetterDecoder {
  private let table: ConnectorTable
  private let decoder: MessageDecoder
  private let hasKeys: Bool

  init(_ table: ConnectorTable) throws(TerraceError) {
    let kafka = try KafkaTable(table, .source)
    guard let decoder = kafka.decoder else { preconditionFailure("made for a source") }
    hasKeys = table.options["key.format"] != nil
    self.table = table
    self.decoder = decoder
  }

  func decode(_ letter: DeadLetter, keepsKey: Bool) throws(TerraceError) -> LetterFate {
    if hasKeys, !keepsKey {
      return .refused("put aside by a version that kept no keys: write the message again")
    }
    let place = letter.place
    let block = MessageBlock()
    letter.bytes.withUnsafeBytes { value in
      (letter.key ?? []).withUnsafeBytes { key in
        block.append(
          value: letter.isTombstone ? nil : value, key: letter.key == nil || !hasKeys ? nil : key)
      }
    }
    let decoded = try decoder.decode(block)
    if let reject = decoded.rejects.first { return .refused(reject.reason) }
    var columns: [Column] = []
    for (number, field) in table.type.fields.enumerated() {
      if let index = decoder.places.firstIndex(of: number) {
        columns.append(decoded.columns[index].retyped(field.type))
        continue
      }
      let key = table.metadata.first { $0.column == field.name }?.key ?? ""
      let value = Self.metadata(key, place)
      if value.isNull, !field.type.isNullable {
        throw TerraceError(
          .unsupported, "replaying dead letters into a metadata column that may not be null"
        ).with("table", table.name).with("column", field.name)
      }
      columns.append(.repeating(value, type: field.type, count: decoded.count))
    }
    return .rows(Batch(table.type, columns, count: decoded.count), kinds: decoded.kinds)
  }

  private static func metadata(_ key: String, _ place: String) -> Scalar {
    guard let at = place.lastIndex(of: "@"), let dash = place[..<at].lastIndex(of: "-") else {
      return .null
    }
    let partition = Int64(place[place.index(after: dash)..<at])
    switch key {
    case "topic": return .text(String(place[..<dash]))
    case "partition": return partition.map { .int($0) } ?? .null
    case "offset": return Int64(place[place.index(after: at)...]).map { .int($0) } ?? .null
    default: return .null
    }
  }
}
