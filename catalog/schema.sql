-- The metastore. Each migration begins with a `-- version N` line, runs once, in one transaction, and is
-- never edited after a release: what changes later is a new version at the end. README.md explains the tables.

-- version 1

-- Paimon's JDBC catalog, word for word as Java Paimon 0.9 makes it; IF NOT EXISTS lets a catalog that
-- another engine began go on here.
CREATE TABLE IF NOT EXISTS paimon_tables(catalog_key VARCHAR(255) NOT NULL,database_name VARCHAR(255) NOT NULL,table_name VARCHAR(255) NOT NULL, PRIMARY KEY (catalog_key, database_name, table_name));
CREATE TABLE IF NOT EXISTS paimon_database_properties(catalog_key VARCHAR(255) NOT NULL,database_name VARCHAR(255) NOT NULL,property_key VARCHAR(255),property_value VARCHAR(1000),PRIMARY KEY (catalog_key, database_name, property_key));
CREATE TABLE IF NOT EXISTS paimon_distributed_locks(lock_id VARCHAR(255) NOT NULL,acquired_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL,expire_time_seconds BIGINT DEFAULT 0 NOT NULL,PRIMARY KEY (lock_id));
CREATE TABLE IF NOT EXISTS paimon_table_properties(catalog_key VARCHAR(255) NOT NULL,database_name VARCHAR(255) NOT NULL,table_name VARCHAR(255) NOT NULL,property_key VARCHAR(255) NOT NULL,property_value VARCHAR(1000),PRIMARY KEY (catalog_key, database_name, table_name, property_key));

-- Ours. Times are milliseconds since 1970 UTC; tables are named DATABASE.TABLE.
CREATE TABLE terrace_meta(
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE terrace_layers(
  name TEXT PRIMARY KEY,
  position INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE terrace_schemas(
  table_name TEXT PRIMARY KEY,
  layer TEXT REFERENCES terrace_layers(name) ON DELETE SET NULL,
  ddl TEXT NOT NULL,
  hash TEXT NOT NULL,
  updated INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE terrace_jobs(
  name TEXT PRIMARY KEY,
  target TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  spec TEXT NOT NULL,
  state TEXT NOT NULL,
  counters TEXT NOT NULL,
  updated INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE terrace_lineage(
  from_name TEXT NOT NULL,
  to_name TEXT NOT NULL,
  job TEXT NOT NULL REFERENCES terrace_jobs(name) ON DELETE CASCADE,
  PRIMARY KEY (job, from_name, to_name)
) WITHOUT ROWID;

CREATE TABLE terrace_tag_partitions(
  table_name TEXT NOT NULL,
  column_name TEXT NOT NULL,
  value TEXT NOT NULL,
  tag TEXT NOT NULL,
  snapshot_id INTEGER NOT NULL,
  row_count INTEGER NOT NULL,
  byte_count INTEGER NOT NULL,
  file_count INTEGER NOT NULL,
  created INTEGER NOT NULL,
  PRIMARY KEY (table_name, value)
) WITHOUT ROWID;

CREATE TABLE terrace_leases(
  name TEXT PRIMARY KEY,
  holder TEXT NOT NULL,
  pid INTEGER NOT NULL,
  host TEXT NOT NULL,
  since INTEGER NOT NULL,
  until INTEGER NOT NULL
) WITHOUT ROWID;

-- For other engines: which snapshot is the partition `column_name = value` of a table.
CREATE VIEW terrace_partitions AS
  SELECT table_name, column_name, value, tag, snapshot_id, row_count, byte_count, file_count, created
  FROM terrace_tag_partitions;

-- version 2

-- What database servers said last of the tables that are synced from them.
CREATE TABLE terrace_synced(
  table_name TEXT NOT NULL,
  source TEXT NOT NULL,
  catalog TEXT NOT NULL,
  shape TEXT NOT NULL,
  updated INTEGER NOT NULL,
  PRIMARY KEY (table_name, source)
) WITHOUT ROWID;
