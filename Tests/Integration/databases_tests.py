"""Whole databases by one statement: a hundred tables in one process and one slot, tables and columns that come, one that cannot be followed."""
import json
import pathlib
import random
import threading
import time

import flow
import servers


def used(process):
    """CPU seconds and peak resident bytes of a running process."""
    fields = open(f"/proc/{process.pid}/stat").read().rsplit(")", 1)[1].split()
    ticks = int(fields[11]) + int(fields[12])
    peak = next(line for line in open(f"/proc/{process.pid}/status") if line.startswith("VmHWM"))
    return ticks / 100, int(peak.split()[1]) * 1024


def quoted(name): return "`" + name.replace("`", "``") + "`"


class Postgres:
    """What the tests need of a server, whichever it is."""

    kind, database = "postgres-cdc", "postgres"

    def __init__(self, server): self.server = server

    def catalog(self, name="src"):
        return (f"CREATE CATALOG {name} WITH ('type' = '{self.kind}', 'hostname' = '127.0.0.1', 'port' = '{self.server.port}', "
                f"'username' = '{self.server.USER}', 'database-name' = '{self.database}');\n")

    def options(self, name): return f"/*+ OPTIONS('slot.name' = '{name}', 'heartbeat.interval' = '1 s') */"
    def name(self, text): return '"' + text + '"'
    def connect(self): return self.server.connect()
    def execute(self, connection, sql): return connection.run(sql)
    def create(self, table, comments=True):
        n = self.name
        made = [f'CREATE TABLE {n(table)} (id bigint PRIMARY KEY, name text, amount numeric(12, 2), "数量" int)']
        if comments: made += [f"COMMENT ON TABLE {n(table)} IS '表 {table}: it''s 注释'", f"COMMENT ON COLUMN {n(table)}.amount IS '金额 ''x'' ü'"]
        return made

    def readers(self, connection): return connection.run("SELECT count(*) FROM pg_stat_replication")[0][0]
    def slots(self, connection): return connection.run("SELECT count(*) FROM pg_replication_slots")[0][0]


class MariaDB:
    kind, database = "mariadb-cdc", "shop"

    def __init__(self, server):
        self.server = server
        server.run("CREATE DATABASE IF NOT EXISTS shop CHARACTER SET utf8mb4")

    def catalog(self, name="src"):
        return (f"CREATE CATALOG {name} WITH ('type' = '{self.kind}', 'hostname' = '127.0.0.1', 'port' = '{self.server.port}', "
                "'username' = 'cdc', 'password' = 'secret');\n")

    def options(self, name): return ""
    def name(self, text): return quoted(text)
    def connect(self): return self.server.connect(database="shop")
    def execute(self, connection, sql):
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def create(self, table, comments=True):
        about = (f" COMMENT '金额 ''x'' ü'", f" COMMENT '表 {table}: it''s 注释'") if comments else ("", "")
        return [f"CREATE TABLE {quoted(table)} (id bigint PRIMARY KEY, name varchar(100), amount decimal(12, 2){about[0]}, `数量` int){about[1]}"]

    def readers(self, connection): return sum(1 for row in self.execute(connection, "SHOW PROCESSLIST") if row[4] == "Binlog Dump")
    def slots(self, connection): return 1


def change(source, tables, stop, seed, counts):
    """Random changes of all tables until told to stop; then the number of statements is in `counts`."""
    chance, connection, n = random.Random(seed), source.connect(), source.name
    while not stop.is_set():
        table, key = chance.choice(tables), chance.randrange(80)
        which = chance.random()
        if which < 0.45: sql = f"UPDATE {n(table)} SET amount = {chance.randrange(10000) / 100}, name = '名 {chance.randrange(1000)}' WHERE id = {key}"
        elif which < 0.6: sql = f"DELETE FROM {n(table)} WHERE id = {key}"
        elif which < 0.65: sql = f"UPDATE {n(table)} SET id = {100000 + seed + 2 * len(counts)} WHERE id = {key}"
        else:
            sql = (f"INSERT INTO {n(table)} (id, name, amount, {n('数量')}) SELECT {key}, 'new', 1.5, {key} "
                   f"WHERE NOT EXISTS (SELECT 1 FROM {n(table)} WHERE id = {key})")
        try: source.execute(connection, sql)
        except Exception as error:
            # Writers may meet; the server takes one of the two statements back.
            if "deadlock" not in str(error).lower(): raise
        counts.append(1)
        time.sleep(0.002)
    connection.close()


def here(project, tables, columns):
    """Rows of many tables by one query, as a multiset of texts."""
    parts = [f"SELECT '{t}' AS t, " + ", ".join(f"CAST({quoted(c)} AS STRING) AS {quoted(c)}" for c in columns) + f" FROM ods.{quoted(t)}" for t in tables]
    rows = []
    for start in range(0, len(parts), 25): rows += project.rows(" UNION ALL ".join(parts[start:start + 25]))
    return sorted(json.dumps([row["t"]] + [row[c] for c in columns], ensure_ascii=False) for row in rows)


def there(source, connection, tables, columns):
    rows = []
    for t in tables:
        for row in source.execute(connection, f"SELECT {', '.join(source.name(c) for c in columns)} FROM {source.name(t)}"):
            rows.append(json.dumps([t] + [None if v is None else str(v) for v in row], ensure_ascii=False))
    return sorted(rows)


def settled(world, project, source, connection, tables, columns, what, seconds=60):
    end = time.monotonic() + seconds
    while True:
        theirs = there(source, connection, tables, columns)
        # A column that is on its way is an error of the query until it is there.
        try: ours = here(project, tables, columns)
        except flow.Failure as error: ours = [str(error)]
        if ours == theirs or time.monotonic() > end: break
        time.sleep(0.5)
    missing, extra = sorted(set(theirs) - set(ours)), sorted(set(ours) - set(theirs))
    return world.checks.that(f"{what}: {len(theirs)} rows of {len(tables)} tables equal", ours == theirs,
                             f"{len(ours)} rows, missing {flow.clip(missing[:2])}, too many {flow.clip(extra[:2])}; {project.log_end()}")


def states(project): return {job["name"]: job["state"] for job in project.status()["jobs"]}


def whole_database(world, source, count):
    check = world.checks
    connection, n = source.connect(), source.name
    tables = [f"t_{i:03}" for i in range(count - 1)] + ["订单_明细"]
    for table in tables:
        for sql in source.create(table): source.execute(connection, sql)
        source.execute(connection, f"INSERT INTO {n(table)} (id, name, amount, {n('数量')}) VALUES " + ", ".join(f"({i}, '名 {i}', {i}.25, {i})" for i in range(40)))
    source.execute(connection, f"CREATE TABLE nokey (line {'text' if source.kind == 'postgres-cdc' else 'varchar(50)'})")
    project = world.project("all-" + source.kind)
    project.write("catalogs/src.sql", source.catalog())
    project.write("layers/ods/all.sql", f"CREATE DATABASE ods WITH ('table.discovery-interval' = '2 s') AS DATABASE src.{source.database} INCLUDING ALL TABLES "
                  f"EXCLUDING TABLE 'skip_.*' {source.options('all_tables')};\n")
    project.write("layers/dws/totals.sql", "CREATE TABLE totals (k BIGINT, n BIGINT, PRIMARY KEY (k) NOT ENFORCED) WITH ('bucket' = '1');\n"
                  "INSERT INTO totals SELECT MOD(id, 10), COUNT(*) FROM ods.t_000 GROUP BY MOD(id, 10);\n")
    columns = ["id", "name", "amount", "数量"]
    process = project.start()
    try:
        project.wait("the first rows of all tables", lambda: (project.folder / "catalog/metastore.db").exists() and len(states(project)) == count + 1, 90)
        settled(world, project, source, connection, tables, columns, "after the snapshot", 90)
        stop, made = threading.Event(), []
        writers = [threading.Thread(target=change, args=(source, tables, stop, i, made)) for i in range(2)]
        for writer in writers: writer.start()
        begun = time.monotonic()
        time.sleep(2)
        for sql in source.create("t_后来"): source.execute(connection, sql)
        source.execute(connection, f"INSERT INTO {n('t_后来')} (id, name, amount, {n('数量')}) VALUES (1, 'a', 1, 1)")
        source.execute(connection, f"ALTER TABLE t_003 ADD COLUMN {n('备注')} varchar(40)")
        source.execute(connection, f"INSERT INTO t_003 (id, name, amount, {n('数量')}, {n('备注')}) VALUES (5000, 'x', 2, 3, '有了')")
        source.execute(connection, "ALTER TABLE t_005 ALTER COLUMN amount TYPE text" if source.kind == "postgres-cdc" else "ALTER TABLE t_005 MODIFY amount text")
        source.execute(connection, "INSERT INTO t_005 (id, name, amount) VALUES (6000, 'x', 'words')")
        project.wait("the new table", lambda: "ods.t_后来" in states(project), 30)
        project.wait("the quarantine", lambda: states(project).get("ods.t_005") == "quarantined", 30)
        time.sleep(max(0, (6 if world.quick else 60) - (time.monotonic() - begun)))
        stop.set()
        for writer in writers: writer.join()
        source.execute(connection, f"UPDATE {n('t_后来')} SET name = 'b'")
        source.execute(connection, "UPDATE t_003 SET name = 'end' WHERE id = 5000")
        followed = [t for t in tables if t != "t_005"] + ["t_后来"]
        settled(world, project, source, connection, followed, columns, "after the changes")
        settled(world, project, source, connection, ["t_003"], columns + ["备注"], "with the new column")
        check.equal("one reader of the log", source.readers(connection), 1)
        check.equal("one slot", source.slots(connection), 1)
        seconds, peak = used(process)
        time.sleep(3)
        idle, threads = used(process)[0] - seconds, len(list(pathlib.Path(f"/proc/{process.pid}/task").iterdir()))
        check.note(f"{source.kind}: {count + 1} tables, {len(made)} changes: {seconds:.1f} CPU seconds, peak {peak / 1e6:.0f} MB, {threads} threads; "
                   f"then without changes {idle * 20:.1f} CPU seconds a minute")
        found = states(project)
        check.equal("one table is quarantined", [t for t, s in found.items() if s not in ("idle", "running", "starting")], ["ods.t_005"])
        reason = next(job["error"] for job in project.status()["jobs"] if job["name"] == "ods.t_005")
        check.that("status says why", "column amount is STRING now" in reason, reason)
    finally:
        code = project.stop(process)
    check.equal("a run with a quarantined table ends with 1", code, 1)
    check.that("stderr says why", "ods.t_005 is quarantined" in (project.folder / "run.log").read_text(), project.log_end())
    total = project.value("SELECT SUM(n) FROM dws.totals")
    check.equal("the layer above", int(total), source.execute(connection, "SELECT count(*) FROM t_000")[0][0])
    comments(world, project)
    return project


def comments(world, project):
    """Names and comments in any script, as pypaimon reads them."""
    check, found = world.checks, flow.pypaimon(project, "ods.订单_明细")
    check.equal("pypaimon's columns", found.column_names, ["id", "name", "amount", "数量"])
    schema = json.loads(max(project.table_folder("ods.订单_明细").glob("schema/schema-*")).read_text())
    check.equal("the table's comment", schema["comment"], "表 订单_明细: it's 注释")
    check.equal("the column's comment", schema["fields"][2]["description"], "金额 'x' ü")
    new = json.loads(max(project.table_folder("ods.t_003").glob("schema/schema-*"), key=lambda p: int(p.name[7:])).read_text())
    check.equal("the new column's type", [(f["name"], f["type"]) for f in new["fields"]][-1], ("备注", "VARCHAR(40)"))
    rows = flow.pypaimon(project, "ods.t_003").to_pylist()
    check.equal("pypaimon reads the new column", [r["备注"] for r in rows if r["id"] == 5000], ["有了"])


def postgres_database(world):
    with servers.Postgres() as server:
        project = whole_database(world, Postgres(server), 100)
        server.stop()
        # Without the server.
        tables = len(states(project))
        world.checks.equal("status without the server", tables, 102)
        plan = project.call("plan")
        world.checks.that("plan without the server says so", "catalog src cannot be asked" in plan.stderr, plan.stderr)
        lineage = project.call("lineage").stdout
        world.checks.that("lineage", "ods.订单_明细  ← src.postgres.public.订单_明细 (postgres-cdc)" in lineage, lineage[-300:])
        fresh = world.project("unreachable")
        fresh.write("catalogs/src.sql", Postgres(server).catalog())
        fresh.write("layers/ods/all.sql", "CREATE DATABASE ods AS DATABASE src.postgres INCLUDING ALL TABLES")
        failed = fresh.call("run", "--once", code=1)
        world.checks.that("a server that is away and was never asked is told at the statement", "ods.* failed\nlayers/ods/all.sql:1:1: " in failed.stderr, failed.stderr)
        server.start()
        refused_login(world, server)


def refused_login(world, server):
    """What one server refuses, or an environment lacks, stops the jobs of that server alone."""
    server.run("CREATE DATABASE guarded", "CREATE ROLE guest LOGIN SUPERUSER REPLICATION")
    server.run("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)", database="guarded")
    project, secret = world.project("guarded"), {"TERRACE_GUEST": "x"}
    project.write("catalogs/src.sql", f"CREATE CATALOG src WITH ('type' = 'postgres-cdc', 'hostname' = '127.0.0.1', 'port' = '{server.port}', 'username' = 'guest', "
                  "'password' = '${env:TERRACE_GUEST}', 'database-name' = 'guarded');\n")
    project.write("layers/ods/t.sql", "CREATE TABLE t AS TABLE src.guarded.public.t;\n")
    project.write("layers/dwd/t.sql", "CREATE TABLE t (PRIMARY KEY (id) NOT ENFORCED) AS SELECT * FROM ods.t;\n")
    project.write("layers/ods/f.sql", "CREATE TEMPORARY TABLE g (id INT) WITH ('connector' = 'filesystem', 'path' = 'in', 'format' = 'json');\n"
                  "CREATE TABLE f WITH ('bucket' = '-1') AS SELECT * FROM g;\n")
    def step(number, code, environment=None):
        project.write(f"in/{number}.json", '{"id": %d}\n' % number)
        done = project.call("run", "--once", code=code, environment=environment)
        world.checks.equal(f"the other job, step {number}", len(project.rows("SELECT * FROM ods.f")), number)
        return done.stderr
    world.checks.that("a variable that is not set", "ods.t failed" in step(1, 1))
    step(2, 0, secret)
    server.run("ALTER ROLE guest NOLOGIN", "INSERT INTO t VALUES (2)", database="guarded")
    world.checks.that("a login that is refused", "is not permitted to log in" in step(3, 1, secret))
    server.run("ALTER ROLE guest LOGIN", database="guarded")
    step(4, 0, secret)
    world.checks.equal("nothing is missing afterwards", [r["id"] for r in project.rows("SELECT * FROM dwd.t ORDER BY id")], [1, 2])


def mariadb_database(world):
    """As many tables of MariaDB, whose log tells the names of columns."""
    with servers.MariaDB("--binlog-row-metadata=FULL") as server:
        source = MariaDB(server)
        project = whole_database(world, source, 30 if world.quick else 100)
        connection, process = source.connect(), project.start()
        try:
            project.wait("the jobs", lambda: states(project).get("ods.t_001") in ("idle", "running"), 40)
            steps = [("renamed", "CHANGE amount `金额` decimal(12, 2)", 1), ("widened", "MODIFY `数量` bigint", 5_000_000_000)]
            for i, (what, sql, value) in enumerate(steps):
                source.execute(connection, f"ALTER TABLE t_001 {sql}")
                source.execute(connection, f"INSERT INTO t_001 VALUES ({7000 + i}, '后', 7.5, {value})")
                settled(world, project, source, connection, ["t_001"], ["id", "name", "金额", "数量"], f"after a column was {what}")
            source.execute(connection, "ALTER TABLE t_002 DROP COLUMN name")
            source.execute(connection, "UPDATE t_002 SET amount = 3 WHERE id < 9")
            settled(world, project, source, connection, ["t_002"], ["id", "amount", "数量"], "after a column was dropped")
        finally: project.stop(process)


def shards_and_tags(world):
    """Shards with their names in the key, computed columns, and tags of all tables at one commit time."""
    check = world.checks
    with servers.Postgres() as server:
        source = Postgres(server)
        connection = source.connect()
        for i in range(3):
            source.execute(connection, f"CREATE TABLE user_{i} (id bigint PRIMARY KEY, name text)")
            source.execute(connection, f"INSERT INTO user_{i} VALUES (1, 'u{i}'), (2, 'v{i}')")
        for i in (1, 2):
            source.execute(connection, f"CREATE TABLE plain_{i} (id bigint PRIMARY KEY, name text)")
            source.execute(connection, f"INSERT INTO plain_{i} VALUES ({i}, 'a'), ({10 + i}, 'b')")
        for table in ("left_side", "right_side"): source.execute(connection, f"CREATE TABLE {table} (id bigint PRIMARY KEY, at timestamptz)")
        project = world.project("shards")
        project.write("layers/ods/shop.sql", source.catalog() + "CREATE TABLE users WITH ('key-metadata-columns' = 'table_name', 'table.discovery-interval' = '1 s') AS TABLE src.postgres.`user_[0-9]+` "
                      f"{source.options('shards')} ADD COLUMN (loud AS UPPER(name) AFTER name);\n"
                      f"CREATE TABLE plain AS TABLE src.postgres.`plain_[0-9]+` {source.options('shards')};\n"
                      "CREATE DATABASE ods WITH ('tag.automatic-creation' = 'process-time', 'tag.creation-period-duration' = '2 s') "
                      f"AS DATABASE src.postgres INCLUDING TABLE '.*_side' {source.options('shards')};\n")
        project.once()
        found = project.rows("SELECT table_name, id, name, loud FROM ods.users ORDER BY table_name, id")
        check.equal("shards", [(r["table_name"], int(r["id"]), r["loud"]) for r in found], [(f"user_{i}", k, f"{c}{i}") for i in range(3) for k, c in ((1, "U"), (2, "V"))])
        source.execute(connection, "UPDATE user_1 SET name = 'w' WHERE id = 1")
        source.execute(connection, "DELETE FROM user_2 WHERE id = 2")
        project.once()
        check.equal("changes of shards", sorted((r["table_name"], r["loud"]) for r in project.rows("SELECT table_name, loud FROM ods.users")),
                    [("user_0", "U0"), ("user_0", "V0"), ("user_1", "V1"), ("user_1", "W"), ("user_2", "U2")])
        source.execute(connection, "ALTER TABLE plain_1 ADD COLUMN more int")
        source.execute(connection, "INSERT INTO plain_1 VALUES (21, 'c', 5)")
        project.once()
        for sql in ("DELETE FROM plain_1 WHERE id = 1", "DELETE FROM plain_2 WHERE id = 2", "ALTER TABLE plain_1 ALTER more TYPE bigint",
                    "INSERT INTO plain_1 VALUES (31, 'd', 5000000000)", "UPDATE plain_2 SET name = 'e'"): source.execute(connection, sql)
        project.once()
        check.equal("rows from before a shard changed", [(int(r["id"]), r["name"], r["more"]) for r in project.rows("SELECT * FROM ods.plain ORDER BY id")],
                    [(11, "b", None), (12, "e", None), (21, "c", 5), (31, "d", 5000000000)])
        stop, process = threading.Event(), project.start()

        def write():
            mine, key = source.connect(), 0
            while not stop.is_set():
                key += 1
                for sql in ("BEGIN", f"INSERT INTO left_side VALUES ({key}, now())", f"INSERT INTO right_side VALUES ({key}, now())", "COMMIT"): mine.run(sql)
                time.sleep(0.003)
            mine.close()
        writer = threading.Thread(target=write)
        writer.start()
        source.execute(connection, "CREATE TABLE user_3 (id bigint PRIMARY KEY, name varchar(9), extra int)")
        source.execute(connection, "INSERT INTO user_3 VALUES (1, 'u3', 7)")
        late = lambda: sorted((int(r["id"]), r["loud"], r.get("extra")) for r in project.rows("SELECT * FROM ods.users WHERE table_name = 'user_3'"))
        try:
            project.wait("a shard that comes, with a column of its own", lambda: late() == [(1, "U3", 7)], 40)
            source.execute(connection, "UPDATE user_3 SET name = 'x3' WHERE id = 1")
            source.execute(connection, "UPDATE user_0 SET name = 'x0' WHERE id = 1")
            project.wait("changes of it", lambda: late() == [(1, "X3", 7)], 20)
            project.wait("four tags of both tables", lambda: len(set(project.tags("ods.left_side")) & set(project.tags("ods.right_side"))) >= 6, 40)
        finally:
            stop.set()
            writer.join()
            check.equal("exit code", project.stop(process), 0)
        common = sorted(set(project.tags("ods.left_side")) & set(project.tags("ods.right_side")))[-4:]
        cuts = []
        for tag in common:
            sides = [sorted(r["id"] for r in project.rows(f"SELECT id FROM ods.{t} /*+ OPTIONS('scan.tag-name' = '{tag}') */")) for t in ("left_side", "right_side")]
            check.that(f"tag {tag} cuts both tables between the same two transactions", sides[0] == sides[1], f"{len(sides[0])} and {len(sides[1])} rows")
            cuts.append(len(sides[0]))
        check.that("tags grow", cuts == sorted(cuts) and cuts[-1] > cuts[0], str(cuts))


def interrupted_reads(world):
    """A first read into a table outside dies in its middle, also when it is read again, while rows go, change and get other keys: the target is what the source is."""
    rows = 60_000 if world.quick else 2_000_000
    makers = {"postgres": (servers.Postgres, lambda s: (f"jdbc:postgresql://127.0.0.1:{s.port}/postgres", "postgres", "", "'schema-name' = 'public', 'slot.name' = 'interrupted', ")),
              "mariadb": (servers.MariaDB, lambda s: (f"jdbc:mariadb://127.0.0.1:{s.port}/shop", "cdc", "secret", ""))}
    for kind, (start, place) in makers.items():
        with start() as server:
            source = Postgres(server) if kind == "postgres" else MariaDB(server)
            url, user, password, more = place(server)
            connection = source.connect()
            run = lambda sql: source.execute(connection, sql)
            for table in ("orders", "copy"): run(f"CREATE TABLE {table} (id bigint PRIMARY KEY, grp int, name varchar(300))")
            run("CREATE TABLE sums (grp int PRIMARY KEY, n bigint, total bigint)")
            series = f"generate_series(1, {rows}) g" if kind == "postgres" else f"(SELECT seq AS g FROM seq_1_to_{rows}) s"
            run(f"INSERT INTO orders SELECT g, g % 500, repeat('first', 40) FROM {series}")
            project = world.project(f"interrupted-{kind}")
            # With little memory an epoch is a small part of the rows.
            project.write("terrace.conf", "layers: ods\nwarehouse: warehouse\ncatalog.uri: catalog/metastore.db\nmemory.limit: 64 mb\n")
            login = f"'username' = '{user}', 'password' = '{password}'"
            columns = "id BIGINT NOT NULL, grp INT, name STRING, PRIMARY KEY (id) NOT ENFORCED"
            cdc = (f"CREATE TEMPORARY TABLE cdc ({columns}) WITH ('connector' = '{source.kind}', 'hostname' = '127.0.0.1', 'port' = '{server.port}', {login}, {{more}}"
                   f"'database-name' = '{source.database}', 'table-name' = 'orders');\n")
            project.spec("ods.copy", cdc.format(more=more) + f"CREATE TABLE out ({columns}) WITH ('connector' = 'jdbc', 'url' = '{url}', 'table-name' = 'copy', {login});\n"
                         "INSERT INTO out SELECT * FROM cdc;\n")
            project.spec("ods.sums", cdc.format(more=more.replace("interrupted", "interrupted_sums")) + "CREATE TABLE sums_out (grp INT NOT NULL, n BIGINT, total BIGINT, PRIMARY KEY (grp) NOT ENFORCED) "
                         f"WITH ('connector' = 'jdbc', 'url' = '{url}', 'table-name' = 'sums', {login});\nINSERT INTO sums_out SELECT grp, COUNT(*), SUM(id) FROM cdc GROUP BY grp;\n")
            project.apply()
            count, parts = lambda: run("SELECT count(*) FROM copy")[0][0], []
            for attempt in range(1 if world.quick and kind == "mariadb" else 2):
                process = project.start()
                have, end = count(), time.monotonic() + 40
                # The second read writes over what the first one left.
                moved = "SELECT count(*) FROM copy WHERE name = 'second'"
                while count() == have and not run(moved)[0][0] and time.monotonic() < end and process.poll() is None: time.sleep(0.01)
                flow.kill(process)
                parts.append(count())
                low = 1 + attempt * rows // 10
                run(f"DELETE FROM orders WHERE id >= {low} AND id < {low + rows // 20} AND id % 3 > 0")
                run("DELETE FROM orders WHERE grp = 7")
                run(f"UPDATE orders SET name = 'second', grp = grp + 1 WHERE id % 50 = {attempt} AND grp <> 6")
                run(f"UPDATE orders SET id = id + {rows * 3} WHERE id % 97 = {attempt} AND id <= {rows}")
            process = project.start()
            try:
                wanted = {"copy": "SELECT id, grp, name FROM orders", "sums": "SELECT grp, COUNT(*) AS n, CAST(SUM(id) AS DECIMAL(20)) AS total FROM orders GROUP BY grp"}
                found = {"copy": "SELECT id, grp, name FROM copy", "sums": "SELECT grp, n, CAST(total AS DECIMAL(20)) FROM sums"}
                same = lambda name: run(f"SELECT (SELECT count(*) FROM ({wanted[name]}) w) = (SELECT count(*) FROM {name}) AND NOT EXISTS ({wanted[name]} EXCEPT {found[name]})")[0][0]
                for name in wanted: project.wait(f"{kind}: {name} outside to be what the source is", lambda: same(name), 60)
                run("DELETE FROM orders WHERE id % 1000 = 1")
                for name in wanted: project.wait(f"{kind}: {name} to follow", lambda: same(name), 30)
                for again in range(2 if world.quick else 10):
                    # Emptied at the source, and killed while the targets are emptied and filled.
                    run("TRUNCATE TABLE orders")
                    run(f"INSERT INTO orders (id, grp, name) VALUES " + ", ".join(f"({again * 50 + i}, {i % 7}, 'after')" for i in range(60)))
                    time.sleep(world.random.random() * 0.6)
                    flow.kill(process)
                    process = project.start()
                run("UPDATE orders SET name = 'last', grp = 8 WHERE id % 9 = 1")
                for name in wanted: project.wait(f"{kind}: {name} to be emptied with the source", lambda: same(name), 30)
                world.checks.equal(f"{kind}: exit code", project.stop(process), 0)
            finally: process.kill()
            world.checks.that(f"{kind}: a read was killed in its middle", parts[0] < rows, str(parts))
            world.checks.that(f"{kind}: the first read began anew", "begins anew" in (project.folder / "run.log").read_text())
            world.checks.note(f"{kind}: {rows} rows, {parts} of them outside when the reads were killed")


def secrets_of_servers(world):
    """Passwords of catalogs, sources and targets, and what wrong ones bring up: no command prints one, and no file that terrace writes holds one."""
    canaries = [f"cAnArY{number:02d}x{world.random.randrange(10**12)}" for number in range(24)]
    c, given = iter(canaries), {}
    with servers.Postgres() as pg, servers.MariaDB() as maria:
        def secret(kind, value=None):
            """A password by a literal, the environment, or a file."""
            value = value or next(c)
            if kind == "env":
                given[f"SECRET_{len(given)}"] = value
                return f"${{env:SECRET_{len(given) - 1}}}"
            if kind == "file":
                project.write(f"secret/{value[:8]}.txt", value + "\n")
                return f"${{file:secret/{value[:8]}.txt}}"
            return value
        project = world.project("secrets-of-servers")
        project.write("terrace.conf", "layers: ods, ads\nwarehouse: warehouse\ncatalog.uri: catalog/metastore.db\n")
        good = next(c)
        for name in ("reader", "writer"): pg.run(f"CREATE ROLE {name} LOGIN SUPERUSER REPLICATION PASSWORD '{good}'")
        hba = pg.data / "pg_hba.conf"
        hba.write_text("host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\nhost replication all 127.0.0.1/32 scram-sha-256\n")
        pg.run("SELECT pg_reload_conf()", "CREATE TABLE t (id int PRIMARY KEY, v text)", "CREATE TABLE copy (id int PRIMARY KEY, v text)", "INSERT INTO t VALUES (1, 'a')")
        maria.run(f"CREATE USER 'reader'@'%' IDENTIFIED BY '{good}'", "GRANT ALL ON *.* TO 'reader'@'%'", "CREATE DATABASE shop", "CREATE TABLE shop.m (id INT PRIMARY KEY, v VARCHAR(9))",
                  "CREATE TABLE shop.copy (id INT PRIMARY KEY, v VARCHAR(9))", "INSERT INTO shop.m VALUES (1, 'm')")
        place = {"pg": f"'hostname' = '127.0.0.1', 'port' = '{pg.port}', 'database-name' = 'postgres', 'username' = 'reader'",
                 "maria": f"'hostname' = '127.0.0.1', 'port' = '{maria.port}', 'username' = 'reader'"}
        catalogs = lambda kinds: project.write("catalogs/servers.sql", "".join(
            f"CREATE CATALOG {name} WITH ('type' = '{name.split('_')[0].replace('maria', 'mariadb').replace('pg', 'postgres')}-cdc', {place[name.split('_')[0]]}, 'password' = '{value}');\n" for name, value in kinds.items()))
        catalogs({"pg": secret("env", good), "maria": secret("file", good), "pg_wrong": secret("env"), "maria_wrong": secret("literal")})
        columns = "(id INT NOT NULL, v STRING, PRIMARY KEY (id) NOT ENFORCED)"
        url = {"pg": f"jdbc:postgresql://127.0.0.1:{pg.port}/postgres", "maria": f"jdbc:mariadb://127.0.0.1:{maria.port}/shop"}

        def out(name, server, password, more=""):
            return f"CREATE TEMPORARY TABLE {name} {columns} WITH ('connector' = 'jdbc', 'url' = '{url[server]}{more}', 'table-name' = 'copy', 'username' = 'reader', {password});\n"
        project.spec("ods.t", "CREATE TABLE t AS TABLE pg.postgres.public.t /*+ OPTIONS('slot.name' = 'kept') */;")
        project.spec("ods.m", "CREATE TABLE m AS TABLE maria.shop.m;")
        project.spec("ods.w", "CREATE TABLE w AS TABLE pg_wrong.postgres.public.t;")
        project.spec("ods.wm", "CREATE TABLE wm AS TABLE maria_wrong.shop.m;")
        project.spec("ads.good", out("good_out", "pg", f"'password' = '{secret('literal', good)}'") + "INSERT INTO good_out SELECT id, v FROM ods.t;")
        project.spec("ads.good_m", out("good_m", "maria", f"'password' = '{secret('env', good)}'") + "INSERT INTO good_m SELECT id, v FROM ods.m;")
        project.spec("ads.bad", out("bad_out", "pg", f"'password' = '{secret('literal')}'") + "INSERT INTO bad_out SELECT id, v FROM ods.t;")
        project.spec("ads.bad_m", out("bad_m", "maria", f"'password' = '{secret('file')}'") + "INSERT INTO bad_m SELECT id, v FROM ods.m;")
        project.spec("ads.in_url", out("in_url", "pg", "'sink.parallelism' = '1'", f"?user=reader&password={secret('literal')}") + "INSERT INTO in_url SELECT id, v FROM ods.t;")
        project.spec("ads.src", f"CREATE TEMPORARY TABLE cdc {columns} WITH ('connector' = 'mysql-cdc', {place['maria']}, 'database-name' = 'shop', 'table-name' = 'm', 'password' = '{secret('literal')}');\n"
                     f"CREATE TABLE src {columns};\nINSERT INTO src SELECT * FROM cdc;\n")
        printed = []

        def call(*words):
            done = project.call(*words, code=None, environment=given, timeout=60)
            printed.append(f"\n$ {words[0]}\n{done.stdout}\n{done.stderr}")
            return printed[-1]
        show = "".join(f"SHOW CREATE TABLE {t};\nDESCRIBE EXTENDED {t};\nDESCRIBE {t};\n" for t in ("ods.t", "ods.m", "ads.src")) + "SHOW TABLES;\nSHOW CATALOGS;\nSHOW CREATE CATALOG pg;\nDESCRIBE CATALOG EXTENDED maria;\n"
        every = [["plan"], ["apply"], ["status"], ["status", "-f", "json"], ["lineage"], ["lineage", "-f", "json"], ["dlq", "list"], ["catalog", "list-dbs"], ["repair"]]
        for words in every: call(*words)
        for name in ("w", "wm"): (project.folder / f"layers/ods/{name}.sql").unlink()
        for words in every: call(*words)
        refused = call("run", "--once") + call("run", "--once", "-f", "json")
        for words in every: call(*words)
        world.checks.that("servers refused passwords", refused.count("password authentication failed") > 0 and refused.count("Access denied") > 0, flow.clip(refused))
        world.checks.equal("targets with the right password have their rows", [pg.run("SELECT * FROM copy"), maria.run("SELECT * FROM shop.copy")], [[[1, "a"]], ((1, "m"),)])
        # What has changed is shown, too.
        catalogs({"pg": secret("literal", good), "maria": secret("literal", good), "pg_wrong": secret("literal"), "maria_wrong": secret("env")})
        project.spec("ads.bad", out("bad_out", "pg", f"'password' = '{secret('literal')}', 'sink.max-retries' = '2'") + "INSERT INTO bad_out SELECT id, v || 'x' FROM ods.t;")
        project.spec("ads.broken", out("broken_out", "pg", f"'password' = '{secret('literal')}', 'sekret' = 'x'") + "INSERT INTO broken_out SELECT id, v FROM ods.t;")
        project.spec("ads.unparsed", f"CREATE TEMPORARY TABLE u {columns} WITH ('connector' = 'jdbc', 'password' = '{secret('literal')}' 'url'")
        for words in (["plan"], ["plan", "-f", "json"], ["apply"], ["run", "--once"]): call(*words)
        for name in ("broken", "unparsed"): (project.folder / f"layers/ads/{name}.sql").unlink()
        world.checks.that("a plan masks passwords that have changed", "******" in call("plan"), flow.clip(printed[-1]))
        for words in (["apply", "--rebuild", "ads.bad_out"], ["run", "--once"], *every): call(*words)
        for text in (show, f"CREATE CATALOG mine WITH ('type' = 'postgres-cdc', {place['pg']}, 'password' = '{secret('literal')}');\nSHOW CREATE CATALOG mine;\n",
                     out("o", "maria", f"'password' = '{secret('literal')}'") + "SHOW CREATE TABLE o;\nDESCRIBE o;\nEXPLAIN INSERT INTO o SELECT id, v FROM ods.t;\nINSERT INTO o SELECT id, v FROM ods.t;\n"):
            project.write("x.sql", text)
            for statement in text.split(";\n"): call("sql", (text.split(";\n")[0] + ";\n" if text.startswith("CREATE TEMP") else "") + statement) if statement.strip() else None
            call("sql", "--file", str(project.folder / "x.sql"))
    everything = "".join(printed)
    for canary in canaries:
        world.checks.that(f"{canary[:8]} is not printed", canary not in everything, flow.clip(next((part[:3000] for part in printed if canary in part), "")))
        for file in project.folder.rglob("*"):
            if not file.is_file() or {"layers", "secret", "catalogs"} & set(file.relative_to(project.folder).parts[:1]) or file.name == "x.sql": continue
            if canary.encode() in file.read_bytes(): world.checks.that(f"{canary[:8]} is not stored", False, str(file))
    world.checks.that("something was printed", everything.count("******") > 5, flow.clip(everything))


TESTS = [postgres_database, shards_and_tags, mariadb_database, interrupted_reads, secrets_of_servers]
