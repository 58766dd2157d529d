package import Columns
package import Dataflow

/// What a query asks the catalog for.
package struct TableReference: Hashable, Sendable {
  package enum Travel: Hashable, Sendable {
    /// Milliseconds since 1970 of a wall clock in the session's zone.
    case time(Int64)
    /// A snapshot id or the name of a tag.
    case version(String)
  }

  package struct Option: Hashable, Sendable {
    package var key: String
    package var value: String
  }

  /// As written: `[[catalog,] database,] name`.
  package var path: [String]
  /// Of the OPTIONS hint, in the order written, the last of a key only.
  package var options: [Option]
  package var travel: Travel?

  package init(path: [String], options: [Option] = [], travel: Travel? = nil) {
    self.path = path
    self.options = options
    self.travel = travel
  }
}

/// A table as a query sees it.
package struct BoundTable: Sendable {
  /// A column that SQL computes from the others.
  package struct Computed: Sendable {
    package var name: String
    package var value: ExpressionSyntax
    package init(name: String, value: ExpressionSyntax) {
      self.name = name
      self.value = value
    }
  }

  /// Becomes ``Plan/Source/reference``: equal for reads that are the same.
  package var reference: String
  /// What its reader gives: physical and metadata columns.
  package var type: RowType
  /// Types that the columns of ``type`` are cast to; nil: they have them.
  package var declared: RowType?
  package var primaryKey: [String]
  /// Rows are only ever added.
  package var isAppendOnly: Bool
  package var computed: [Computed]
  /// All columns in the order that `*` shows; empty: those of `type`, then the computed ones.
  package var order: [String]
  /// Column and expression of WATERMARK FOR.
  package var watermark: WatermarkSyntax?
  /// The text that computed columns and watermark stand in.
  package var text: SourceText?

  package init(
    reference: String, type: RowType, primaryKey: [String] = [], isAppendOnly: Bool,
    computed: [Computed] = [], order: [String] = [], watermark: WatermarkSyntax? = nil,
    text: SourceText? = nil
  ) {
    self.reference = reference
    self.type = type
    self.primaryKey = primaryKey
    self.isAppendOnly = isAppendOnly
    self.computed = computed
    self.order = order
    self.watermark = watermark
    self.text = text
  }
}

/// What a name stands for.
package enum ResolvedTable: Sendable {
  case table(BoundTable)
  /// A view: its query, the text it stands in, and the names of its columns (empty: the query's).
  case view(QuerySyntax, SourceText, columns: [String])
}

/// The catalog as the binder sees it.
package protocol TableResolver {
  /// The table or view of a name; nil when there is none.
  ///
  /// - Throws: what is wrong with options or time travel; the binder adds the place.
  func resolve(_ reference: TableReference) throws(TerraceError) -> ResolvedTable?

  /// Names that may have been meant, for hints: qualified as a user would write them.
  var tableNames: [String] { get }

  /// `table.local-time-zone`: what constants that know no zone are read in.
  var zone: SessionZone { get }
}

extension SourceText {
  /// A query that names a table of a catalog.
  func serverTable(_ path: NamePath) -> TerraceError {
    let hint = TerraceError.serverTable(path.texts)
    return error(hint.message, at: path.span, hint: hint.hint, kind: hint.kind)
  }
}

extension TerraceError {
  /// Tables of catalogs are followed, and then read here.
  package static func serverTable(_ path: [String]) -> TerraceError {
    TerraceError(
      .unsupported, "a table of a server in a query (\(path.joined(separator: ".")))",
      hint:
        "CREATE TABLE t AS TABLE \(path.joined(separator: ".")) in a file of a layer follows it; read t"
    )
  }
}

extension TableResolver {
  /// Of catalogs that no session stands behind.
  package var zone: SessionZone { .utc }
}

/// A bound query.
package struct BoundQuery: Sendable {
  package var plan: Plan
  /// Output columns that are event times with a watermark.
  package var eventTimes: Set<Int>
  /// Tables read, in the order of first mention: what lineage is made of.
  package var tables: [TableReference]

  package var type: RowType { plan.type }
}
