import Columns
import Formats
import Store

/// Plain Parquet files of the benchmark's rows, on one thread.
enum ParquetBench {
  static func write(_ path: String, _ rows: Int, _ repeats: Int) throws(TerraceError) {
    let source = BenchRows()
    var batches: [Batch] = []
    for start in stride(from: 0, to: rows, by: 65536) {
      batches.append(source.batch(start, min(rows, start + 65536), inserts: rows))
    }
    let files = LocalFileIO()
    for _ in 0..<repeats {
      _ = try files.delete(path)
      let start = seconds()
      let sink = try files.create(path)
      let writer = try ParquetWriter(sink, type: BenchRows.type, options: ParquetWriteOptions())
      for batch in batches { try writer.write(batch) }
      _ = try writer.finish()
      try sink.close()
      emit("parquet-write", seconds() - start, rows: rows)
    }
  }

  static func read(_ path: String, _ rows: Int, _ repeats: Int) throws(TerraceError) {
    for _ in 0..<repeats {
      let start = seconds()
      let scan = try ParquetFile(try LocalFileIO().open(path)).scan(BenchRows.type)
      var found = 0
      while let batch = try scan.next() { found += batch.count }
      emit("parquet-read", seconds() - start, rows: found)
    }
  }
}
