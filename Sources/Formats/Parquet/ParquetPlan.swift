import Columns

/// How a wanted column comes from the leaves of a file. Leaves are numbered in the plan's own order.
final class ParquetPlan {
  enum Source {
    /// Not in the file: all null.
    case missing
    case leaf
    case list(ParquetPlan)
    case map(ParquetPlan, ParquetPlan)
    case row([ParquetPlan])
  }

  let type: DataType
  let source: Source
  /// The file's column; nil when missing.
  let column: ParquetColumn?
  /// The leaf of this plan whose levels tell the structure.
  let leaf: Int

  private init(_ type: DataType, _ source: Source, _ column: ParquetColumn?, _ leaf: Int) {
    self.type = type
    self.source = source
    self.column = column
    self.leaf = leaf
  }

  /// A leaf to read, and the type its values get.
  struct WantedLeaf {
    var leaf: ParquetLeaf
    var type: DataType
    /// Only its levels are used.
    var isStructure: Bool
  }

  static func make(
    _ wanted: DataType, _ column: ParquetColumn?, _ leaves: inout [WantedLeaf]
  ) throws(TerraceError) -> ParquetPlan {
    guard let column else { return ParquetPlan(wanted, .missing, nil, -1) }
    switch (wanted.kind, column.shape) {
    case (.array(let type), .list(let element)):
      let plan = try make(type, element, &leaves)
      return ParquetPlan(wanted, .list(plan), column, structure(plan, element, &leaves))
    case (.map(let keyType, let valueType), .map(let key, let value)):
      let first = try make(keyType, key, &leaves)
      let second = try make(valueType, value, &leaves)
      return ParquetPlan(wanted, .map(first, second), column, structure(first, key, &leaves))
    case (.multiset(let keyType), .map(let key, let value)):
      let first = try make(keyType, key, &leaves)
      let second = try make(DataType.int.notNull, value, &leaves)
      return ParquetPlan(wanted, .map(first, second), column, structure(first, key, &leaves))
    case (.row(let fields), .row(let children)):
      var plans: [ParquetPlan] = []
      for field in fields {
        plans.append(
          try make(field.type, children.first { $0.name == field.name }, &leaves))
      }
      let known = plans.first { $0.leaf >= 0 }
      let leaf = known?.leaf ?? probe(column, &leaves)
      return ParquetPlan(wanted, .row(plans), column, leaf)
    case (.array, _), (.map, _), (.multiset, _), (.row, _), (_, .list), (_, .map), (_, .row):
      throw TerraceError(.unsupported, "reading Parquet \(column.type.kind) as \(wanted.kind)")
        .with("column", column.name)
    case (_, .leaf(let leaf)):
      _ = try ParquetConversion.from(leaf, to: wanted)
      leaves.append(WantedLeaf(leaf: leaf, type: wanted, isStructure: false))
      return ParquetPlan(wanted, .leaf, column, leaves.count - 1)
    }
  }

  private static func structure(
    _ plan: ParquetPlan, _ column: ParquetColumn, _ leaves: inout [WantedLeaf]
  ) -> Int {
    plan.leaf >= 0 ? plan.leaf : probe(column, &leaves)
  }

  private static func probe(_ column: ParquetColumn, _ leaves: inout [WantedLeaf]) -> Int {
    let leaf = column.firstLeaf
    // Its values are not looked at: read them as what they are.
    leaves.append(WantedLeaf(leaf: leaf, type: ParquetTypes.deduced(leaf), isStructure: true))
    return leaves.count - 1
  }
}
