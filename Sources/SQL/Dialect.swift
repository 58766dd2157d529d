/// The SQL that this room reads.
package enum Dialect {
  /// Flink's dialect, of this version.
  package static let flinkVersion = "2.3"
}
