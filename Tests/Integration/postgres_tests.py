"""PostgreSQL as a source and as a target: every table equal at the end, nothing twice, whatever dies on the way."""
import json
import random
import threading
import time

import flow
import servers


def options(server, table, port=None, **more):
    given = {"connector": "postgres-cdc", "hostname": "127.0.0.1", "port": port or server.port, "username": server.USER, "password": "",
             "database-name": "postgres", "table-name": table, "slot.name": "terrace", "decoding.plugin.name": "pgoutput", **more}
    return ", ".join(f"'{k}' = '{v}'" for k, v in given.items() if v != "")


def synced(project, name, columns, key, source):
    """A table that follows one outside; `columns`: (name, type) in order."""
    listed = ", ".join(f"{flow.quoted(c).replace(chr(34), '`')} {t}" for c, t in columns)
    names = ", ".join(f"`{c}`" for c, _ in columns)
    primary = f", PRIMARY KEY ({', '.join(f'`{k}`' for k in key)}) NOT ENFORCED" if key else ""
    project.spec(f"ods.{name}", f"CREATE TEMPORARY TABLE {name}_cdc ({listed}{primary}) WITH ({source});\n"
                 f"CREATE TABLE ods.{name} ({listed}{primary}) WITH ('bucket' = '{1 if key else -1}');\n"
                 f"INSERT INTO ods.{name} SELECT {names} FROM {name}_cdc;\n")


def canonical(value):
    return json.dumps(value, ensure_ascii=False)


def rows_here(project, name, columns):
    """Sorted rows as JSON texts; numbers and texts alike as texts."""
    found = project.rows(f"SELECT {', '.join(f'CAST(`{c}` AS STRING) AS `{c}`' for c in columns)} FROM ods.{name}")
    return sorted(canonical([row[c] for c in columns]) for row in found)


def rows_there(server, table, columns, expressions=None, database="postgres"):
    listed = ", ".join(expressions or (f'"{c}"::text' for c in columns))
    return sorted(canonical(list(row)) for row in server.run(f"SELECT {listed} FROM {table}", database=database))


def settle(world, project, server, name, table, columns, seconds=45, database="postgres"):
    """Waits until both are equal; the last comparison is a check."""
    end = time.monotonic() + seconds
    while True:
        ours, theirs = rows_here(project, name, columns), rows_there(server, table, columns, database=database)
        if ours == theirs or time.monotonic() > end: break
        time.sleep(0.3)
    if ours == theirs: return world.checks.that(f"{name}: {len(theirs)} rows equal", True)
    from collections import Counter
    a, b = Counter(ours), Counter(theirs)
    return world.checks.that(f"{name} is equal", False, f"{len(ours)} rows, not {len(theirs)}; missing {flow.clip(list((b - a).elements())[:2])}, "
                             f"too many {flow.clip(list((a - b).elements())[:2])}; {project.log_end()}")


# Name, type there, type here, texts there.
TYPES = [
    ("i2", "int2", "SMALLINT", ["-32768", "0", "32767"]),
    ("i4", "int4", "INT", ["-2147483648", "7", "2147483647"]),
    ("i8", "int8", "BIGINT", ["-9223372036854775808", "9223372036854775807"]),
    ("f4", "float4", "FLOAT", ["1.5", "-0", "3.4028235e+38", "NaN", "Infinity", "-Infinity"]),
    ("f8", "float8", "DOUBLE", ["0.1", "1e-300", "NaN", "-Infinity", "1.7976931348623157e+308"]),
    ("n", "numeric(12,3)", "DECIMAL(12, 3)", ["123456789.125", "-0.001", "0"]),
    ("nn", "numeric", "STRING", ["1e400", "0.000000000000000000000000000000001", "NaN", "Infinity"]),
    ("b", "bool", "BOOLEAN", ["t", "f"]),
    ("s", "text", "STRING", ["", "tab\there", "line\nfeed\\N", "\\N", "数据仓库 — ü ß 🐘", "{\"quoted\"}"]),
    ("vc", "varchar(10)", "VARCHAR(10)", ["十个汉字十个汉字十个", "x"]),
    ("c", "char(4)", "CHAR(4)", ["ab", "abcd"]),
    ("by", "bytea", "BYTES", ["\\x", "\\x00ff5c6e0a09"]),
    ("d", "date", "DATE", ["2024-02-29", "0001-01-01", "9999-12-31"]),
    ("t", "time(3)", "TIME(3)", ["23:59:59.999", "00:00:00"]),
    ("ts", "timestamp", "TIMESTAMP(6)", ["2024-02-29 12:34:56.789012", "1969-12-31 23:59:59.999999"]),
    ("tz", "timestamptz", "TIMESTAMP_LTZ(6)", ["2024-02-29 12:34:56.789012+05", "1970-01-01 00:00:00+00"]),
    ("u", "uuid", "STRING", ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
    ("j", "json", "STRING", ["{\"a\": [1, null]}"]),
    ("jb", "jsonb", "STRING", ["{\"键\": \"值\\n\"}"]),
    ("iv", "interval", "STRING", ["1 year 2 mons -3 days 04:05:06.5"]),
    ("ttz", "timetz", "STRING", ["12:00:00+02"]),
    ("ip", "inet", "STRING", ["10.1.2.3/24", "::1"]),
    ("bi", "bit(3)", "STRING", ["101"]),
    ("vb", "varbit", "STRING", ["1", "0101010101"]),
    ("m", "money", "STRING", ["$1,234.50"]),
    ("p", "point", "STRING", ["(1.5,-2)"]),
    ("e", "mood", "STRING", ["glücklich", "traurig"]),
    ("dom", "positive", "INT", ["5"]),
    ("ai", "int4[]", "ARRAY<INT>", ["{1,NULL,3}", "{}"]),
    ("at", "text[]", "ARRAY<STRING>", ["{\"a b\",\"c,d\",\"quote\\\"d\",NULL,\"NULL\"}"]),
    ("ad", "numeric(6,2)[]", "ARRAY<DECIMAL(6, 2)>", ["{1.50,-2.25}"]),
    ("o", "oid", "BIGINT", ["4294967295"]),
    ("x", "xml", "STRING", ["<a>ü</a>"]),
]


def types(world):
    """Every type, from the snapshot and from the log, as its own type and as text: the same values both ways."""
    with servers.Postgres() as server:
        server.run("CREATE TYPE mood AS ENUM ('glücklich', 'traurig')", "CREATE DOMAIN positive AS int4 CHECK (value > 0)")
        columns = ", ".join(f"{name} {type_}" for name, type_, _, _ in TYPES)
        server.run(f'CREATE TABLE "Typen 表" (id int PRIMARY KEY, {columns}, gen int GENERATED ALWAYS AS (id * 2) STORED)')
        connection = server.connect()

        def insert(start):
            for i in range(6):
                values = ", ".join(f"(:v{k})::text::{type_}" for k, (_, type_, _, _) in enumerate(TYPES))
                connection.run(f'INSERT INTO "Typen 表" VALUES ({start + i}, {values})', **{f"v{k}": t[3][i % len(t[3])] for k, t in enumerate(TYPES)})
            connection.run(f'INSERT INTO "Typen 表" (id) VALUES ({start + 6})')
        insert(0)
        names = ["id"] + [name for name, _, _, _ in TYPES]
        project = world.project("types")
        project.write("terrace.conf", "layers: ods\nwarehouse: warehouse\ncatalog.uri: catalog/metastore.db\n")
        texts = [("id", "INT NOT NULL")] + [(name, "STRING") for name, _, _, _ in TYPES]
        synced(project, "texts", texts, ["id"], options(server, "Typen 表"))
        synced(project, "typed", [("id", "INT NOT NULL")] + [(name, here) for name, _, here, _ in TYPES], ["id"], options(server, "Typen 表"))
        project.apply()
        project.once()
        insert(100)
        connection.run('UPDATE "Typen 表" SET s = \'änd\' || s WHERE id IN (1, 101)')
        connection.close()
        project.once()
        # Sessions of the log have their own settings: so must the one that is asked here.
        # What the type itself prints, as the log has it: a cast to text may print otherwise.
        asked = [f'CASE WHEN "{name}" IS NOT NULL THEN format(\'%s\', "{name}") END' for name in names]
        session = server.connect()
        for setting in ("TimeZone = 'UTC'", "extra_float_digits = 3", "IntervalStyle = postgres"): session.run(f"SET {setting}")
        theirs = {row[0]: row for row in session.run(f"SELECT {', '.join(asked)} FROM \"Typen 表\"")}
        ours = {str(row["id"]): [None if row[c] is None else str(row[c]) for c in names] for row in project.rows("SELECT * FROM ods.texts")}
        world.checks.equal("ids as text", sorted(ours), sorted(theirs))
        for row in sorted(theirs):
            for k, name in enumerate(names): world.checks.equal(f"row {row}, {name} as text", ours.get(row, [None] * 99)[k], theirs[row][k])
        typed = {row["id"]: row for row in project.rows("SELECT * FROM ods.typed")}
        for name, _, here, _ in TYPES:
            for i in range(7): world.checks.equal(f"{name} {here}, snapshot and log alike", typed[i][name], typed[100 + i][name] if (i != 1 or name != "s") else typed[i][name])
        for name, wanted in {"n": 123456789.125, "ai": [1, None, 3], "at": ["a b", "c,d", "quote\"d", None, "NULL"], "b": True, "i8": -9223372036854775808,
                             "d": "2024-02-29", "ts": "2024-02-29 12:34:56.789012", "tz": "2024-02-29 07:34:56.789012", "by": "0x", "f8": 0.1, "dom": 5,
                             "o": 4294967295, "t": "23:59:59.999", "c": "ab  "}.items():
            found = typed[0][name]
            if isinstance(wanted, float): found = float(found)
            world.checks.equal(f"{name} of the first row", found, wanted)
        session.close()


class Workload:
    """Random changes from several connections until it is stopped; every statement may fail when the server dies."""

    def __init__(self, server, seed, tables):
        self.server, self.random, self.tables, self.stopped = server, random.Random(seed), tables, threading.Event()
        self.threads = [threading.Thread(target=self._work, args=(random.Random(f"{seed} {i}"), i), daemon=True) for i in range(2)]
        self.count = 0
        for thread in self.threads: thread.start()

    def stop(self):
        self.stopped.set()
        for thread in self.threads: thread.join(timeout=60)

    def _work(self, rnd, number):
        connection = None
        while not self.stopped.is_set():
            try:
                if connection is None: connection = self.server.connect()
                self._transaction(connection, rnd, number)
            except Exception:
                # The server died, or a key was taken: the transaction is gone, and nothing is known of it.
                try: connection.close()
                except Exception: pass
                connection = None
                time.sleep(0.05)

    def _transaction(self, c, rnd, number):
        c.run("BEGIN")
        for _ in range(rnd.choice([1, 1, 2, 5, 40])):
            t, key = rnd.choice(self.tables), rnd.randrange(4000) * 2 + number
            roll = rnd.random()
            if roll < 0.4:
                # Long values go to TOAST tables; they are random, so that they are not compressed away.
                long = "".join(chr(rnd.randrange(33, 126)) for _ in range(rnd.choice([5, 50, 9000])))
                c.run(f"INSERT INTO {t} VALUES (:k, :n, :l, :v) ON CONFLICT (id) DO UPDATE SET note = EXCLUDED.note, v = EXCLUDED.v",
                      k=key, n=f"名{rnd.randrange(999)}\t\\", l=long, v=rnd.randrange(10**6) / 100)
            elif roll < 0.7: c.run(f"UPDATE {t} SET v = v + 1.25, note = NULL WHERE id BETWEEN :a AND :b AND id % 2 = {number}", a=key, b=key + 20)
            elif roll < 0.8: c.run(f"DELETE FROM {t} WHERE id BETWEEN :a AND :b AND id % 2 = {number}", a=key, b=key + 8)
            elif roll < 0.9:
                other = rnd.randrange(4000) * 2 + number
                c.run(f"DELETE FROM {t} WHERE id = :b", b=other)
                c.run(f"UPDATE {t} SET id = :b WHERE id = :a", a=key, b=other)
            elif roll < 0.95:
                c.run("SAVEPOINT s")
                c.run(f"DELETE FROM {t} WHERE id % 2 = {number}")
                c.run("ROLLBACK TO s")
            else: time.sleep(rnd.random() * 0.3)
        c.run("ROLLBACK" if rnd.random() < 0.1 else "COMMIT")
        self.count += 1


COLUMNS = [("id", "INT NOT NULL"), ("note", "STRING"), ("long", "STRING"), ("v", "DECIMAL(14, 2)")]
NAMES = [name for name, _ in COLUMNS]


def kills(world):
    """A random load and pgbench while terrace, the connections and the server die."""
    rounds = world.rounds or (5 if world.quick else 20)
    with servers.Postgres() as server:
        tables = ["plain", "full_rows", '"schön"."表 1"']
        server.run('CREATE SCHEMA "schön"')
        for t in tables: server.run(f"CREATE TABLE {t} (id int PRIMARY KEY, note text, long text, v numeric(14,2))")
        server.run("ALTER TABLE full_rows REPLICA IDENTITY FULL")
        for t in tables:
            server.run(f"INSERT INTO {t} SELECT g, 'n' || g, repeat(md5(g::text), CASE WHEN g % 50 = 0 THEN 400 ELSE 1 END), g / 4.0 FROM generate_series(1, 3000) g")
        server.tool("pgbench", "-i", "-q", "-s", "1", "postgres")
        server.run("ALTER TABLE pgbench_history REPLICA IDENTITY FULL")
        cutter = servers.Cutter(server.port)
        load = Workload(server, world.random.random(), tables)
        bench = server.start_tool("pgbench", "-c", "2", "-T", "600", "-n", "-R", "60", "postgres")
        project = world.project("kills")
        project.write("terrace.conf", "layers: ods\nwarehouse: warehouse\ncatalog.uri: catalog/metastore.db\n")
        synced(project, "plain", COLUMNS, ["id"], options(server, "plain", cutter.port))
        synced(project, "full_rows", COLUMNS, ["id"], options(server, "full_rows", cutter.port, **{"changelog-mode": "all"}))
        synced(project, "schoen", COLUMNS, ["id"], options(server, "表 1", cutter.port, **{"schema-name": "schön"}))
        accounts = [("aid", "INT NOT NULL"), ("bid", "INT"), ("abalance", "INT"), ("filler", "STRING")]
        synced(project, "accounts", accounts, ["aid"], options(server, "pgbench_accounts", cutter.port))
        history = [("tid", "INT"), ("bid", "INT"), ("aid", "INT"), ("delta", "INT"), ("mtime", "TIMESTAMP(6)"), ("filler", "STRING")]
        project.spec("ods.history", "CREATE TEMPORARY TABLE history_cdc (tid INT, bid INT, aid INT, delta INT, mtime TIMESTAMP(6)) WITH ("
                     + options(server, "pgbench_history", cutter.port) + ");\nCREATE MATERIALIZED TABLE ods.history (PRIMARY KEY (aid) NOT ENFORCED) AS "
                     "SELECT aid, COUNT(*) AS n, SUM(delta) AS delta FROM history_cdc GROUP BY aid;\n")
        project.apply()
        terrace, kinds = project.start(), []
        try:
            for i in range(rounds):
                time.sleep(world.random.uniform(0.3, 3.0))
                if i % 4 == 0: order = world.random.sample(["terrace", "terrace", "connection", "server", "backend"], 4)
                kinds.append(kind := order[i % 4])
                if kind == "terrace":
                    flow.kill(terrace)
                    terrace = project.start()
                elif kind == "connection": cutter.cut()
                elif kind == "backend": server.run("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active")
                else:
                    server.crash()
                    if bench.poll() is not None: bench = server.start_tool("pgbench", "-c", "2", "-T", "600", "-n", "-R", "60", "postgres")
            time.sleep(1)
            load.stop()
            flow.kill(bench)
            for name, table in (("plain", tables[0]), ("full_rows", tables[1]), ("schoen", tables[2])): settle(world, project, server, name, table, NAMES)
            settle(world, project, server, "accounts", "pgbench_accounts", ["aid", "abalance"])
            sums = rows_there(server, "(SELECT aid, count(*) AS n, sum(delta) AS delta FROM pgbench_history GROUP BY aid) h", ["aid", "n", "delta"])
            project.wait("the history", lambda: rows_here(project, "history", ["aid", "n", "delta"]) == sums, 30)
            world.checks.that("the history is equal, nothing twice", True)
            world.checks.that("the load was at work", load.count > 20, str(load.count))
            world.checks.note(f"{load.count} random transactions, {len(sums)} accounts in pgbench's history, {' '.join(kinds)}")
            world.checks.equal("one slot", server.run("SELECT count(*) FROM pg_replication_slots")[0][0], 1)
            project.wait("the slot to move on", lambda: server.run(
                "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn) < 100000 FROM pg_replication_slots")[0][0], 30)
            project.stop(terrace)
        finally:
            load.stopped.set()
            bench.kill()
            terrace.kill()
            cutter.close()


def sink(world):
    """Tables into PostgreSQL, with kills: upserts and appended rows are there once."""
    with servers.Postgres() as server:
        server.run("CREATE TABLE origin (id int PRIMARY KEY, name text, v numeric(12,2), at timestamptz, raw bytea, tags text[])",
                   "CREATE TABLE mirror (LIKE origin INCLUDING ALL)", "CREATE TABLE events (n bigint, name text)")
        url = f"jdbc:postgresql://127.0.0.1:{server.port}/postgres"
        project = world.project("sink")
        project.write("terrace.conf", "layers: ods, ads\nwarehouse: warehouse\ncatalog.uri: catalog/metastore.db\n")
        columns = [("id", "INT NOT NULL"), ("name", "STRING"), ("v", "DECIMAL(12, 2)"), ("at", "TIMESTAMP_LTZ(6)"), ("raw", "BYTES"), ("tags", "ARRAY<STRING>")]
        synced(project, "origin", columns, ["id"], options(server, "origin"))
        listed = ", ".join(f"`{c}` {t}" for c, t in columns)
        project.spec("ads.mirror", f"CREATE TEMPORARY TABLE mirror ({listed}, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'jdbc', 'url' = '{url}', "
                     f"'table-name' = 'mirror', 'username' = '{server.USER}', 'sink.buffer-flush.max-rows' = '500');\n"
                     "INSERT INTO mirror SELECT * FROM ods.origin;\n")
        project.spec("ads.events", "CREATE TEMPORARY TABLE made (n BIGINT, name STRING) WITH ('connector' = 'datagen', 'rows-per-second' = '1500', "
                     "'fields.n.kind' = 'sequence', 'fields.n.start' = '1', 'fields.n.end' = '9000', 'fields.name.length' = '5');\n"
                     f"CREATE TEMPORARY TABLE events (n BIGINT, name STRING) WITH ('connector' = 'jdbc', 'url' = '{url}', 'table-name' = 'events', 'username' = '{server.USER}');\n"
                     "INSERT INTO events SELECT n, name FROM made;\n")
        project.apply()
        terrace, connection, rnd = project.start(), server.connect(), world.random
        try:
            for i in range(60 if world.quick else 400):
                key = rnd.randrange(1500)
                connection.run("INSERT INTO origin SELECT g, 'n' || chr(9) || chr(92) || CAST(:i AS text), g / 8.0, now(), decode('00ff5c0a', 'hex'), CAST('{a,NULL,q d}' AS text[]) "
                               "FROM generate_series(CAST(:k AS int), CAST(:k AS int) + 30) g ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, v = EXCLUDED.v + 1", i=str(i), k=key)
                connection.run("DELETE FROM origin WHERE id BETWEEN :k AND :k + 5", k=rnd.randrange(1500))
                time.sleep(0.05)
                if i % 15 == 14:
                    flow.kill(terrace)
                    if i % 30 == 29: server.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'terrace'")
                    terrace = project.start()
            same = lambda a, b: server.run(f"SELECT count(*) FROM ((TABLE {a} EXCEPT ALL TABLE {b}) UNION ALL (TABLE {b} EXCEPT ALL TABLE {a})) d")[0][0] == 0
            project.wait("the mirror", lambda: same("origin", "mirror"), 40)
            world.checks.that("the mirror is equal", server.run("SELECT count(*) FROM mirror")[0][0] > 0)
            project.wait("the events", lambda: server.run("SELECT count(*) FROM events")[0][0] >= 9000, 40)
            world.checks.equal("each event once", server.run("SELECT count(*), count(DISTINCT n), min(n), max(n) FROM events")[0], [9000, 9000, 1, 9000])
            project.stop(terrace)
        finally:
            terrace.kill()
            connection.close()


TESTS = [types, kills, sink]
