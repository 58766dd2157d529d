import Columns
import Store
import Warehouse

extension Terrace {
  /// `table read --changes`: the changelog, with the kind of each row in front.
  static func readChanges(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    for flag in ["--snapshot", "--tag", "--timestamp"] where arguments.has(flag) {
      throw TerraceError(
        .invalid, "\(flag) reads one version; --changes takes --from and --to")
    }
    let name = try arguments.tableName()
    let table = try arguments.warehouse().open(name)
    let request = try ChangeRequest(arguments, table, owner: name.description, console)
    let follows = arguments.has("--follow")
    if follows { Interruption.watch() }
    let range = ChangeRange(
      table, from: try arguments.integer("--from", from: 1).map { Int64($0) },
      to: try arguments.integer("--to", from: 1).map { Int64($0) })
    var next = try range.first()
    while request.wantsMore, !Interruption.happened {
      guard let id = next, try range.isThere(id) else {
        guard follows, !range.isPast(next) else { break }
        try request.flush()
        table.environment.time.sleep(millis: 200)
        if next == nil { next = try range.first() }
        continue
      }
      try request.print(try range.scan(request.query).changes(of: try range.snapshot(id)))
      if range.isPast(id + 1) { break }
      next = id + 1
    }
    try request.finish()
  }
}

/// Prints changes with the columns of a query.
private final class ChangeRequest {
  private let request: ReadRequest
  private let kindType: RowType

  init(
    _ arguments: Arguments, _ table: Table, owner: String, _ console: Console
  ) throws(TerraceError) {
    request = try ReadRequest(
      arguments, type: table.schema.rowType, owner: owner, console: console,
      limit: 0, leading: Field(id: -1, name: "rowkind", type: DataType.string.notNull))
    kindType = request.printedType
  }

  var query: RowQuery { request.query }
  var wantsMore: Bool { request.wantsMore }

  func print(_ read: ChangeRead) throws(TerraceError) {
    while wantsMore, let changes = try read.next() {
      let kinds = ColumnBuilder(kindType.fields[0].type, capacity: changes.rows.count)
      for row in 0..<changes.rows.count {
        let kind = RowKind(rawValue: changes.kinds.pointer(UInt8.self)[row]) ?? .insert
        kinds.append(kind.text)
      }
      try request.print(
        Batch(kindType, [kinds.finish()] + changes.rows.columns, count: changes.rows.count))
    }
  }

  func flush() throws(TerraceError) { try request.flush() }
  func finish() throws(TerraceError) { try request.finish() }
}
