import Columns
import Connectors
import Dataflow
import SQL

/// What a job's old state depends on: its plan in full, what its sources are, and the key of its target.
///
/// Comments, white space, settings and columns that nobody reads count for nothing. What EXPLAIN shows is not
/// enough: it leaves out rows of VALUES and the ends of long lists.
enum PlanIdentity {
  static func fingerprint(
    _ plan: Plan, _ sources: [String: JobSpec.Source], _ key: [String]
  ) -> String {
    // How long a text of a column may be changes no row; what a CAST says does.
    let length = /(\.column\(\d+, Columns\.DataType\(kind: Columns\.DataType\.Kind\.var[a-z]+\()\d+/
    var text =
      String(reflecting: stripped(plan)).replacing(length) { "\($0.output.1)\(DataType.unbounded)" }
      + "\nkey \(key)"
    // Their state held instants before, which another release would read as wall clocks.
    if countsLocalTime(plan) { text += "\nwindows by wall clock" }
    for (name, source) in sources.sorted(by: { $0.key < $1.key }) {
      switch source {
      case .table(let table, let options):
        text += "\n\(name): \(table) \(list(options))"
      case .connector(let table):
        let identity = table.options.filter { identifying.contains($0.key) }
        text += "\n\(name): \(list(identity)) \(table.primaryKey)"
      }
    }
    return TextHash.digits(text) + TextHash.digits("2" + text)
  }

  /// It has windows of a TIMESTAMP_LTZ.
  private static func countsLocalTime(_ plan: Plan) -> Bool {
    if case .windowAggregate(let node) = plan,
      case .timestampLTZ = node.input.type.fields[node.timeColumn].type.kind
    {
      return true
    }
    return plan.inputs.contains(where: countsLocalTime)
  }

  /// Options that say which records a source holds and how they are read; others only tune.
  static let identifying: Set<String> = [
    "connector", "path", "topic", "format", "hostname", "port", "database-name", "schema-name",
    "table-name", "scan.startup.mode",
  ]

  private static func list(_ options: [String: String]) -> String {
    options.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
  }

  /// The plan with each source narrowed to what is read of it, and without ids and comments of columns.
  private static func stripped(_ plan: Plan) -> Plan {
    guard case .source(var source) = plan else { return plan.mapInputs(stripped) }
    let fields = source.columns.map { source.tableType.fields[$0] }
    source.tableType = RowType(fields.map { ($0.name, $0.type.anyLength) })
    source.columns = Array(fields.indices)
    return .source(source)
  }
}

extension DataType {
  /// A text or bytes of any length, where it is one of some length.
  fileprivate var anyLength: DataType {
    switch kind {
    case .varchar: DataType(.varchar(DataType.unbounded), nullable: isNullable)
    case .varbinary: DataType(.varbinary(DataType.unbounded), nullable: isNullable)
    default: self
    }
  }
}
