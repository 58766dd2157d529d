/// The migrations of the metastore, compiled into the binary from `catalog/schema.sql`.
enum MetastoreSchema {
  static var text: String { String(decoding: PackageResources.schema_sql, as: UTF8.self) }
}
