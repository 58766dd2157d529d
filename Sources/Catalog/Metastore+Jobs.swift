package import Columns

/// A job, and what was last heard of it.
package struct JobRow: Hashable, Sendable {
  package var name: String
  /// `dwd.orders`, or what the connector calls a target outside.
  package var target: String
  /// Of the plan and its state: see `JobSpec.fingerprint`.
  package var fingerprint: String
  /// The text of the spec.
  package var spec: String
  /// A word such as `running`, `idle`, `failed`; the runner's to choose.
  package var state: String
  /// A JSON object: the last counters, the last error.
  package var counters: String
  package var updatedMillis: Int64

  package init(
    name: String, target: String, fingerprint: String, spec: String, state: String,
    counters: String = "{}", updatedMillis: Int64
  ) {
    self.name = name
    self.target = target
    self.fingerprint = fingerprint
    self.spec = spec
    self.state = state
    self.counters = counters
    self.updatedMillis = updatedMillis
  }
}

/// Rows of `from` make rows of `to`.
package struct LineageEdge: Hashable, Sendable {
  package var from: String
  package var to: String
  package var job: String

  package init(from: String, to: String, job: String) {
    self.from = from
    self.to = to
    self.job = job
  }
}

/// Who works with something. It informs; the lock of the operating system excludes.
package struct Lease: Hashable, Sendable {
  package var name: String
  package var holder: String
  package var pid: Int
  package var host: String
  package var sinceMillis: Int64
  /// After this time the holder is taken for dead.
  package var untilMillis: Int64

  package init(
    name: String, holder: String, pid: Int, host: String, sinceMillis: Int64, untilMillis: Int64
  ) {
    self.name = name
    self.holder = holder
    self.pid = pid
    self.host = host
    self.sinceMillis = sinceMillis
    self.untilMillis = untilMillis
  }
}

/// Jobs, lineage and leases.
extension Metastore {
  // MARK: Jobs

  /// Makes a job known or changes it; its lineage stays.
  package func put(_ job: JobRow) throws(TerraceError) {
    try run(
      """
      INSERT INTO terrace_jobs(name, target, fingerprint, spec, state, counters, updated)
      VALUES (?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT(name) DO UPDATE SET target = excluded.target,
        fingerprint = excluded.fingerprint, spec = excluded.spec, state = excluded.state,
        counters = excluded.counters, updated = excluded.updated
      """,
      [
        .text(job.name), .text(job.target), .text(job.fingerprint), .text(job.spec),
        .text(job.state), .text(job.counters), .int(job.updatedMillis),
      ])
  }

  /// What a running job says of itself.
  ///
  /// - Returns: false when there is no such job.
  @discardableResult package func update(
    job name: String, state: String, counters: String
  ) throws(TerraceError) -> Bool {
    try run(
      "UPDATE terrace_jobs SET state = ?, counters = ? WHERE name = ?",
      [.text(state), .text(counters), .text(name)]) > 0
  }

  /// What is there of these jobs is as of this instant.
  package func touch(jobs: [String], updatedMillis: Int64) throws(TerraceError) {
    // SQLite takes so many values at most.
    for start in stride(from: 0, to: jobs.count, by: 500) {
      let some = jobs[start..<min(start + 500, jobs.count)]
      let places = Array(repeating: "?", count: some.count).joined(separator: ", ")
      try run(
        "UPDATE terrace_jobs SET updated = ? WHERE name IN (\(places))",
        [.int(updatedMillis)] + some.map { .text($0) })
    }
  }

  package func job(_ name: String) throws(TerraceError) -> JobRow? {
    try jobs("WHERE name = ?", [.text(name)]).first
  }

  package func jobs() throws(TerraceError) -> [JobRow] { try jobs("", []) }

  /// Forgets a job and its lineage.
  package func delete(job name: String) throws(TerraceError) {
    try run("DELETE FROM terrace_jobs WHERE name = ?", [.text(name)])
  }

  private func jobs(
    _ condition: String, _ values: [SQLiteValue]
  ) throws(TerraceError) -> [JobRow] {
    try rows(
      """
      SELECT name, target, fingerprint, spec, state, counters, updated
      FROM terrace_jobs \(condition) ORDER BY name
      """, values
    ).map {
      JobRow(
        name: $0.text(0), target: $0.text(1), fingerprint: $0.text(2), spec: $0.text(3),
        state: $0.text(4), counters: $0.text(5), updatedMillis: $0.int(6))
    }
  }

  // MARK: Lineage

  package func lineage() throws(TerraceError) -> [LineageEdge] {
    try rows("SELECT from_name, to_name, job FROM terrace_lineage ORDER BY 2, 1, 3").map {
      LineageEdge(from: $0.text(0), to: $0.text(1), job: $0.text(2))
    }
  }

  /// Puts these edges in the place of those of their job. The job must be known.
  package func replaceLineage(
    of job: String, _ edges: [LineageEdge]
  ) throws(TerraceError) {
    try transaction { () throws(TerraceError) in
      try run("DELETE FROM terrace_lineage WHERE job = ?", [.text(job)])
      for edge in edges {
        try run(
          "INSERT OR IGNORE INTO terrace_lineage(from_name, to_name, job) VALUES (?, ?, ?)",
          [.text(edge.from), .text(edge.to), .text(job)])
      }
    }
  }

  // MARK: Leases

  /// Takes or renews a lease.
  ///
  /// - Parameter nowMillis: a lease that ended before is anybody's.
  /// - Returns: the holder's lease when that is somebody else; nil when it is ours now.
  package func take(_ lease: Lease, nowMillis: Int64) throws(TerraceError) -> Lease? {
    try transaction { () throws(TerraceError) -> Lease? in
      if let other = try leases("WHERE name = ?", [.text(lease.name)]).first,
        other.untilMillis >= nowMillis,
        (other.holder, other.pid, other.host) != (lease.holder, lease.pid, lease.host)
      {
        return other
      }
      try run(
        """
        INSERT OR REPLACE INTO terrace_leases(name, holder, pid, host, since, until)
        VALUES (?, ?, ?, ?, ?, ?)
        """,
        [
          .text(lease.name), .text(lease.holder), .int(Int64(lease.pid)), .text(lease.host),
          .int(lease.sinceMillis), .int(lease.untilMillis),
        ])
      return nil
    }
  }

  /// Gives a lease back; that of somebody else stays.
  package func release(_ lease: Lease) throws(TerraceError) {
    try run(
      "DELETE FROM terrace_leases WHERE name = ? AND holder = ? AND pid = ? AND host = ?",
      [.text(lease.name), .text(lease.holder), .int(Int64(lease.pid)), .text(lease.host)])
  }

  package func leases() throws(TerraceError) -> [Lease] { try leases("", []) }

  private func leases(
    _ condition: String, _ values: [SQLiteValue]
  ) throws(TerraceError) -> [Lease] {
    try rows(
      "SELECT name, holder, pid, host, since, until FROM terrace_leases \(condition) ORDER BY name",
      values
    ).map {
      Lease(
        name: $0.text(0), holder: $0.text(1), pid: Int($0.int(2)), host: $0.text(3),
        sinceMillis: $0.int(4), untilMillis: $0.int(5))
    }
  }
}
