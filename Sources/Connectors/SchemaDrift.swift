package import Columns

/// What a table outside looks like now, after its columns were changed.
package struct SchemaDrift: Hashable, Sendable {
  /// All columns as they are from here on, in the server's order, with their comments.
  package var columns: [Field]
  package var primaryKey: [String]
  package var comment: String?
  /// Old name to new name, of columns of which the log says that they were renamed.
  package var renamed: [String: String]
  /// The table is gone.
  package var isDropped: Bool
  /// The statement or message that told it, for people.
  package var reason: String

  package init(
    columns: [Field], primaryKey: [String], comment: String? = nil,
    renamed: [String: String] = [:], isDropped: Bool = false, reason: String
  ) {
    self.columns = columns
    self.primaryKey = primaryKey
    self.comment = comment
    self.renamed = renamed
    self.isDropped = isDropped
    self.reason = reason
  }
}
