package import Columns
package import Store

/// The doors to what lies outside, by the option `connector`.
package enum Connectors {
  /// - Throws: `invalid` for options that are wrong or unknown (fact `option`), `unsupported` for
  ///   connectors and formats that are not there.
  package static func source(
    _ table: ConnectorTable, _ environment: Environment
  ) throws(TerraceError) -> any Source {
    let table = try Secrets.resolved(table, environment.files)
    switch table.options["connector"] {
    case "filesystem": return try FileSource(table, environment)
    case "datagen": return try DatagenSource(table, environment)
    case "nexmark": return try NexmarkSource(table, environment)
    case let name? where KafkaTable.isKafka(name): return try KafkaSource(table, environment)
    case "postgres-cdc": return try LogSource<PostgresOrigin>(table, environment)
    case "mysql-cdc", "mariadb-cdc": return try LogSource<MySQLOrigin>(table, environment)
    default: throw unknown(table)
    }
  }

  package static func sink(
    _ table: ConnectorTable, _ environment: Environment
  ) throws(TerraceError) -> any Sink {
    let table = try Secrets.resolved(table, environment.files).written
    try checkWritten(table)
    switch table.options["connector"] {
    case "filesystem": return try FolderSink(table, environment)
    case "print": return try PrintSink(table)
    case "blackhole": return try BlackholeSink(table)
    case "jdbc" where table.options["url"]?.hasPrefix(PostgresSinkOptions.scheme) ?? false:
      return try PostgresSink(table, environment)
    case "jdbc" where MySQLSinkOptions.isOurs(table.options["url"]):
      return try MySQLSink(table, environment)
    case "http": return try HTTPSink(table, environment)
    case let name? where KafkaTable.isKafka(name): return try KafkaSink(table, environment)
    default: throw unknown(table)
    }
  }

  /// Messages of Kafka are the only ones that have a place for metadata, which it checks itself.
  private static func checkWritten(_ table: ConnectorTable) throws(TerraceError) {
    guard let column = table.metadata.first,
      !KafkaTable.isKafka(table.options["connector"] ?? "")
    else { return }
    throw TerraceError(
      .invalid, "this metadata cannot be written", hint: "declare the column VIRTUAL"
    ).with("table", table.name).with("column", column.column).with("metadata", column.key)
  }

  /// How a source of this table tells changes, without opening it.
  package static func style(of table: ConnectorTable) throws(TerraceError) -> ChangeStyle {
    switch table.options["connector"] {
    case "filesystem": return try FileTable(table).style
    case "datagen", "nexmark": return .inserts
    case let name? where KafkaTable.isKafka(name): return try KafkaTable(table, .style).style
    case "postgres-cdc": return try PostgresOptions.style(of: table)
    case "mysql-cdc", "mariadb-cdc": return .retractions
    default: throw unknown(table)
    }
  }

  /// Says what is wrong with a table as far as it can be known before the other side is asked: a plan should
  /// not have to be run for that.
  package static func check(
    _ table: ConnectorTable, isSource: Bool, _ environment: Environment
  ) throws(TerraceError) {
    let table = Secrets.withoutReferences(table)
    switch table.options["connector"] {
    case "postgres-cdc" where isSource: _ = try PostgresOptions(table)
    case "mysql-cdc" where isSource, "mariadb-cdc" where isSource: _ = try MySQLOptions(table)
    case "datagen" where isSource: _ = try DatagenSource(table, environment)
    case "nexmark" where isSource: _ = try NexmarkSource(table, environment)
    // The style of the others is known by their options.
    case _ where isSource: _ = try style(of: table)
    default: _ = try sink(table, environment)
    }
  }

  private static func unknown(_ table: ConnectorTable) -> TerraceError {
    TerraceError(
      .unsupported, "connector '\(table.options["connector"] ?? "")' here",
      hint: "sources: filesystem, datagen, nexmark, kafka, upsert-kafka, postgres-cdc, mysql-cdc; "
        + "sinks: filesystem, print, blackhole, http, kafka, upsert-kafka, jdbc"
    ).with("table", table.name)
  }
}
