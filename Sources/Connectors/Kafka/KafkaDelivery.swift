import Columns
import Store

/// How a sink delivers: `sink.*`.
struct KafkaDelivery {
  enum Guarantee { case none, atLeastOnce, exactlyOnce }
  enum Partitioner {
    /// By the key's hash as Java's client has it; without a key, by the hash of what tells rows apart where
    /// rows go and change, else whichever.
    case byKey
    case fixed, roundRobin
  }

  var guarantee = Guarantee.atLeastOnce
  var partitioner = Partitioner.byKey
  var transactionalPrefix: String?

  init(_ options: inout ConnectorOptions, isUpsert: Bool) throws(TerraceError) {
    let words = ["at-least-once", "exactly-once", "none"]
    // The older name of the same option.
    let name =
      options.table.options["sink.semantic"] == nil
      ? "sink.delivery-guarantee" : "sink.semantic"
    switch try options.choice(name, words) {
    case "exactly-once": guarantee = .exactlyOnce
    case "none": guarantee = .none
    default: break
    }
    transactionalPrefix = options.text("sink.transactional-id-prefix")
    if guarantee == .exactlyOnce, transactionalPrefix?.isEmpty ?? true {
      throw options.missing(
        "sink.transactional-id-prefix", "'sink.delivery-guarantee' = 'exactly-once'")
    }
    if isUpsert {
      // Rows are sent as they come, in batches that librdkafka makes; the last one of a key counts.
      if let rows = try options.integer("sink.buffer-flush.max-rows"), rows < 0 {
        throw options.wrong("sink.buffer-flush.max-rows", "a whole number, 0 for none")
      }
      _ = try options.duration("sink.buffer-flush.interval")
      return
    }
    switch options.text("sink.partitioner")?.lowercased() ?? "default" {
    case "default": partitioner = .byKey
    case "fixed": partitioner = .fixed
    case "round-robin": partitioner = .roundRobin
    default:
      throw TerraceError(
        .unsupported, "a partitioner of one's own", hint: "default, fixed and round-robin are known"
      ).with("table", options.table.name).with("option", "sink.partitioner")
    }
    if partitioner == .roundRobin, options.table.options["key.fields"] != nil {
      throw TerraceError(
        .invalid, "'sink.partitioner' = 'round-robin' does not go with 'key.fields'"
      ).with("table", options.table.name)
    }
  }
}
