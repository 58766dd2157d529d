// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

/// A room of the house: a library that may use only the rooms named, all of them below it.
func room(_ name: String, on below: [String] = []) -> Target {
  .target(
    name: name, dependencies: below.map { .byName(name: $0) }, swiftSettings: strict)
}

func tests(of name: String, on others: [String] = [], fixtures: Bool = false) -> Target {
  .testTarget(
    name: name + "Tests", dependencies: ([name] + others).map { .byName(name: $0) },
    swiftSettings: strict)
}

let package = Package(
  name: "terrace",
  products: [.executable(name: "terrace", targets: ["terrace"])],
  targets: [
    .executableTarget(
      name: "terrace", dependencies: ["Warehouse", "Store", "Formats", "Columns"],
      swiftSettings: strict),
    room(
      "Warehouse",
      on: ["SQL", "Dataflow", "Connectors", "Catalog", "Store", "Formats", "Columns"]),
    room("Connectors", on: ["Store", "Formats", "Columns", "CLibraries"]),
    .target(
      name: "Catalog", dependencies: ["Store", "Columns", "CLibraries"],
      resources: [.embedInCode("schema.sql")], swiftSettings: strict),
    room("SQL", on: ["Dataflow", "Columns"]),
    room("Dataflow", on: ["Store", "Columns"]),
    room("Store", on: ["Formats", "Columns", "CLibraries"]),
    room("Formats", on: ["Columns", "CLibraries"]),
    room("Columns"),
    .systemLibrary(name: "CLibraries"),
    .executableTarget(
      name: "storebench", dependencies: ["Store", "Formats", "Columns"],
      path: "Benchmarks/StoreBench", swiftSettings: strict),
    .executableTarget(
      name: "flowbench", dependencies: ["Dataflow", "Store", "Columns"],
      path: "Benchmarks/FlowBench", swiftSettings: strict),
    .executableTarget(
      name: "decodebench", dependencies: ["Connectors", "Store", "Columns"],
      path: "Benchmarks/DecodeBench", swiftSettings: strict),
    tests(of: "Columns"),
    tests(of: "Formats", on: ["Columns"]),
    tests(of: "Store", on: ["Formats", "Columns"]),
    tests(of: "Dataflow", on: ["Store", "Columns"]),
    tests(of: "SQL", on: ["Dataflow", "Columns"]),
    tests(of: "Catalog", on: ["Store", "Columns"]),
    tests(of: "Connectors", on: ["Store", "Formats", "Columns", "CLibraries"]),
    tests(
      of: "Warehouse",
      on: ["SQL", "Dataflow", "Connectors", "Catalog", "Store", "Formats", "Columns"]),
    .testTarget(name: "HouseTests", swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6]
)
