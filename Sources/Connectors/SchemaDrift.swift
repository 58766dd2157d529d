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
  /// Where it stands in the server's log, in the connector's words: a source that is told so (the option
  /// ``placeOption``) does not tell it again. Nil: it is not told again once the columns agree.
  package var place: String?

  package static let placeOption = "schema.place"
  /// Option of a source: the declared key is the reader's own, and the table at the server has none.
  package static let ownKeyOption = "schema.own-key"

  package init(
    columns: [Field], primaryKey: [String], comment: String? = nil,
    renamed: [String: String] = [:], isDropped: Bool = false, reason: String, place: String? = nil
  ) {
    self.columns = columns
    self.primaryKey = primaryKey
    self.comment = comment
    self.renamed = renamed
    self.isDropped = isDropped
    self.reason = reason
    self.place = place
  }
}
