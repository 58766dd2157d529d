package import Columns

extension ParquetFile {
  /// Headers of the pages of one column chunk, in file order; their bodies are passed over unread.
  ///
  /// - Parameter limit: headers to read at most.
  package func pages(
    of chunk: ParquetChunk, limit: Int = .max
  ) throws(TerraceError) -> [ParquetPage] {
    let cursor = try ParquetChunkCursor(
      source, ranges: [chunk.start..<(chunk.start + chunk.compressedBytes)],
      column: chunk.path.joined(separator: "."), windowBytes: 4096)
    var pages: [ParquetPage] = []
    while pages.count < limit, let page = try cursor.nextPage() {
      pages.append(page)
      cursor.skip(page.compressedBytes)
    }
    return pages
  }
}
