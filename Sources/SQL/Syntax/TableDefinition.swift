package import Columns

/// What stands between the parentheses of CREATE TABLE, and in ALTER TABLE ADD.
package struct ColumnSyntax: Sendable {
  package enum Kind: Sendable {
    case physical(DataType)
    /// `METADATA FROM 'key' VIRTUAL`
    case metadata(DataType, key: String?, isVirtual: Bool)
    case computed(ExpressionSyntax)
    /// Only a name: the column list of CREATE TABLE AS and of materialized tables.
    case nameOnly
  }

  package var name: Name
  package var kind: Kind
  package var typeSpan: SourceSpan?
  package var comment: String?
  package var isPrimaryKey = false
}

package struct WatermarkSyntax: Sendable {
  package var column: NamePath
  package var value: ExpressionSyntax
}

package struct PrimaryKeySyntax: Sendable {
  package var constraint: Name?
  package var columns: [Name]
  package var span: SourceSpan
}

package struct DistributionSyntax: Sendable {
  package enum Kind: Sendable { case unspecified, hash, range }
  package var kind: Kind
  package var columns: [Name]
  package var buckets: Int?
}

package struct LikeSyntax: Sendable {
  package struct Option: Sendable {
    /// INCLUDING, EXCLUDING or OVERWRITING.
    package var verb: String
    package var what: String
  }

  package var source: NamePath
  package var options: [Option]
}

/// Columns, keys and options of a table, as CREATE TABLE and CREATE MATERIALIZED TABLE give them.
package struct TableDefinition: Sendable {
  package var columns: [ColumnSyntax] = []
  package var watermark: WatermarkSyntax?
  package var primaryKey: PrimaryKeySyntax?
  package var comment: String?
  package var distribution: DistributionSyntax?
  package var partitionedBy: [Name] = []
  package var options: [OptionSyntax] = []
  /// False for a definition without parentheses.
  package var hasColumnList = false

  package init() {}
}

package struct CreateTableSyntax: Sendable {
  package var name: NamePath
  package var isTemporary: Bool
  package var ifNotExists: Bool
  /// CREATE OR REPLACE / REPLACE.
  package var orReplace: Bool
  package var definition: TableDefinition
  package var like: LikeSyntax?
  package var query: QuerySyntax?
  /// AS TABLE of another catalog.
  package var sync: SyncTableSyntax?

  package init(
    name: NamePath, isTemporary: Bool, ifNotExists: Bool, orReplace: Bool,
    definition: TableDefinition, like: LikeSyntax? = nil, query: QuerySyntax? = nil
  ) {
    self.name = name
    self.isTemporary = isTemporary
    self.ifNotExists = ifNotExists
    self.orReplace = orReplace
    self.definition = definition
    self.like = like
    self.query = query
  }
}

package enum RefreshMode: String, Sendable { case continuous = "CONTINUOUS", full = "FULL" }

package struct CreateMaterializedTableSyntax: Sendable {
  package var name: NamePath
  package var orAlter: Bool
  package var definition: TableDefinition
  /// A positive interval with its unit.
  package var freshness: IntervalSyntax?
  package var freshnessSpan: SourceSpan?
  package var refreshMode: RefreshMode?
  package var startMode: StartModeSyntax?
  package var query: QuerySyntax
}

package struct StartModeSyntax: Sendable {
  /// FROM_BEGINNING, RESUME_OR_FROM_NOW, …
  package var name: String
  package var argument: ExpressionSyntax?
}
