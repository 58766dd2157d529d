import Formats

/// What would change, for people and for programs.
package enum ChangesText {
  package static func listing(_ changes: ProjectChanges) -> Listing {
    var listing = Listing("kind", "name", "change", "details")
    for table in changes.tables {
      listing.add(
        .string("table"), .string(table.name.description), .string(table.kind.rawValue),
        JSONValue(table.lines.isEmpty ? nil : table.lines.joined(separator: "\n")))
    }
    for job in changes.jobs {
      listing.add(
        .string("job"), .string(job.name),
        .string(job.needsRebuild ? "rebuild" : job.kind.rawValue),
        JSONValue(details(job).isEmpty ? nil : details(job).joined(separator: "\n")))
    }
    return listing
  }

  private static func details(_ job: ProjectChanges.JobChange) -> [String] {
    job.looksUp.map { "looks up \($0), and keeps no state of it" } + job.lines
  }

  /// ```
  /// + dwd.orders   new
  /// ~ dws.daily    the query has changed
  ///     - WHERE status <> 'x'
  /// ```
  package static func text(_ changes: ProjectChanges, isStyled: Bool) -> String {
    func line(_ mark: String, _ name: String, _ what: String) -> String {
      let shown = "\(mark) \(name)".padded(to: width)
      return (isStyled ? "\u{1b}[1m\(shown)\u{1b}[0m" : shown) + "  " + what + "\n"
    }
    let width =
      (changes.tables.map(\.name.description) + changes.jobs.map(\.name))
      .map { DisplayText.width($0) + 2 }.max() ?? 0
    var text = ""
    var unchanged = 0
    for table in changes.tables {
      let job = changes.jobs.first { $0.name == table.name.description }
      let jobChange = job.map(words) ?? ""
      switch table.kind {
      case .new: text += line("+", table.name.description, "new table")
      case .impossible: text += line("!", table.name.description, "cannot be changed")
      case .changed: text += line("~", table.name.description, "the table changes")
      case .removed: text += line("-", table.name.description, "no spec any more")
      case .unchanged where jobChange.isEmpty: unchanged += 1
      case .unchanged: text += line("~", table.name.description, jobChange)
      }
      for detail in table.lines { text += "    \(detail)\n" }
      if let job, job.kind == .new {
        for detail in details(job) { text += "    \(detail)\n" }
      }
      if let job, job.kind == .changed, table.kind != .new {
        if table.kind != .unchanged { text += "    \(jobChange)\n" }
        for detail in job.lines.prefix(40) { text += "    \(detail)\n" }
      }
    }
    let tables = Set(changes.tables.map(\.name.description))
    for job in changes.jobs where !tables.contains(job.name) {
      switch job.kind {
      case .unchanged: unchanged += 1
      case .removed: text += line("-", job.name, "the job goes; its table stays")
      default: text += line(job.kind == .new ? "+" : "~", job.name, words(job))
      }
    }
    if unchanged > 0 { text += "= \(unchanged) unchanged\n" }
    return text
  }

  private static func words(_ job: ProjectChanges.JobChange) -> String {
    switch job.kind {
    case _ where job.rebuildReason != nil:
      "\(job.rebuildReason ?? ""): apply with --rebuild \(job.name)"
    case .new: "new job"
    case .changed: "the text has changed, what it means has not"
    default: ""
    }
  }
}

extension String {
  fileprivate func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - DisplayText.width(self)))
  }
}
