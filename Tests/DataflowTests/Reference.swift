import Columns

@testable import Dataflow

typealias Row = [Scalar]
/// Rows with how often each is there.
typealias Bag = [Row: Int]

/// A second, naive evaluation of plans: row at a time over dictionaries, from the meaning of SQL and
/// not from the operators. Slow on purpose.
struct Reference {
  let tables: [String: Bag]

  func evaluate(_ plan: Plan) -> Bag {
    switch plan {
    case .source(let node):
      var out: Bag = [:]
      for (row, n) in tables[node.reference] ?? [:] {
        out[node.columns.map { row[$0] }, default: 0] += n
      }
      return out
    case .map(let node):
      var out: Bag = [:]
      for (row, n) in evaluate(node.input) {
        if let condition = node.condition, value(condition, row) != .boolean(true) { continue }
        out[node.expressions.map { value($0, row) }, default: 0] += n
      }
      return out
    case .join(let node): return join(node)
    case .aggregate(let node): return aggregate(node)
    case .windowAggregate(let node): return windows(node)
    case .rank(let node): return rank(node)
    case .over(let node): return over(node)
    case .union(let inputs):
      return inputs.reduce(into: [:]) { $0.merge(evaluate($1), uniquingKeysWith: +) }
    case .setOperation(let node):
      let left = evaluate(node.left)
      let right = evaluate(node.right)
      var out: Bag = [:]
      for (row, n) in left {
        let m = right[row] ?? 0
        let count: Int
        switch (node.kind, node.all) {
        case (.intersect, true): count = min(n, m)
        case (.intersect, false): count = m > 0 ? 1 : 0
        case (.except, true): count = max(0, n - m)
        case (.except, false): count = m > 0 ? 0 : 1
        }
        if count > 0 { out[row] = count }
      }
      return out
    case .sort(let node):
      var rows = sorted(evaluate(node.input), node.order)
      rows = Array(rows.dropFirst(node.offset).prefix(node.limit ?? rows.count))
      return rows.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    case .watermark(let node): return evaluate(node.input)
    case .values, .windowTable, .unnest, .upsert:
      preconditionFailure("no reference for \(plan.operatorName)")
    }
  }

  private func rows(_ bag: Bag) -> [Row] {
    bag.flatMap { Array(repeating: $0.key, count: $0.value) }
  }

  private func join(_ node: Plan.Join) -> Bag {
    let left = rows(evaluate(node.left))
    let right = rows(evaluate(node.right))
    func matches(_ a: Row, _ b: Row) -> Bool {
      for (i, (x, y)) in zip(node.leftKeys, node.rightKeys).enumerated() {
        if a[x].isNull || b[y].isNull {
          if !(node.nullSafe[i] && a[x].isNull && b[y].isNull) { return false }
        } else if a[x] != b[y] {
          return false
        }
      }
      return node.residual.map { value($0, a + b) == .boolean(true) } ?? true
    }
    if node.isNullAware { return notIn(node, left, right) }
    var out: Bag = [:]
    var met = Set<Int>()
    let leftNulls = Row(repeating: .null, count: node.left.type.count)
    let rightNulls = Row(repeating: .null, count: node.right.type.count)
    for a in left {
      var found = false
      for (j, b) in right.enumerated() where matches(a, b) {
        found = true
        met.insert(j)
        if node.kind != .semi && node.kind != .anti { out[a + b, default: 0] += 1 }
      }
      switch node.kind {
      case .left, .full: if !found { out[a + rightNulls, default: 0] += 1 }
      case .semi: if found { out[a, default: 0] += 1 }
      case .anti: if !found { out[a, default: 0] += 1 }
      default: break
      }
    }
    if node.kind == .right || node.kind == .full {
      for (j, b) in right.enumerated() where !met.contains(j) {
        out[leftNulls + b, default: 0] += 1
      }
    }
    return out
  }

  private func notIn(_ node: Plan.Join, _ left: [Row], _ right: [Row]) -> Bag {
    var out: Bag = [:]
    for a in left {
      // Three-valued: the row stays when `a IN (…)` is false.
      var result: Bool? = false
      for b in right {
        var correlates = true
        for (i, (x, y)) in zip(node.leftKeys, node.rightKeys).dropLast().enumerated() {
          if a[x].isNull || b[y].isNull {
            correlates = correlates && node.nullSafe[i] && a[x].isNull && b[y].isNull
          } else if a[x] != b[y] {
            correlates = false
          }
        }
        if let residual = node.residual, value(residual, a + b) != .boolean(true) {
          correlates = false
        }
        if !correlates { continue }
        let x = a[node.leftKeys[node.leftKeys.count - 1]]
        let y = b[node.rightKeys[node.rightKeys.count - 1]]
        if x.isNull || y.isNull {
          if result == false { result = nil }
        } else if x == y {
          result = true
        }
      }
      if result == false { out[a, default: 0] += 1 }
    }
    return out
  }

  // MARK: - Aggregates

  private func aggregate(_ node: Plan.Aggregate) -> Bag {
    var groups: [Row: [Row]] = [:]
    for row in rows(evaluate(node.input)) {
      groups[node.keys.map { row[$0] }, default: []].append(row)
    }
    if node.keys.isEmpty && groups.isEmpty { groups[[]] = [] }
    var out: Bag = [:]
    for (key, members) in groups {
      out[key + node.calls.map { call($0, members, node.input.type) }, default: 0] += 1
    }
    return out
  }

  func call(_ call: AggregateCall, _ members: [Row], _ type: RowType) -> Scalar {
    var chosen = members
    if let filter = call.filter { chosen = chosen.filter { $0[filter] == .boolean(true) } }
    guard let argument = call.argument else { return .int(Int64(chosen.count)) }
    var values = chosen.map { $0[argument] }.filter { !$0.isNull }
    if call.isDistinct { values = Array(Set(values)) }
    if call.function == .count { return .int(Int64(values.count)) }
    if values.isEmpty { return .null }
    switch call.function {
    case .sum, .average:
      if case .double = values[0] {
        let sum = values.reduce(0.0) {
          if case .double(let v) = $1 { return $0 + v } else { return $0 }
        }
        return .double(call.function == .sum ? sum : sum / Double(values.count))
      }
      let sum = values.reduce(Int64(0)) {
        if case .int(let v) = $1 { return $0 &+ v } else { return $0 }
      }
      let result = call.function == .sum ? sum : sum / Int64(values.count)
      return .int(call.type.physical == .int32 ? Int64(Int32(truncatingIfNeeded: result)) : result)
    case .min: return values.min { Scalar.compare($0, $1) < 0 } ?? .null
    case .max: return values.max { Scalar.compare($0, $1) < 0 } ?? .null
    default: preconditionFailure("no reference for \(call.function)")
    }
  }

  private func windows(_ node: Plan.WindowAggregate) -> Bag {
    var groups: [Row: [Row]] = [:]
    var byKey: [Row: [(Int64, Row)]] = [:]
    for row in rows(evaluate(node.input)) {
      guard case .int(let time) = row[node.timeColumn] else { continue }
      let key = node.keys.map { row[$0] }
      func add(_ start: Int64, _ end: Int64) {
        groups[key + [.int(start), .int(end), .int(end - 1)], default: []].append(row)
      }
      switch node.window {
      case .tumble(let size, let offset):
        for start in (-100...100).map({ Int64($0) * size + offset })
        where start <= time && time < start + size { add(start, start + size) }
      case .hop(let size, let slide, let offset):
        for start in (-200...200).map({ Int64($0) * slide + offset })
        where start <= time && time < start + size { add(start, start + size) }
      case .cumulate(let size, let step, let offset):
        for start in (-100...100).map({ Int64($0) * size + offset })
        where start <= time && time < start + size {
          for k in 1...(size / step) where time < start + k * step { add(start, start + k * step) }
        }
      case .session: byKey[key, default: []].append((time, row))
      }
    }
    if case .session(let gap) = node.window {
      for (key, members) in byKey {
        var session: [(Int64, Row)] = []
        func close() {
          guard let first = session.first, let last = session.last else { return }
          groups[key + [.int(first.0), .int(last.0 + gap), .int(last.0 + gap - 1)]] =
            session.map(\.1)
          session = []
        }
        for member in members.sorted(by: { $0.0 < $1.0 }) {
          if let last = session.last, member.0 - last.0 >= gap { close() }
          session.append(member)
        }
        close()
      }
    }
    var out: Bag = [:]
    for (key, members) in groups {
      let bounds = Array(key.suffix(3))
      let row =
        Array(key.prefix(key.count - 3)) + node.calls.map { call($0, members, node.input.type) }
        + bounds
      out[Row(row), default: 0] += 1
    }
    return out
  }

  // MARK: - Order

  /// By the keys, then by whole rows.
  private func sorted(_ bag: Bag, _ order: [SortKey]) -> [Row] {
    rows(bag).sorted { compare($0, $1, order) < 0 }
  }

  private func compareKeys(_ a: Row, _ b: Row, _ order: [SortKey]) -> Int {
    for key in order {
      let (x, y) = (a[key.column], b[key.column])
      if x.isNull != y.isNull { return x.isNull == key.nullsFirst ? -1 : 1 }
      let c = Scalar.compare(x, y)
      if c != 0 { return key.descending ? -c : c }
    }
    return 0
  }

  private func compare(_ a: Row, _ b: Row, _ order: [SortKey]) -> Int {
    let c = compareKeys(a, b, order)
    if c != 0 { return c }
    for (x, y) in zip(a, b) {
      let d = Scalar.compare(x, y)
      if d != 0 { return d }
    }
    return 0
  }

  private func partitions(_ input: Plan, _ partition: [Int], _ order: [SortKey]) -> [[Row]] {
    var groups: [Row: [Row]] = [:]
    for row in sorted(evaluate(input), order) {
      groups[partition.map { row[$0] }, default: []].append(row)
    }
    return Array(groups.values)
  }

  private func rank(_ node: Plan.Rank) -> Bag {
    var out: Bag = [:]
    for members in partitions(node.input, node.partition, node.order) {
      var dense = 0
      var rank = 0
      for (i, row) in members.enumerated() {
        let ties = i > 0 && compareKeys(members[i - 1], row, node.order) == 0
        if !ties {
          dense += 1
          rank = i + 1
        }
        let number: Int
        switch node.function {
        case .rowNumber: number = i + 1
        case .rank: number = rank
        case .denseRank: number = dense
        }
        if node.ranks.contains(number) {
          out[node.emitsRank ? row + [.int(Int64(number))] : row, default: 0] += 1
        }
      }
    }
    return out
  }

  private func over(_ node: Plan.Over) -> Bag {
    var out: Bag = [:]
    for members in partitions(node.input, node.partition, node.order) {
      func peers(_ i: Int, _ j: Int) -> Bool {
        compareKeys(members[i], members[j], node.order) == 0
      }
      for (i, row) in members.enumerated() {
        let extra = node.calls.map { call -> Scalar in
          switch call.function {
          case .rowNumber: return .int(Int64(i + 1))
          case .rank: return .int(Int64((0...i).first { peers($0, i) } ?? i) + 1)
          case .lag(let column, let offset, _):
            let at = i - offset
            return members.indices.contains(at) ? members[at][column] : .null
          case .aggregate(let aggregate):
            let chosen = members.indices.filter { j in
              if call.frame.unit == .rows {
                return j >= (call.frame.preceding.map { i - Int($0) } ?? Int.min)
                  && j <= (call.frame.following.map { i + Int($0) } ?? Int.max)
              }
              return (call.frame.preceding == nil && j < i) || peers(j, i)
                || (call.frame.following == nil && j > i)
            }
            return self.call(aggregate, chosen.map { members[$0] }, node.input.type)
          default: preconditionFailure("no reference for this function")
          }
        }
        out[row + extra, default: 0] += 1
      }
    }
    return out
  }

  // MARK: - Expressions

  func value(_ expression: Expression, _ row: Row) -> Scalar {
    switch expression {
    case .column(let i, _): return row[i]
    case .literal(let value, _): return value
    case .call(let op, let arguments, let type):
      guard case .int(let a) = value(arguments[0], row), case .int(let b) = value(arguments[1], row)
      else { return .null }
      let result = op == "+" ? a &+ b : op == "-" ? a &- b : a &* b
      return .int(type.physical == .int32 ? Int64(Int32(truncatingIfNeeded: result)) : result)
    case .cast(let operand, _, _): return value(operand, row)
    case .branches(let branches, let otherwise, _):
      for branch in branches where value(branch.condition, row) == .boolean(true) {
        return value(branch.value, row)
      }
      return value(otherwise, row)
    default:
      return truth(expression, row).map { .boolean($0) } ?? .null
    }
  }

  private func truth(_ expression: Expression, _ row: Row) -> Bool? {
    switch expression {
    case .and(let parts):
      let all = parts.map { truth($0, row) }
      return all.contains(false) ? false : all.contains(nil) ? nil : true
    case .or(let parts):
      let all = parts.map { truth($0, row) }
      return all.contains(true) ? true : all.contains(nil) ? nil : false
    case .not(let operand): return truth(operand, row).map { !$0 }
    case .compare(let op, let a, let b):
      let (x, y) = (value(a, row), value(b, row))
      return x.isNull || y.isNull ? nil : op.holds(Scalar.compare(x, y))
    case .distinct(let a, let b, let negated):
      return (value(a, row) == value(b, row)) == negated
    case .isNull(let operand): return value(operand, row).isNull
    case .isNotNull(let operand): return !value(operand, row).isNull
    case .isTruth(let operand, let wanted): return truth(operand, row) == wanted
    case .inList(let operand, let list):
      let x = value(operand, row)
      if x.isNull { return nil }
      return list.contains(x) ? true : list.contains(.null) ? nil : false
    default:
      if case .boolean(let b) = value(expression, row) { return b }
      return nil
    }
  }
}
