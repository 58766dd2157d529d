import Columns
import Connectors
import Glibc
import Store

/// Processor seconds of this process, without what the system did for it.
func seconds() -> Double {
  var usage = rusage()
  getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
  return Double(usage.ru_utime.tv_sec) + Double(usage.ru_utime.tv_usec) * 1e-6
}

/// Reads a file by its connector, all columns of all rows, and keeps nothing.
///
/// - Returns: rows.
func decode(_ table: ConnectorTable, _ environment: Environment) throws(TerraceError) -> Int {
  let source = try Connectors.source(table, environment)
  defer { source.close() }
  try source.stopAtPresent()
  source.endInput()
  var rows = 0
  while !source.isDrained {
    guard let batch = try source.poll(rows: 8192, bytes: 1 << 20) else { continue }
    if let letter = batch.deadLetters.first {
      throw TerraceError(.invalid, letter.reason).with("place", letter.place)
    }
    rows += batch.rows.count
  }
  return rows
}

/// `decodebench FILE FORMAT REPEATS NAME TYPE [NAME TYPE …] [--key NAME]`: one thread; prints the
/// seconds and the rows of a repetition.
func run(_ words: [String]) throws(TerraceError) {
  guard words.count >= 5, let repeats = Int(words[2]) else {
    throw TerraceError(.invalid, "usage: decodebench FILE FORMAT REPEATS NAME TYPE …")
  }
  var columns: [(String, DataType)] = []
  var key: [String] = []
  for index in stride(from: 3, to: words.count - 1, by: 2) {
    if words[index] == "--key" {
      key = [words[index + 1]]
    } else {
      columns.append((words[index], try DataType(text: words[index + 1])))
    }
  }
  let table = ConnectorTable(
    name: "bench", type: RowType(columns), primaryKey: key,
    options: ["connector": "filesystem", "path": words[0], "format": words[1]], folder: "/")
  let environment = Environment()
  let started = seconds()
  var rows = 0
  for _ in 0..<repeats { rows += try decode(table, environment) }
  print("\((seconds() - started) / Double(repeats))\t\(rows / repeats)")
}

// Everything happens in functions: code in this file itself would run on the main actor.
do throws(TerraceError) {
  try run(Array(CommandLine.arguments.dropFirst()))
} catch {
  let text = "decodebench: \(error)\n"
  _ = text.withCString { Glibc.write(2, $0, strlen($0)) }
  exit(1)
}
