/// `AS TABLE catalog.database[.schema].table …`: a table that follows one of a server.
package struct SyncTableSyntax: Sendable {
  /// A column made of the others.
  package struct Added: Sendable {
    package var column: ColumnSyntax
    package var place: AlterTableSyntax.Place?
  }

  /// Three or four parts; database, schema and table may be regular expressions.
  package var source: NamePath
  /// Of the hint: for the connector.
  package var options: [OptionSyntax]
  package var added: [Added]
}

/// `CREATE DATABASE d AS DATABASE catalog.database INCLUDING …`: a table for each of a server's.
package struct SyncDatabaseSyntax: Sendable {
  package struct Pattern: Sendable {
    package var text: String
    package var span: SourceSpan
  }

  package var name: NamePath
  package var ifNotExists: Bool
  package var comment: String?
  package var withOptions: [OptionSyntax]
  /// Two or three parts: catalog, database, schema.
  package var source: NamePath
  /// nil: all tables.
  package var including: Pattern?
  package var excluding: Pattern?
  /// Of the hint: for the connector.
  package var options: [OptionSyntax]
}
