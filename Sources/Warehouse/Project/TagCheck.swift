import Columns
import Dataflow
import SQL

/// Tables that are to be tagged by a watermark, while their jobs have none: such a job would fail in every run.
struct TagCheck {
  private let jobs: [String: JobSpec]
  private let tables: [TableName: ProjectTable]

  init(_ jobs: [JobSpec], _ tables: [TableName: ProjectTable]) {
    self.jobs = Dictionary(jobs.map { ($0.name, $0) }) { first, _ in first }
    self.tables = tables
  }

  var problems: [TerraceError] {
    jobs.values.sorted { $0.name < $1.name }.compactMap { job in
      guard case .table(let name) = job.target, !job.isRefresh, let table = tables[name],
        let option = table.shape.options.last(where: { $0.key == "tag.automatic-creation" }),
        option.value == "watermark", !Self.hasWatermark(job.plan), !followsTags(job, [])
      else { return nil }
      let error = table.text.error(
        "'tag.automatic-creation' = 'watermark' needs a source with a WATERMARK",
        at: option.valueSpan,
        hint: "add WATERMARK FOR … AS … to the source, or tag by 'process-time'")
      return table.text.placed(error, nil)
    }
  }

  private static func hasWatermark(_ plan: Plan) -> Bool {
    if case .watermark = plan { return true }
    return plan.inputs.contains(where: hasWatermark)
  }

  /// One of its source tables is tagged by itself, or may be: then the job's target is tagged as that is.
  private func followsTags(_ job: JobSpec, _ seen: Set<String>) -> Bool {
    job.sources.values.contains { source in
      guard case .table(let name, _) = source else { return false }
      guard let table = tables[name] else { return true }
      if let mode = table.option("tag.automatic-creation"), mode != "none" { return true }
      let text = name.description
      guard !seen.contains(text), let above = jobs[text] else { return false }
      return followsTags(above, seen.union([text]))
    }
  }
}
