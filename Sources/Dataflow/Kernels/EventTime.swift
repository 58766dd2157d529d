package import Columns

extension Column {
  /// Milliseconds since 1970 of a TIMESTAMP or TIMESTAMP_LTZ row that is not null.
  package func eventMillis(_ row: Int) -> Int64 { WindowAssigner.millis(self, row) }
}
