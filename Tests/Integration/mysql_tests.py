"""MySQL as a source and as a target: what MariaDB is asked (mariadb_tests), and what only MySQL has."""
import sys

import mariadb_tests as maria
import mysql_attack
import servers


def on(kind, test, **more):
    """A test of MariaDB with another server."""

    def run(world):
        maria.Server = kind
        try: test(world, **more)
        finally: maria.Server = servers.MariaDB

    run.__name__ = f"{test.__name__}_{kind.VERSION.replace('.', '')}"
    return run


def columns(world, server):
    """Columns that only MySQL has: invisible ones, keys that it makes itself, indexes of expressions, vectors, and those that came at once (ALGORITHM = INSTANT)."""
    has_vector = server.VERSION != "8.0"
    vector = ", w VECTOR(3)" if has_vector else ""
    server.run("SET GLOBAL binlog_row_metadata = FULL", "CREATE DATABASE only CHARACTER SET utf8mb4", "SET sql_require_primary_key = ON",
               f"CREATE TABLE only.t (id INT PRIMARY KEY, hidden INT INVISIBLE DEFAULT 7, v VARCHAR(20) COLLATE utf8mb4_0900_as_cs, f INT, KEY fx ((f * 2)), KEY mv ((UPPER(v))){vector})",
               "SET SESSION sql_generate_invisible_primary_key = ON", "CREATE TABLE only.keyless (v INT)", "INSERT INTO only.keyless VALUES (1), (1), (2)",
               "INSERT INTO only.t (id, v, f) VALUES (1, 'é', 1), (2, NULL, 2)", "CREATE ROLE reader", "GRANT SELECT ON *.* TO reader", "ANALYZE TABLE only.t", "FLUSH PRIVILEGES")
    project = maria.new(world, "only")
    project.write("layers/ods/all.sql", f"CREATE CATALOG src WITH ('type' = 'mysql-cdc', 'hostname' = '127.0.0.1', 'port' = '{server.port}', 'username' = 'cdc', 'password' = 'secret');\n"
                  "CREATE DATABASE ods AS DATABASE src.only INCLUDING ALL TABLES;\n")
    project.once()
    if has_vector: server.run("UPDATE only.t SET w = TO_VECTOR('[1, -0.5, 1e20]') WHERE id = 1")
    server.run("INSERT INTO only.t (id, hidden, v, f) VALUES (3, 30, 'z', 3)", "UPDATE only.t SET f = 20 WHERE id = 2", "DELETE FROM only.keyless WHERE v = 1 LIMIT 1",
               "ALTER TABLE only.t ADD COLUMN early INT DEFAULT 5 AFTER id, ALGORITHM = INSTANT",
               "INSERT INTO only.t (id, early, hidden, v, f) VALUES (4, 40, 41, 'zz', 4)", "CREATE TABLE only.made (id INT PRIMARY KEY) AS SELECT id FROM only.t")
    for _ in range(2): project.once()
    names = "id, early, hidden, v, f"
    there = [tuple(row) for row in server.run(f"SELECT {names} FROM only.t ORDER BY id")]
    # Rows from before have no value of a column that came later.
    there = [(row[0], row[1] if row[0] > 3 else None, *row[2:]) for row in there]
    here = [tuple(row.values()) for row in project.rows(f"SELECT {names} FROM ods.t ORDER BY id")]
    world.checks.equal("columns that only MySQL has", here, there)
    if has_vector: world.checks.equal("vectors", [row["w"] for row in project.rows("SELECT w FROM ods.t WHERE id < 3 ORDER BY id")], [[1.0, -0.5, 1e20], None])
    world.checks.equal("a table whose key the server made", [row["v"] for row in project.rows("SELECT v FROM ods.keyless ORDER BY v")], [1, 2])
    server.run("SET GLOBAL binlog_row_metadata = MINIMAL")


def ids(world, server):
    """GTIDs with tags, and of a server that has others' too."""
    if server.VERSION == "8.0": return
    server.run("CREATE DATABASE ids", "CREATE TABLE ids.t (id INT PRIMARY KEY)")
    project = maria.new(world, "ids")
    maria.spec(project, server, "t", "id INT NOT NULL", "ids.t", options=", 'scan.startup.mode' = 'earliest-offset'")
    project.apply()
    connection = server.connect()
    for i, tag in enumerate(("AUTOMATIC:blue", "AUTOMATIC", "AUTOMATIC:green", "11111111-2222-3333-4444-555555555555:blue:7", "AUTOMATIC:blue")):
        for sql in (f"SET gtid_next = '{tag}'", f"INSERT INTO ids.t VALUES ({i})", "SET gtid_next = 'AUTOMATIC'"): connection.cursor().execute(sql)
        project.once()
    connection.close()
    world.checks.equal("rows of transactions with tags", maria.all_rows(project, "t"), [(i,) for i in range(5)])


QUICK = (maria.startup, maria.types, maria.packed, maria.changes, maria.busy, maria.branches, maria.documents, maria.clocks, mysql_attack.attack, columns, ids)
ALL = (*QUICK, maria.keys, maria.shards, maria.databases, maria.huge, maria.columns_then, maria.renamed, maria.letters, maria.purged)


def tests():
    """Of one kind only when time is short."""
    kinds = [kind for kind in (servers.MySQL, servers.MySQL9) if kind.is_there()]
    if not kinds: raise RuntimeError("no MySQL server: Tests/Exchange/setup-peers mysql")
    if "full" not in sys.argv: return [on(kinds[0], maria.kills), on(kinds[0], maria.details, only=QUICK), on(kinds[0], maria.failover)]
    return [test for kind in kinds for test in (on(kind, maria.kills), on(kind, maria.sink), on(kind, maria.details, only=ALL), on(kind, maria.tls), on(kind, maria.failover))]


TESTS = tests()
