-- The metastore, first version. Each migration stands between two `-- version N` lines.
-- version 1
CREATE TABLE IF NOT EXISTS terrace_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
