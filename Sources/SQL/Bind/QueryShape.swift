package import Columns
import Dataflow

extension Binder {
  /// The table that a query fills: CREATE TABLE … AS and CREATE MATERIALIZED TABLE.
  ///
  /// Columns come from the query. A column list may reorder them by name or give them other types,
  /// to which they are cast; key columns become NOT NULL.
  ///
  /// - Returns: the shape, and the query with the shape's columns, in its order and types.
  package func shape(of definition: TableDefinition, filledBy query: QuerySyntax)
    throws(TerraceError) -> (shape: TableShape, query: BoundQuery)
  {
    var bound = try bind(query)
    let given = bound.type
    var whole = definition
    let listed = definition.columns
    whole.columns = []
    let order = listed.isEmpty ? given.fields.map { Name($0.name, query.span) } : listed.map(\.name)
    for name in order {
      guard let index = given.index(of: name.text) else {
        throw error(
          "column '\(name.text)' is not in the query", name.span,
          hint: Suggestion.hint(for: name.text, among: given.fields.map(\.name)))
      }
      var column =
        listed.first { $0.name.text == name.text } ?? ColumnSyntax(name: name, kind: .nameOnly)
      let type = given.fields[index].type
      switch column.kind {
      case .nameOnly: column.kind = .physical(type)
      case .physical(let wanted):
        guard TypeRules.canAssign(type, wanted) else {
          throw error(
            "column '\(name.text)' of the query is \(type.nullable.text) and does not fit \(wanted.nullable.text)",
            column.typeSpan ?? name.span,
            hint: castHint(type, wanted, nil)
              + (TypeRules.canCast(type, wanted) ? " in the query" : ""))
        }
      case .metadata, .computed:
        throw unsupported("a computed or metadata column filled by a query", name.span)
      }
      whole.columns.append(column)
    }
    if let missing = given.fields.first(where: { field in !order.contains { $0.text == field.name }
    }) {
      throw error(
        "column '\(missing.name)' of the query is missing in the column list", order[0].span)
    }
    let shape = try self.shape(of: whole)
    let places = order.map { given.index(of: $0.text) ?? 0 }
    let expressions = zip(places, shape.type.fields).map { place, field in
      Expression.column(place, given.fields[place].type).casted(to: field.type)
    }
    bound.eventTimes = Set(places.indices.filter { bound.eventTimes.contains(places[$0]) })
    bound.plan = PlanRewriter.rewrite(
      .map(
        Plan.Map(
          input: bound.plan, expressions: expressions, names: shape.type.fields.map(\.name))),
      zone)
    return (shape, bound)
  }

  /// Checks that a sink can take the changes of a query that fills it.
  package func check(_ query: BoundQuery, fills sink: SinkTable, at span: SourceSpan)
    throws(TerraceError)
  {
    try checkChanges(query.plan, nil, span, sink)
  }
}
