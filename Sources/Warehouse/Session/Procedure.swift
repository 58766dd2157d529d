import Columns
import SQL

/// The procedures of CALL, under the names and with the parameters of Paimon's.
enum Procedure: String, CaseIterable {
  case clearConsumers = "clear_consumers"
  case compact
  case createBranch = "create_branch"
  case createTag = "create_tag"
  case deleteBranch = "delete_branch"
  case deleteTag = "delete_tag"
  case dropPartition = "drop_partition"
  case expireSnapshots = "expire_snapshots"
  case expireTags = "expire_tags"
  case removeOrphanFiles = "remove_orphan_files"
  case renameTag = "rename_tag"
  case replaceTag = "replace_tag"
  case resetConsumer = "reset_consumer"
  case rollbackTo = "rollback_to"
  case rollbackToTimestamp = "rollback_to_timestamp"

  var changesTags: Bool {
    switch self {
    case .replaceTag, .renameTag, .expireTags, .rollbackTo, .rollbackToTimestamp: true
    default: false
    }
  }

  /// As the commands of the same meaning are, refused while the project's jobs run.
  var needsRest: Bool {
    switch self {
    case .rollbackTo, .rollbackToTimestamp, .expireSnapshots, .dropPartition, .compact: true
    default: false
    }
  }

  /// Names of the parameters in the order of positional arguments; the first is the table.
  var parameters: [String] {
    switch self {
    case .clearConsumers: ["table", "including_consumers", "excluding_consumers"]
    case .compact: ["table", "partitions", "compact_strategy"]
    case .createBranch: ["table", "branch", "tag"]
    case .createTag: ["table", "tag", "snapshot_id", "time_retained"]
    case .deleteBranch: ["table", "branch"]
    case .deleteTag: ["table", "tag"]
    case .dropPartition: ["table", "partitions"]
    case .expireSnapshots: ["table", "retain_max", "retain_min", "older_than", "max_deletes"]
    case .expireTags: ["table"]
    case .removeOrphanFiles: ["table", "older_than", "dry_run"]
    case .renameTag: ["table", "tag", "target_tag"]
    case .replaceTag: ["table", "tag", "snapshot_id", "time_retained"]
    case .resetConsumer: ["table", "consumer_id", "next_snapshot_id"]
    case .rollbackTo: ["table", "tag", "snapshot_id"]
    case .rollbackToTimestamp: ["table", "timestamp"]
    }
  }
}

/// The arguments of one call, by parameter.
struct ProcedureCall {
  let procedure: Procedure
  private var values: [String: ProcedureArgument] = [:]
  private let at: SessionStatement

  init(
    _ procedure: Procedure, _ arguments: [ProcedureArgument], _ at: SessionStatement
  ) throws(TerraceError) {
    self.procedure = procedure
    self.at = at
    let names = procedure.parameters
    for (index, argument) in arguments.enumerated() {
      let name: String
      if let given = argument.name {
        guard names.contains(given) else {
          throw at.error(
            "sys.\(procedure.rawValue) has no parameter '\(given)'", argument.span,
            hint: NearestName.hint(given, among: names, else: "it has "))
        }
        name = given
      } else {
        guard index < names.count else {
          throw at.error(
            "sys.\(procedure.rawValue) takes at most \(names.count) arguments", argument.span)
        }
        name = names[index]
      }
      if values[name] != nil { throw at.error("'\(name)' is given twice", argument.span) }
      if !argument.value.isNull { values[name] = argument }
    }
  }

  func span(_ name: String) -> SourceSpan { values[name]?.span ?? at.span }

  func text(_ name: String) throws(TerraceError) -> String? {
    guard let argument = values[name] else { return nil }
    guard case .bytes(let bytes) = argument.value, argument.type.isText else {
      throw at.error("'\(name)' is text", argument.span)
    }
    let text = String(decoding: bytes, as: UTF8.self)
    return text.isEmpty ? nil : text
  }

  func neededText(_ name: String) throws(TerraceError) -> String {
    if let text = try text(name) { return text }
    throw at.error("sys.\(procedure.rawValue) needs '\(name)'", span(name))
  }

  /// A whole number, also one in quotes.
  func number(_ name: String) throws(TerraceError) -> Int? {
    guard let argument = values[name] else { return nil }
    switch argument.value {
    case .int(let value): return Int(value)
    case .bytes(let bytes):
      if let value = Int(String(decoding: bytes, as: UTF8.self)) { return value }
    default: break
    }
    throw at.error("'\(name)' is a whole number", argument.span)
  }

  func flag(_ name: String) throws(TerraceError) -> Bool? {
    guard let argument = values[name] else { return nil }
    switch argument.value {
    case .boolean(let value): return value
    case .bytes(let bytes) where String(decoding: bytes, as: UTF8.self) == "true": return true
    case .bytes(let bytes) where String(decoding: bytes, as: UTF8.self) == "false": return false
    default: throw at.error("'\(name)' is TRUE or FALSE", argument.span)
    }
  }
}
