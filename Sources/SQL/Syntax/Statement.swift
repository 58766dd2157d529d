import Columns

/// One statement of a script.
package struct Statement: Sendable {
  package indirect enum Kind: Sendable {
    case query(QuerySyntax)
    case insert(InsertSyntax)
    case statementSet([InsertSyntax])
    case createTable(CreateTableSyntax)
    case createMaterializedTable(CreateMaterializedTableSyntax)
    case createView(CreateViewSyntax)
    case createDatabase(CreateNamespaceSyntax)
    case createCatalog(CreateNamespaceSyntax)
    case syncDatabase(SyncDatabaseSyntax)
    case drop(DropSyntax)
    case alterTable(AlterTableSyntax)
    case alterMaterializedTable(NamePath, AlterMaterializedTable)
    case alterView(NamePath, AlterView)
    case alterDatabase(Name, [OptionSyntax])
    /// Without a pair: show all.
    case set(OptionSyntax?)
    case reset(Name?)
    case show(ShowSyntax)
    case describe(ObjectKind, NamePath, isExtended: Bool)
    case explain(details: [String], Statement)
    case use(ObjectKind, NamePath)
    case call(NamePath, [CallSyntax.Argument])
    case delete(NamePath, filter: ExpressionSyntax?)
    case update(NamePath, [(column: Name, value: ExpressionSyntax)], filter: ExpressionSyntax?)
    case truncate(NamePath)
  }

  package var kind: Kind
  package var span: SourceSpan
}

package struct InsertSyntax: Sendable {
  package enum Conflict: String, Sendable {
    case nothing = "NOTHING", error = "ERROR", deduplicate = "DEDUPLICATE"
  }

  package struct StaticPartition: Sendable {
    package var column: Name
    /// nil for a dynamic partition column.
    package var value: ExpressionSyntax?
  }

  package var target: NamePath
  package var isOverwrite: Bool
  package var hints: [HintSyntax]
  package var partition: [StaticPartition]
  package var columns: [Name]
  package var query: QuerySyntax
  package var onConflict: Conflict?
  package var span: SourceSpan
}

package enum ObjectKind: String, Sendable {
  case table = "TABLE", materializedTable = "MATERIALIZED TABLE", view = "VIEW"
  case database = "DATABASE", catalog = "CATALOG", function = "FUNCTION"
}

package struct CreateViewSyntax: Sendable {
  package var name: NamePath
  package var isTemporary: Bool
  package var ifNotExists: Bool
  package var orReplace: Bool
  package var columns: [Name]
  package var comment: String?
  package var query: QuerySyntax
}

/// CREATE DATABASE or CREATE CATALOG.
package struct CreateNamespaceSyntax: Sendable {
  package var name: NamePath
  package var ifNotExists: Bool
  package var comment: String?
  package var options: [OptionSyntax]
}

package struct DropSyntax: Sendable {
  package var kind: ObjectKind
  package var name: NamePath
  package var ifExists: Bool
  package var isTemporary: Bool
  /// DROP DATABASE … CASCADE.
  package var isCascade: Bool
}

package struct AlterTableSyntax: Sendable {
  package enum Place: Sendable {
    case first
    case after(Name)
  }

  package enum Change: Sendable {
    case addColumn(ColumnSyntax, Place?)
    case modifyColumn(ColumnSyntax, Place?)
    case addPrimaryKey(PrimaryKeySyntax)
    case modifyPrimaryKey(PrimaryKeySyntax)
    case addWatermark(WatermarkSyntax)
    case modifyWatermark(WatermarkSyntax)
    case dropColumns([Name])
    case dropPrimaryKey
    case dropConstraint(Name)
    case dropWatermark
    case renameColumn(Name, to: Name)
    case renameTable(NamePath)
    case setOptions([OptionSyntax])
    case resetOptions([Name])
    case addPartitions([[OptionSyntax]], ifNotExists: Bool)
    case dropPartitions([[OptionSyntax]], ifExists: Bool)
  }

  package var name: NamePath
  package var ifExists: Bool
  package var changes: [Change]
}

package enum AlterMaterializedTable: Sendable {
  case suspend
  case resume([OptionSyntax])
  case refresh(partition: [OptionSyntax])
  case asQuery(QuerySyntax)
  case setOptions([OptionSyntax])
  case resetOptions([Name])
}

package enum AlterView: Sendable {
  case rename(NamePath)
  case asQuery(QuerySyntax)
}

package struct ShowSyntax: Sendable {
  package enum Kind: String, Sendable {
    case catalogs = "CATALOGS", databases = "DATABASES", tables = "TABLES", views = "VIEWS"
    case materializedTables = "MATERIALIZED TABLES", functions = "FUNCTIONS", columns = "COLUMNS"
    case partitions = "PARTITIONS", createTable = "CREATE TABLE", createView = "CREATE VIEW"
    case createMaterializedTable = "CREATE MATERIALIZED TABLE"
    case createCatalog = "CREATE CATALOG", createDatabase = "CREATE DATABASE"
    case currentCatalog = "CURRENT CATALOG", currentDatabase = "CURRENT DATABASE"
    case procedures = "PROCEDURES", jobs = "JOBS", modules = "MODULES"
  }

  package struct Like: Sendable {
    package var pattern: String
    package var isNegated: Bool
  }

  package var kind: Kind
  /// The table or database asked about.
  package var name: NamePath?
  package var like: Like?
  /// SHOW PARTITIONS t PARTITION (…)
  package var partition: [OptionSyntax] = []
}
