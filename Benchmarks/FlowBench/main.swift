import Columns
import Glibc

// Everything happens in functions: code in this file itself would run on the main actor.
do throws(TerraceError) {
  try FlowBench().run(Array(CommandLine.arguments.dropFirst()))
} catch {
  let text = "flowbench: \(error)\n"
  _ = text.withCString { Glibc.write(2, $0, strlen($0)) }
  exit(1)
}
