"""MariaDB as a source and as a target: equal at the end, nothing twice, whatever dies on the way. mysql_tests asks MySQL the same."""
import json
import os
import random
import subprocess
import threading
import time
import traceback

import flow
import mysql_attack
import servers

CONF = "layers: ods\nwarehouse: warehouse\ncatalog.uri: catalog/metastore.db\n"
COLUMNS = "id INT NOT NULL, name STRING, price DECIMAL(12, 3), big DECIMAL(20, 0), day DATE, moment TIMESTAMP(3), kind STRING, latin STRING, gbk STRING, doc STRING"
NAMES = [part.split()[0] for part in COLUMNS.replace("(12, 3)", "").replace("(20, 0)", "").split(", ")]
THERE = """CREATE TABLE shop.orders (id INT PRIMARY KEY, name VARCHAR(40), price DECIMAL(12,3), big BIGINT UNSIGNED, day DATE, moment DATETIME(3),
  kind ENUM('a','ü'), latin VARCHAR(20) CHARACTER SET latin1, gbk VARCHAR(20) CHARACTER SET gbk, doc JSON) CHARACTER SET utf8mb4"""


# Another kind is put here by mysql_tests.
Server = servers.MariaDB


def options(port, table):
    return (f"'connector' = 'mysql-cdc', 'hostname' = '127.0.0.1', 'port' = '{port}', 'username' = 'cdc', 'password' = 'secret', "
            f"'database-name' = 'shop', 'table-name' = '{table}', 'scan.incremental.snapshot.chunk.size' = '70'")


def change(cursor, random, count):
    """Inserts, updates, deletes, changes of keys; some transactions are long, some are taken back."""
    for _ in range(count):
        cursor.execute("BEGIN")
        for _ in range(random.choice([1, 1, 3, 60])):
            key, what = random.randrange(400), random.random()
            row = (key, random.choice(["Zoë", "中文", "", None]), random.choice(["-1.125", "99999.999", None]), random.choice([0, 2**64 - 1]),
                   random.choice(["2024-02-29", "0000-00-00", None]), "2024-03-01 01:02:03.456", random.choice(["a", "ü"]), "é€", "数据", '{"k": [1, null]}')
            if what < 0.5: cursor.execute(f"REPLACE INTO shop.orders VALUES ({', '.join(['%s'] * 10)})", row)
            elif what < 0.7: cursor.execute("DELETE FROM shop.orders WHERE id = %s", key)
            elif what < 0.8: cursor.execute("UPDATE IGNORE shop.orders SET id = %s WHERE id = %s", (random.randrange(400), key))
            else: cursor.execute("UPDATE shop.orders SET price = price + 1 WHERE id BETWEEN %s AND %s", (key, key + 5))
        cursor.execute(random.choice(["COMMIT", "COMMIT", "COMMIT", "ROLLBACK"]))


def rows_there(server):
    text = ", ".join(f"CAST({c} AS CHAR)" if c != "day" else "IF(day = 0, NULL, CAST(day AS CHAR))" for c in NAMES)
    return sorted(map(repr, server.run("SET NAMES utf8mb4", f"SELECT {text} FROM shop.orders")))


def rows_here(project):
    found = project.rows(f"SELECT {', '.join(f'CAST({c} AS STRING) AS {c}' for c in NAMES)} FROM ods.orders")
    return sorted(repr(tuple(row[c] for c in NAMES)) for row in found)


def kills(world):
    """terrace, the server and the network die while rows change; the table is equal at the end."""
    chance = world.random
    with Server("--sql-mode=") as server:
        server.run("CREATE DATABASE shop", THERE)
        cutter = servers.Cutter(server.port)
        project = world.project("mariadb")
        project.write("terrace.conf", CONF)
        key = "PRIMARY KEY (id) NOT ENFORCED"
        project.spec("ods.orders", f"CREATE TEMPORARY TABLE cdc ({COLUMNS}, {key}) WITH ({options(cutter.port, 'orders')});\n"
                     f"CREATE TABLE ods.orders ({COLUMNS}, {key}) WITH ('bucket' = '1');\nINSERT INTO ods.orders SELECT * FROM cdc;\n")
        project.apply()
        connection = server.connect()
        change(connection.cursor(), chance, 60)
        process = project.start()
        for step in range(4 if world.quick else world.rounds or 20):
            change(connection.cursor(), chance, 40)
            if step % 4 == 0:
                flow.kill(process)
                process = project.start()
            elif step % 4 == 1: cutter.cut()
            elif step % 4 == 2:
                connection.close()
                server.crash()
                connection = server.connect()
            time.sleep(chance.random() * 2)
        change(connection.cursor(), chance, 40)
        end = time.monotonic() + 40
        while rows_here(project) != rows_there(server) and time.monotonic() < end: time.sleep(0.5)
        project.stop(process)
        world.checks.that("rows are left", len(rows_there(server)) > 20)
        world.checks.equal("rows after kills", rows_here(project), rows_there(server))
        connection.close()
        cutter.close()


def sink(world):
    """Rows come, change and go in the target; a run that is killed at any moment leaves nothing twice."""
    with Server() as server:
        server.run("CREATE DATABASE shop", "CREATE TABLE shop.source (id INT PRIMARY KEY, v VARCHAR(40)) CHARACTER SET utf8mb4",
                   "CREATE TABLE shop.target (id INT PRIMARY KEY, v VARCHAR(40)) CHARACTER SET utf8mb4")
        project = world.project("mariadb-sink")
        project.write("terrace.conf", CONF)
        table = "(id INT NOT NULL, v STRING, PRIMARY KEY (id) NOT ENFORCED)"
        project.spec("ods.copy", f"CREATE TEMPORARY TABLE cdc {table} WITH ({options(server.port, 'source')});\n"
                     f"CREATE TABLE out {table} WITH ('connector' = 'jdbc', 'url' = 'jdbc:mariadb://127.0.0.1:{server.port}/shop', 'username' = 'cdc', "
                     "'password' = 'secret', 'table-name' = 'target');\nINSERT INTO out SELECT * FROM cdc;\n")
        project.apply()
        connection = server.connect()
        cursor, chance = connection.cursor(), world.random
        rows = lambda name: server.run(f"SELECT * FROM shop.{name} ORDER BY id")
        cursor.execute("INSERT INTO shop.source VALUES (1, 'first')")
        process = project.start()
        # A first read that is interrupted begins anew, and does not empty a target outside (docs/not-supported.md).
        project.wait("the first rows", lambda: rows("target"))
        time.sleep(1)
        for _ in range(4 if world.quick else world.rounds or 20):
            for _ in range(150):
                key = chance.randrange(200)
                if chance.random() < 0.3: cursor.execute("DELETE FROM shop.source WHERE id = %s", key)
                else: cursor.execute("REPLACE INTO shop.source VALUES (%s, %s)", (key, chance.choice(["it's", "\\", "中文", "", None])))
            time.sleep(chance.random())
            flow.kill(process)
            process = project.start()
        end = time.monotonic() + 40
        while rows("source") != rows("target") and time.monotonic() < end: time.sleep(0.3)
        project.stop(process)
        world.checks.equal("rows of the target", rows("target"), rows("source"))
        connection.close()


# Each detail below works on its own database of one server, which `details` starts.


def spec(project, server, table, columns, there, key="id", options="", select="*", target=None, kept=""):
    """A keyed table that follows a table there (`database.table`, or patterns)."""
    database, name = there.split(".")
    port = server if isinstance(server, int) else server.port
    bound = f", PRIMARY KEY ({key}) NOT ENFORCED" if key else ""
    cdc = (f"CREATE TEMPORARY TABLE cdc ({columns}{bound}) WITH ('connector' = 'mysql-cdc', 'hostname' = '127.0.0.1', 'port' = '{port}', 'username' = 'cdc', "
           f"'password' = 'secret', 'database-name' = '{database}', 'table-name' = '{name}'{options});\n")
    project.spec(f"ods.{table}", cdc + f"CREATE TABLE ods.{table} ({target or columns + bound}) WITH ('bucket' = '1'{kept});\nINSERT INTO ods.{table} SELECT {select} FROM cdc;\n")


def new(world, name):
    project = world.project(name)
    project.write("terrace.conf", CONF)
    return project


def all_rows(project, table, order="id"):
    return [tuple(row.values()) for row in project.rows(f"SELECT * FROM ods.{table} ORDER BY {order}")]


def reason(project, table):
    """What the run says that stopped a job."""
    done = project.call("run", "--once", code=None)
    return done.stdout + done.stderr


def startup(world, server):
    """Each mode takes what it says: what is there, what comes, or both."""
    server.run("CREATE DATABASE st", "CREATE TABLE st.t (id INT PRIMARY KEY, v INT)", "INSERT INTO st.t VALUES (1, 1), (2, 2), (3, 3)")
    # Times in the log are whole seconds.
    time.sleep(1.1)
    (file, offset), gtids = server.place(), server.gtids()
    millis = server.run("SELECT UNIX_TIMESTAMP() * 1000")[0][0]
    server.run("INSERT INTO st.t VALUES (6, 6)", "UPDATE st.t SET v = 20 WHERE id = 2", "DELETE FROM st.t WHERE id = 3")
    project, specific = new(world, "startup"), "'scan.startup.specific-offset"
    modes = {"initial": "", "earliest": "earliest-offset", "latest": "latest-offset", "snapshot": "snapshot", "file": f"specific-offset', {specific}.file' = '{file}', {specific}.pos' = '{offset}",
             "gtid": f"specific-offset', {specific}.gtid-set' = '{gtids}", "timestamp": f"timestamp', 'scan.startup.timestamp-millis' = '{int(millis)}"}
    for table, mode in modes.items():
        spec(project, server, table, "id INT NOT NULL, v INT", "st.t", options=f", 'scan.startup.mode' = '{mode}'" if mode else "")
    project.apply()
    project.once()
    now, since = [(1, 1), (2, 20), (6, 6)], [(2, 20), (6, 6)]
    first = {"initial": now, "earliest": now, "latest": [], "snapshot": now, "file": since, "gtid": since, "timestamp": since}
    for table, rows in first.items(): world.checks.equal(f"{table} at first", all_rows(project, table), rows)
    server.run("INSERT INTO st.t VALUES (9, 9)")
    project.once()
    for table, rows in first.items():
        world.checks.equal(f"{table} later", all_rows(project, table), rows if table == "snapshot" else rows + [(9, 9)])


def keys(world, server):
    """Chunks by composite, text, binary and decimal keys take each row once; tables without a key are read whole."""
    tables = {"words": ("a VARCHAR(20), b INT, v INT, PRIMARY KEY (a, b)", "a STRING NOT NULL, b INT NOT NULL, v INT", "a, b",
                        [(a, b, b) for a in ("", "A", "b", "it's", "\\", "ü", "中文", "🎈", "z z") for b in (-5, 0, 7)]),
              "raws": ("a VARBINARY(8), v INT, PRIMARY KEY (a)", "a BYTES NOT NULL, v INT", "a", [(bytes([i, 0]), i) for i in range(0, 250, 7)]),
              "sums": ("a DECIMAL(20,4), b DATETIME(6), v INT, PRIMARY KEY (a, b)", "a DECIMAL(20, 4) NOT NULL, b TIMESTAMP(6) NOT NULL, v INT", "a, b",
                       [(f"{i}.{i % 10}001", f"2024-01-0{1 + i % 3} 00:00:00.00000{i % 10}", i) for i in range(-20, 20)])}
    server.run("CREATE DATABASE keyed CHARACTER SET utf8mb4", "CREATE TABLE keyed.bare (v INT, w VARCHAR(5))", "INSERT INTO keyed.bare VALUES (1, 'a'), (1, 'a'), (2, NULL), (3, 'b')")
    project = new(world, "keys")
    connection = server.connect()
    cursor = connection.cursor()
    for name, (there, here, key, rows) in tables.items():
        cursor.execute(f"CREATE TABLE keyed.{name} ({there})")
        cursor.executemany(f"INSERT INTO keyed.{name} VALUES ({', '.join(['%s'] * len(rows[0]))})", rows)
        spec(project, server, name, here, f"keyed.{name}", key=key, options=", 'scan.incremental.snapshot.chunk.size' = '4'")
    spec(project, server, "bare", "v INT, w STRING", "keyed.bare", key="", select="v, COUNT(*) FROM cdc GROUP BY v --", target="v INT, n BIGINT, PRIMARY KEY (v) NOT ENFORCED")
    project.apply()
    project.once()
    for name, (there, here, key, rows) in tables.items():
        found = project.rows(f"SELECT COUNT(*) AS n, SUM(CAST(v AS BIGINT)) AS s FROM ods.{name}")[0]
        world.checks.equal(f"rows of {name}", (int(found["n"]), int(found["s"])), (len(rows), sum(row[-1] for row in rows)))
        server.run(f"UPDATE keyed.{name} SET v = v + 1", f"DELETE FROM keyed.{name} WHERE v % 3 = 0")
    server.run("DELETE FROM keyed.bare WHERE v = 1 LIMIT 1", "UPDATE keyed.bare SET v = 3 WHERE v = 2", "INSERT INTO keyed.bare VALUES (4, 'x')")
    project.once()
    for name in tables:
        found = project.rows(f"SELECT COUNT(*) AS n, SUM(CAST(v AS BIGINT)) AS s FROM ods.{name}")[0]
        world.checks.equal(f"{name} later", (int(found["n"]), int(found["s"])), tuple(map(int, server.run(f"SELECT COUNT(*), SUM(v) FROM keyed.{name}")[0])))
    world.checks.equal("counts of a table without a key", all_rows(project, "bare", "v"), [(1, 1), (3, 2), (4, 1)])
    connection.close()


# Column here, type there, type here, value there, text here.
TYPES = [("t1", "TINYINT(1)", "BOOLEAN", "1", "TRUE"), ("tu", "TINYINT UNSIGNED", "SMALLINT", "255", "255"), ("su", "SMALLINT UNSIGNED", "INT", "65535", "65535"),
         ("m", "MEDIUMINT", "INT", "-8388608", "-8388608"), ("mu", "MEDIUMINT UNSIGNED", "INT", "16777215", "16777215"), ("iu", "INT UNSIGNED", "BIGINT", "4294967295", "4294967295"),
         ("bu", "BIGINT UNSIGNED", "DECIMAL(20, 0)", "18446744073709551615", "18446744073709551615"), ("f", "FLOAT", "FLOAT", "1.5", "1.5"), ("d", "DOUBLE", "DOUBLE", "-2.5e-300", "-2.5E-300"),
         ("n", "DECIMAL(38,10)", "DECIMAL(38, 10)", "-1234567890123456789012345678.0123456789", "-1234567890123456789012345678.0123456789"),
         ("n2", "DECIMAL(18,6)", "DECIMAL(18, 6)", "-999999999999.999999", "-999999999999.999999"), ("n3", "DECIMAL(5,5)", "DECIMAL(5, 5)", "0.00001", "0.00001"),
         ("da", "DATE", "DATE", "'9999-12-31'", "9999-12-31"), ("z1", "DATE", "DATE", "'0000-00-00'", None), ("z2", "DATETIME(3)", "TIMESTAMP(3)", "'0000-00-00'", None),
         ("z3", "TIMESTAMP NULL", "TIMESTAMP(3)", "'0000-00-00'", None), ("z4", "DATE", "DATE", "'2024-00-10'", None), ("dt", "DATETIME(6)", "TIMESTAMP(6)", "'1000-01-01 23:59:59.999999'", "1000-01-01 23:59:59.999999"),
         ("ts", "TIMESTAMP(3) NULL", "TIMESTAMP(3)", "'2024-07-01 12:00:00.125'", "2024-07-01 12:00:00.125"), ("tm", "TIME(3)", "STRING", "'-838:59:59.000'", "-838:59:59.000"),
         ("ti", "TIME", "TIME", "'23:59:58'", "23:59:58"), ("y", "YEAR", "INT", "2155", "2155"), ("c", "CHAR(6) CHARACTER SET latin1", "STRING", "'é€ '", "é€"),
         ("g", "VARCHAR(20) CHARACTER SET gbk", "STRING", "'数据'", "数据"), ("u", "VARCHAR(20) CHARACTER SET utf8mb4", "VARCHAR(20)", "'🎈中é'", "🎈中é"), ("u2", "TEXT CHARACTER SET utf16", "STRING", "'🎈ab'", "🎈ab"),
         ("s", "VARCHAR(300)", "VARCHAR(300)", "REPEAT('ä', 300)", "ä" * 300), ("e", "ENUM('a','it''s','中')", "STRING", "'中'", "中"), ("e2", "ENUM('a') CHARACTER SET latin1", "STRING", "'nothing'", ""),
         ("se", "SET('x','y','z')", "STRING", "'x,z'", "x,z"), ("j", "JSON", "STRING", "'{\"k\": [1, null, \"ü\"]}'", '{"k": [1, null, "ü"]}'), ("bi", "BINARY(4)", "BINARY(4)", "x'0A00'", "0A000000"),
         ("vb", "VARBINARY(4)", "VARBINARY(4)", "x'0A00'", "0A00"), ("bl", "LONGBLOB", "BYTES", "x'00ff'", "00FF"), ("b1", "BIT(1)", "BOOLEAN", "1", "TRUE"), ("b2", "BIT(12)", "BINARY(2)", "b'101'", "0005"),
         ("f2", "FLOAT", "FLOAT", "16777217", "1.6777216E7"), ("f3", "FLOAT", "STRING", "1.2345678", "1.2345678"), ("y2", "YEAR(2)", "INT", "99", "1999"),
         ("sj", "VARCHAR(20) CHARACTER SET sjis", "STRING", "_sjis x'93fa5c7e815f'", "日\\~\\"), ("kr", "CHAR(20) CHARACTER SET euckr", "STRING", "_euckr x'8141b0a1'", "갂가"),
         ("uj", "TEXT CHARACTER SET ujis", "STRING", "_ujis x'c6fca1c1'", "日〜"),
         ("po", "POINT", "STRING", "ST_GeomFromText('POINT(1 -2.5)')", None)]


def types(world, server):
    """A value is the same whether the first read or the log brings it."""
    columns = [row for row in TYPES if server.FAMILY == "mariadb" or row[1] != "YEAR(2)"]
    server.run("CREATE DATABASE typed CHARACTER SET utf8mb4", "SET sql_mode = ''", "SET NAMES utf8mb4",
               f"CREATE TABLE typed.t (id INT PRIMARY KEY, {', '.join(f'{c} {t}' for c, t, *_ in columns)})")
    insert = lambda key: server.run("SET sql_mode = ''", "SET NAMES utf8mb4", f"INSERT INTO typed.t VALUES ({key}, {', '.join(row[3] for row in columns)}), ({key + 1}, {', '.join('NULL' for _ in columns)})")
    insert(1)
    project = new(world, "types")
    spec(project, server, "t", "id INT NOT NULL, " + ", ".join(f"{c} {t}" for c, _, t, *_ in columns), "typed.t", options=", 'server-time-zone' = 'UTC'")
    project.apply()
    project.once()
    insert(11)
    project.once()
    server.run("SET GLOBAL binlog_row_metadata = FULL")
    insert(21)
    # Of these the server no longer says what they were.
    server.run("ALTER TABLE typed.t " + ", ".join(f"DROP {c}" for c in ("iu", "e", "se", "c", "vb")), f"SET GLOBAL binlog_row_metadata = {server.BARE}")
    project.once()
    text = lambda c, t: f"HEX({c}) AS {c}" if "BIN" in t or t == "BYTES" else f"CAST({c} AS STRING) AS {c}"
    found = {row["id"]: row for row in project.rows("SELECT id, " + ", ".join(text(c, t) for c, _, t, *_ in columns) + " FROM ods.t")}
    world.checks.equal("rows", sorted(found), [1, 2, 11, 12, 21, 22])
    for c, there, _, _, expected in columns:
        if expected is not None or c.startswith("z"): world.checks.equal(f"{there} of the first read", found[1][c], expected)
        world.checks.equal(f"{there} of the log", found[11][c], found[1][c])
        world.checks.equal(f"{there} as the log describes it", found[21][c], found[1][c])
        world.checks.equal(f"null of {there}", (found[2][c], found[12][c], found[22][c]), (None, None, None))


def shards(world, server):
    """Tables that patterns name become one, with where each row comes from."""
    server.run(*[sql for i in range(2) for sql in (f"CREATE DATABASE shard_{i}", f"CREATE TABLE shard_{i}.orders_1 (id INT PRIMARY KEY, v INT)",
               f"CREATE TABLE shard_{i}.orders_2 (v INT, id INT PRIMARY KEY, more INT)", f"CREATE TABLE shard_{i}.orders_x (id INT)",
               f"INSERT INTO shard_{i}.orders_1 VALUES ({i}1, 1)", f"INSERT INTO shard_{i}.orders_2 VALUES (2, {i}2, 0)")])
    project = new(world, "shards")
    metadata = ", d STRING METADATA FROM 'database_name' VIRTUAL, t STRING METADATA FROM 'table_name' VIRTUAL, at TIMESTAMP_LTZ(3) METADATA FROM 'op_ts' VIRTUAL, k STRING METADATA FROM 'row_kind' VIRTUAL, ms BIGINT METADATA FROM 'op_ts' VIRTUAL"
    spec(project, server, "orders", "id INT NOT NULL, v INT" + metadata, "shard_[0-9].orders_[0-9]", select="id, v, d, t, CAST(at AS STRING), k, ms",
         target="id INT, v INT, d STRING, t STRING, at STRING, k STRING, ms BIGINT, PRIMARY KEY (d, t, id) NOT ENFORCED")
    project.apply()
    project.once()
    first = [(1, 1, "shard_0", "orders_1"), (2, 2, "shard_0", "orders_2"), (11, 1, "shard_1", "orders_1"), (12, 2, "shard_1", "orders_2")]
    world.checks.equal("rows of four tables", [row[:4] for row in all_rows(project, "orders")], first)
    server.run("UPDATE shard_1.orders_2 SET v = 7 WHERE id = 12", "INSERT INTO shard_0.orders_1 VALUES (5, 5)", "DELETE FROM shard_0.orders_2", "INSERT INTO shard_0.orders_x VALUES (1)")
    project.once()
    rows = all_rows(project, "orders")
    world.checks.equal("rows later", [row[:4] for row in rows], [first[0], (5, 5, "shard_0", "orders_1"), first[2], (12, 7, "shard_1", "orders_2")])
    kind = {row[0]: (row[4][:3], row[5]) for row in rows}
    world.checks.equal("times as numbers", {row[0]: row[6] // 10**11 for row in rows}, {1: 0, 5: 17, 11: 0, 12: 17})
    world.checks.equal("times and kinds", kind, {1: ("197", "+I"), 5: ("202", "+I"), 11: ("197", "+I"), 12: ("202", "+U")})
    server.run("INSERT INTO shard_0.orders_2 VALUES (1, 11, 0)", "UPDATE shard_0.orders_2 SET v = 2", "DELETE FROM shard_0.orders_1 WHERE id = 1",
               "INSERT INTO shard_1.orders_1 VALUES (6, 6)", "UPDATE shard_1.orders_1 SET v = 8 WHERE id = 6", "UPDATE shard_1.orders_1 SET id = 7 WHERE id = 6")
    project.once()
    rows = [row[:4] + row[5:6] for row in all_rows(project, "orders")]
    world.checks.equal("kinds of a key that comes and changes at once", [row for row in rows if row[0] in (1, 6, 7, 11)],
                       [(7, 8, "shard_1", "orders_1", "+U"), (11, 2, "shard_0", "orders_2", "+U"), (11, 1, "shard_1", "orders_1", "+I")])


def databases(world, server):
    """Patterns over databases: tables of one name become one, with the database in the key."""
    for i in range(3):
        more, value = (", note VARCHAR(9)", ", 'n'") if i == 2 else ("", "")
        server.run(f"CREATE DATABASE firm_{i}", f"CREATE TABLE firm_{i}.users (id INT PRIMARY KEY, v INT{more})", f"INSERT INTO firm_{i}.users VALUES (1, {i}{value}), (2, {i}{value})",
                   f"CREATE TABLE firm_{i}.orders_{i} (id INT PRIMARY KEY)", f"INSERT INTO firm_{i}.orders_{i} VALUES ({i})")
    server.run("CREATE DATABASE firm_x", "CREATE TABLE firm_x.users (id INT PRIMARY KEY, v INT)", "INSERT INTO firm_x.users VALUES (9, 9)")
    project = new(world, "firms")
    project.write("layers/ods/all.sql", f"CREATE CATALOG src WITH ('type' = 'mysql-cdc', 'hostname' = '127.0.0.1', 'port' = '{server.port}', 'username' = 'cdc', 'password' = 'secret');\n"
                  "CREATE DATABASE ods WITH ('key-metadata-columns' = 'database_name') AS DATABASE src.`firm_[0-9]+` INCLUDING TABLE 'users';\n"
                  "CREATE TABLE orders AS TABLE src.`firm_[0-9]+`.`orders_[0-9]+`;\n")
    project.once()
    rows = lambda: [tuple(row.values()) for row in project.rows("SELECT database_name, id, v, note FROM ods.users ORDER BY database_name, id")]
    world.checks.equal("rows of three databases", rows(), [(f"firm_{i}", k, i, "n" if i == 2 else None) for i in range(3) for k in (1, 2)])
    server.run("UPDATE firm_1.users SET v = 10 WHERE id = 1", "DELETE FROM firm_2.users WHERE id = 1", "INSERT INTO firm_0.users VALUES (3, 30)", "DELETE FROM firm_1.orders_1", "INSERT INTO firm_x.users VALUES (8, 8)")
    project.once()
    world.checks.equal("their changes", rows(), [("firm_0", 1, 0, None), ("firm_0", 2, 0, None), ("firm_0", 3, 30, None), ("firm_1", 1, 10, None), ("firm_1", 2, 1, None), ("firm_2", 2, 2, "n")])
    world.checks.equal("a table of tables in databases", all_rows(project, "orders"), [(0,), (2,)])
    # A database that comes later.
    server.run("CREATE DATABASE firm_7", "CREATE TABLE firm_7.users (id INT PRIMARY KEY, v INT)", "INSERT INTO firm_7.users VALUES (1, 7)")
    for _ in range(2): project.once()
    world.checks.equal("a database that came later", rows()[-1], ("firm_7", 1, 7, None))


def huge(world, server):
    """One transaction of many rows goes through in bounded memory, also when the run is killed inside."""
    count = 60_000 if world.quick else 2_000_000
    server.run("CREATE DATABASE huge", "CREATE TABLE huge.t (id INT PRIMARY KEY, v INT, note VARCHAR(400))")
    project = new(world, "huge")
    spec(project, server, "t", "id INT NOT NULL, v INT, note STRING", "huge.t")
    project.apply()
    project.once()
    connection = server.connect()
    cursor = connection.cursor()
    cursor.execute("BEGIN")
    cursor.execute(f"INSERT INTO huge.t SELECT seq, 0, REPEAT(CHAR(65 + seq % 26), 300) FROM {server.seq('huge', count)}")
    cursor.execute("UPDATE huge.t SET v = id % 100")
    cursor.execute("DELETE FROM huge.t WHERE id % 3 = 0")
    cursor.execute("COMMIT")
    connection.close()
    process = project.start()
    before = project.latest("ods.t")
    project.wait("a part of the transaction", lambda: project.latest("ods.t") > before)
    flow.kill(process)
    process = subprocess.Popen(project.command("run", "--once"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    found = project.rows("SELECT COUNT(*) AS n, SUM(CAST(v AS BIGINT)) AS s, SUM(CAST(id AS BIGINT)) AS k FROM ods.t")[0]
    expected = tuple(map(int, server.run("SELECT COUNT(*), SUM(v), SUM(id) FROM huge.t")[0]))
    world.checks.equal("rows of one transaction", (status, int(found["n"]), int(found["s"]), int(found["k"])), (0, *expected))
    world.checks.note(f"one transaction, {count * 300 / 1e6:.0f} MB of rows, three times: peak {usage.ru_maxrss / 1000:.0f} MB")
    if not world.quick: world.checks.that("memory is bounded", usage.ru_maxrss < 1_100_000, f"{usage.ru_maxrss} KB")


def packed(world, server):
    """Events that the server packs (log_bin_compress), and large ones."""
    server.run("CREATE DATABASE packed", "CREATE TABLE packed.t (id INT PRIMARY KEY, v LONGTEXT)")
    server.pack("ON")
    project = new(world, "packed")
    spec(project, server, "t", "id INT NOT NULL, v STRING", "packed.t", options=", 'scan.startup.mode' = 'earliest-offset'")
    project.apply()
    server.run(f"INSERT INTO packed.t SELECT seq, REPEAT(seq, 300) FROM {server.seq('packed', 2000)}", "UPDATE packed.t SET v = CONCAT(v, 'x') WHERE id % 2 = 0", "DELETE FROM packed.t WHERE id % 5 = 0",
               "SET GLOBAL max_allowed_packet = 64 << 20")
    server.run("INSERT INTO packed.t VALUES (-1, REPEAT('large', 3500000))", "ALTER TABLE packed.t COMMENT 'a statement that is packed too, since it is long'")
    server.pack("OFF")
    server.run("INSERT INTO packed.t VALUES (-2, REPEAT('larger', 3000000))")
    project.once()
    text = "SELECT COUNT(*) AS n, SUM(CAST(id AS BIGINT)) AS k, SUM(CAST(CHAR_LENGTH(v) AS BIGINT)) AS l FROM {}"
    found = project.rows(text.format("ods.t"))[0]
    world.checks.equal("rows of packed events", (int(found["n"]), int(found["k"]), int(found["l"])), tuple(map(int, server.run(text.format("packed.t").replace("BIGINT", "SIGNED"))[0])))


def columns_then(world, server):
    """Rows from before a change of columns are told by their names, or refused: never put into the wrong column."""
    server.run("CREATE DATABASE then_", *[f"CREATE TABLE then_.{name} (id INT PRIMARY KEY, a INT, b INT)" for name in ("bare", "told", "early")],
               "INSERT INTO then_.early VALUES (1, 10, 20)")
    project = new(world, "then")
    for name in ("bare", "told"): spec(project, server, name, "id INT NOT NULL, a INT, b INT", f"then_.{name}")
    project.apply()
    project.once()
    server.run("INSERT INTO then_.bare VALUES (1, 10, 20)", "SET GLOBAL binlog_row_metadata = FULL")
    server.run("INSERT INTO then_.told VALUES (1, 10, 20)", f"SET GLOBAL binlog_row_metadata = {server.BARE}")
    for name in ("bare", "told", "early"):
        # The same types in another order, and two names that change places.
        server.run(f"ALTER TABLE then_.{name} MODIFY b INT AFTER id" if name == "told" else f"ALTER TABLE then_.{name} RENAME COLUMN a TO b, RENAME COLUMN b TO a")
    server.run("INSERT INTO then_.bare (id, a, b) VALUES (2, 1, 2)", "INSERT INTO then_.told (id, a, b) VALUES (2, 1, 2)")
    said = reason(project, "bare")
    world.checks.that("rows without names are refused", "then_.bare" in said and "binlog_row_metadata" in said, said)
    world.checks.equal("nothing in the wrong column", [row for row in all_rows(project, "bare") if row[1] == 20 or row[2] == 10], [])
    world.checks.equal("rows with names", all_rows(project, "told"), [(1, 10, 20), (2, 1, 2)])
    late = new(world, "then-early")
    spec(late, server, "early", "id INT NOT NULL, a INT, b INT", "then_.early", options=", 'scan.startup.mode' = 'earliest-offset'")
    late.apply()
    said = reason(late, "early")
    world.checks.that("rows from before a change are refused at first too", "then_.early" in said and "binlog_row_metadata" in said, said)


def renamed(world, server):
    """A column that is renamed there is renamed here, and keeps its values; a row that cannot be taken is a letter that can be read."""
    server.run("SET GLOBAL binlog_row_metadata = FULL", "CREATE DATABASE named", "CREATE TABLE named.t (id INT PRIMARY KEY, old INT, other INT)", "INSERT INTO named.t VALUES (1, 10, 100)")
    project = new(world, "renamed")
    project.write("layers/ods/all.sql", f"CREATE CATALOG src WITH ('type' = 'mariadb-cdc', 'hostname' = '127.0.0.1', 'port' = '{server.port}', 'username' = 'cdc', 'password' = 'secret');\n"
                  "CREATE TABLE t AS TABLE src.named.t;\n")
    project.apply()
    project.once()
    server.run("ALTER TABLE named.t CHANGE old fresh INT", "INSERT INTO named.t VALUES (2, 20, 200)", "ALTER TABLE named.t RENAME COLUMN other TO another", "INSERT INTO named.t VALUES (3, 30, 300)")
    project.once()
    server.run(f"SET GLOBAL binlog_row_metadata = {server.BARE}")
    rows = project.rows("SELECT * FROM ods.t ORDER BY id")
    world.checks.equal("columns that were renamed", rows, [{"id": i, "fresh": i * 10, "another": i * 100} for i in (1, 2, 3)])


# Table, columns, what happens while nobody reads, and what becomes of the table here: the same rows, or why not.
CHANGES = [("wider", "id INT PRIMARY KEY, b VARCHAR(5), e INT", ["MODIFY b VARCHAR(50)", (2, "xxxxxxxx", 2), "MODIFY e BIGINT UNSIGNED", (3, "x", 2**64 - 1), "MODIFY b VARCHAR(60), MODIFY e DECIMAL(30)"], None),
           ("round", "id INT PRIMARY KEY, b INT, e INT", [(2, 20, 21), "CHANGE b e INT, CHANGE e b INT", (3, 30, 31), "RENAME COLUMN e TO b, RENAME COLUMN b TO e", (4, 40, 41)], None),
           ("twice", "id INT PRIMARY KEY, b INT, e INT", ["RENAME COLUMN b TO c", (2, 20, 21), "RENAME COLUMN c TO d", (3, 30, 31), "ADD b DATE, ADD c INT FIRST", (7, 4, 40, 41, "2024-01-02")], None),
           ("again", "id INT PRIMARY KEY, b INT, e INT", ["RENAME COLUMN b TO c, ADD b VARCHAR(9)", (2, 20, 21, "new")], None),
           ("nulls", "id INT PRIMARY KEY, b INT NOT NULL, e INT", ["MODIFY b INT NULL", (2, None, 21)], None),
           ("parts", "id INT PRIMARY KEY, b INT, e INT) PARTITION BY RANGE (id) (PARTITION p VALUES LESS THAN (2), PARTITION q VALUES LESS THAN MAXVALUE", [(2, 2, 2), "TRUNCATE PARTITION p", (3, 3, 3)], None),
           ("emptied", "id INT PRIMARY KEY, b INT, e INT", ["TRUNCATE TABLE {}", (2, 2, 2), "ADD c INT", (3, 3, 3, 3)], None),
           ("flag", "id INT PRIMARY KEY, b TINYINT(1), e INT", ["MODIFY b TINYINT", (2, 5, 5)], "column b is TINYINT now, it was BOOLEAN"),
           ("grown", "id INT PRIMARY KEY, b INT, e INT", ["MODIFY id BIGINT", (5_000_000_000, 2, 2)], "a key column keeps its type"),
           ("remade", "id INT PRIMARY KEY, b INT, e INT", ["DROP TABLE {}", "CREATE TABLE {} (id INT PRIMARY KEY, b INT, e INT)", (2, 2, 2)], "was dropped"),
           ("ghost", "id INT PRIMARY KEY, b INT, e INT", ["CREATE TABLE drift.g2 LIKE {}", "RENAME TABLE {} TO drift.g3, drift.g2 TO {}", (2, 2, 2)], "was renamed to drift.g3"),
           ("stated", "id INT PRIMARY KEY, b INT, e INT", ["SET SESSION binlog_format = STATEMENT", (2, 2, 2)], "a statement changed drift.stated")]
LEFT_OUT = {"setkey": "id SET('a', 'b') PRIMARY KEY)", "mye": "id INT PRIMARY KEY) ENGINE = MyISAM", "ver": "id INT PRIMARY KEY) WITH SYSTEM VERSIONING", "com": "id INT PRIMARY KEY, v VARCHAR(100) COMPRESSED)", "geo": "id INT PRIMARY KEY, v VARCHAR(9) CHARACTER SET geostd8)"}


def changes(world, server):
    """Tables that change while nobody reads are followed as the log tells it, or stop with the reason: no value is lost, nothing goes on for ever."""
    left_out = {name: rest for name, rest in LEFT_OUT.items() if server.FAMILY == "mariadb" or name not in ("ver", "com")}
    connection = server.connect(database=None)
    cursor = connection.cursor()
    for sql in ("SET GLOBAL binlog_row_metadata = FULL", "CREATE DATABASE drift CHARACTER SET utf8mb4", *[f"CREATE TABLE drift.{name} ({rest}" for name, rest in left_out.items()]): cursor.execute(sql)
    for name, columns, _, _ in CHANGES:
        cursor.execute(f"CREATE TABLE drift.{name} ({columns})")
        cursor.execute(f"INSERT INTO drift.{name} VALUES (1, 1, 0)")
    cursor.execute("CREATE TABLE drift.child (id INT PRIMARY KEY, p INT, twice INT AS (id * 2) STORED, FOREIGN KEY (p) REFERENCES drift.wider (id) ON DELETE SET NULL)")
    project = new(world, "drift")
    project.write("layers/ods/all.sql", f"CREATE CATALOG src WITH ('type' = 'mariadb-cdc', 'hostname' = '127.0.0.1', 'port' = '{server.port}', 'username' = 'cdc', 'password' = 'secret');\n"
                  "CREATE DATABASE ods AS DATABASE src.drift INCLUDING ALL TABLES;\n")
    said = project.call("plan").stderr
    project.apply()
    # MySQL logs rows that foreign keys change from 9.6 on.
    cascades = [] if server.BARE == "MINIMAL" and server.VERSION == "9" else ["rows change with those of wider (ON DELETE SET NULL)"]
    for text in ("generated column twice is left out", *cascades, *[f"ods.{name} is left out" for name in left_out]):
        world.checks.that(f"plan says {text}", text in said, said)
    project.once()
    for name, _, steps, _ in CHANGES:
        for step in steps:
            if isinstance(step, tuple): cursor.execute(f"INSERT INTO drift.{name} VALUES ({', '.join(['%s'] * len(step))})", step)
            elif step.split()[0] in ("MODIFY", "CHANGE", "RENAME", "ADD", "TRUNCATE") and "{}" not in step: cursor.execute(f"ALTER TABLE drift.{name} {step}")
            else: cursor.execute(step.replace("{}", f"drift.{name}"))
    connection.close()
    done = project.call("run", "--once", code=None)
    world.checks.equal("a run with tables that stopped", done.returncode, 1)
    told = {job["name"]: job.get("error") or "" for job in project.status()["jobs"]}
    text = lambda rows: [tuple(None if v is None else str(v) for v in row) for row in rows]
    for name, _, _, reason in CHANGES:
        if reason: world.checks.that(f"{name} stops", reason in told[f"ods.{name}"], told)
        else:
            names = [row[0] for row in server.run(f"SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'drift' AND TABLE_NAME = '{name}' ORDER BY ORDINAL_POSITION")]
            found = project.rows(f"SELECT {', '.join(names)} FROM ods.{name} ORDER BY id")
            world.checks.equal(f"rows of {name}", text(tuple(row.values()) for row in found), text(server.run(f"SELECT {', '.join(names)} FROM drift.{name} ORDER BY id")))
    world.checks.equal("quarantined again", project.call("run", "--once", code=None).returncode, 1)
    server.run(f"SET GLOBAL binlog_row_metadata = {server.BARE}")


def letters(world, server):
    """A row that its columns cannot hold is kept as JSON, with its place in the log."""
    server.run("CREATE DATABASE wrong CHARACTER SET utf8mb4", "CREATE TABLE wrong.t (id INT PRIMARY KEY, v VARCHAR(20), w BIGINT, n INT)", "INSERT INTO wrong.t VALUES (0, 'first', NULL, 0)")
    project = new(world, "letters")
    spec(project, server, "t", "id INT NOT NULL, v STRING, w BIGINT NOT NULL, n INT", "wrong.t")
    project.apply()
    project.once()
    server.run("INSERT INTO wrong.t VALUES (1, 'ü', NULL, 0), (2, 'fine', 2, 2)", "UPDATE wrong.t SET w = NULL, v = 'gone' WHERE id = 2", "INSERT INTO wrong.t VALUES (3, 'fine', 3, 3)")
    project.once()
    world.checks.equal("rows beside letters", all_rows(project, "t"), [(3, "fine", 3, 3)])
    listed = [json.loads(line) for line in project.call("dlq", "list", "ods.t", "-f", "json").stdout.splitlines()]
    found = [json.loads(row["record"]) for row in listed]
    world.checks.equal("letters have their rows", found, [{"table": "wrong.t", "kind": kind, "row": {"id": i, "v": v, "w": None, "n": n}}
                                                              for i, v, n, kind in ((0, "first", 0, "+I"), (1, "ü", 0, "+I"), (2, "gone", 2, "+U"))])
    world.checks.equal("letters have their places", [row["place"].split(":")[0] for row in listed], ["wrong.t"] + [f"wrong.t {server.place()[0]}"] * 2)


def purged(world, server):
    """A log that the server threw away is said to be gone."""
    server.run("CREATE DATABASE gone", *[sql for t in ("t", "quiet") for sql in (f"CREATE TABLE gone.{t} (id INT PRIMARY KEY)", f"INSERT INTO gone.{t} VALUES (1)")])
    project, quiet = new(world, "purged"), new(world, "purged-quiet")
    spec(project, server, "t", "id INT NOT NULL", "gone.t", options=", 'connect.max-retries' = '5', 'scan.snapshot.fetch.size' = '2'")
    spec(quiet, server, "quiet", "id INT NOT NULL", "gone.quiet")
    for each in (project, quiet): each.apply()
    quiet.once()
    said = reason(project, "t")
    world.checks.that("an option without effect is said", "without effect here: connect.max-retries" in said and "fetch" not in said, said)
    server.run("INSERT INTO gone.t VALUES (2)", "FLUSH BINARY LOGS", "INSERT INTO gone.t VALUES (3)", "FLUSH BINARY LOGS")
    last = server.place()[0]
    # A table that does not change goes on with the log.
    quiet.once()
    # The server keeps what a restart of its own may need for a moment.
    while len(server.run(f"PURGE BINARY LOGS TO '{last}'", "SHOW BINARY LOGS")) > 1: time.sleep(0.1)
    said = reason(project, "t")
    world.checks.that("the log is said to be gone", "binary log" in said and "--rebuild" in said, said)
    world.checks.equal("nothing is left out silently", all_rows(project, "t"), [(1,)])
    server.run("INSERT INTO gone.quiet VALUES (2)")
    quiet.once()
    world.checks.equal("a table that did not change", all_rows(quiet, "quiet"), [(1,), (2,)])


def busy(world, server):
    """First reads that begin among many writers see each change once, by a user with no more rights than a replica's."""
    server.run("CREATE DATABASE busy", "CREATE TABLE busy.t (id INT PRIMARY KEY, g INT, v BIGINT)", f"INSERT INTO busy.t SELECT seq, seq % 10, 0 FROM {server.seq('busy', 300)}",
               "CREATE USER few@'%' IDENTIFIED BY 'few'", "GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO few@'%'")
    stop, counts, columns = threading.Event(), [0] * 4, "id INT NOT NULL, g INT, v BIGINT"

    def write(number):
        chance, connection = random.Random(number), server.connect("root", "")
        cursor = connection.cursor()
        while not stop.is_set():
            key = chance.randrange(400) + 1
            try: cursor.execute(chance.choice([f"UPDATE busy.t SET v = v + 1 WHERE id = {key}", f"UPDATE busy.t SET g = (g + 1) % 10 WHERE id = {key}", f"REPLACE INTO busy.t VALUES ({key}, {key % 10}, {counts[number]})",
                                               f"DELETE FROM busy.t WHERE id = {key}", f"UPDATE IGNORE busy.t SET id = id + 400 WHERE id = {key}", f"UPDATE IGNORE busy.t SET id = id - 400 WHERE id = {key + 400}"]))
            except Exception as error:
                # Two writers met.
                if error.args[0] not in (1213, 1205): raise
            counts[number] += 1
        connection.close()

    writers = [threading.Thread(target=write, args=(i,)) for i in range(4)]
    for each in writers: each.start()
    projects = []
    try:
        for attempt in range(2 if world.quick else 12):
            project = new(world, f"busy-{attempt}")
            for i in range(3):
                spec(project, server, f"t{i}", columns, "busy.t", options=f", 'scan.incremental.snapshot.chunk.size' = '{50 + i}'")
                spec(project, server, f"s{i}", columns, "busy.t", select="g, COUNT(*), SUM(v) FROM cdc GROUP BY g --", target="g INT, n BIGINT, v BIGINT, PRIMARY KEY (g) NOT ENFORCED")
            for file in (project.folder / "layers/ods").iterdir(): file.write_text(file.read_text().replace("'cdc'", "'few'").replace("'secret'", "'few'"))
            project.apply()
            project.once()
            projects.append(project)
    finally:
        stop.set()
        for each in writers: each.join()
    rows, sums = ([tuple(map(int, row)) for row in server.run(sql)] for sql in ("SELECT * FROM busy.t ORDER BY id", "SELECT g, COUNT(*), SUM(v) FROM busy.t GROUP BY g ORDER BY g"))
    for project in projects:
        project.once()
        for i in range(3):
            world.checks.equal("rows among writers", all_rows(project, f"t{i}"), rows)
            world.checks.equal("sums among writers", all_rows(project, f"s{i}", "g"), sums)
    world.checks.note(f"{sum(counts)} changes by four writers while {len(projects) * 6} first reads began")


def branches(world, server):
    """Rows of XA transactions count when they are committed, whoever was stopped between PREPARE and COMMIT; other tables do not wait."""
    server.run("CREATE DATABASE xa CHARACTER SET utf8mb4", *[f"CREATE TABLE xa.{t} (id INT PRIMARY KEY, v VARCHAR(20))" for t in ("t", "other", "late")])
    connection = [server.connect("root", "") for _ in range(6)]
    do = lambda i, *all: [connection[i].cursor().execute(sql) for sql in all]

    def prepare(i, name, *all):
        # Without locks on what lies between rows.
        do(i, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", f"XA START {name}", *all, f"XA END {name}", f"XA PREPARE {name}")
        # A server gives a prepared transaction to others when its session has gone.
        connection[i].close()
        connection[i] = server.connect("root", "")

    def settle(i, sql):
        for attempt in range(50):
            try: return do(i, sql)
            except Exception:
                if attempt == 49: raise
                time.sleep(0.1)

    # Prepared before the job's first read.
    prepare(0, "'early'", "INSERT INTO xa.late VALUES (1, 'early')")
    project = new(world, "xa")
    for table in ("t", "other", "late"): spec(project, server, table, "id INT NOT NULL, v STRING", f"xa.{table}")
    project.apply()
    project.once()
    prepare(1, "'one', 'b', 7", "INSERT INTO xa.t VALUES (1, 'one'), (2, 'two')", "UPDATE xa.t SET v = 'zwei' WHERE id = 2")
    prepare(2, "'gone'", "INSERT INTO xa.t VALUES (3, 'never')")
    do(3, "INSERT INTO xa.other VALUES (1, 'meanwhile')", "XA START 'short'", "INSERT INTO xa.t VALUES (4, 'short')", "XA END 'short'", "XA COMMIT 'short' ONE PHASE",
       "INSERT INTO xa.t VALUES (9, 'plain')")
    project.once()
    world.checks.equal("prepared rows are not there", all_rows(project, "t"), [(4, "short"), (9, "plain")])
    world.checks.equal("other tables go on", all_rows(project, "other"), [(1, "meanwhile")])
    server.run("FLUSH BINARY LOGS")
    settle(4, "XA COMMIT 'one', 'b', 7")
    settle(4, "XA ROLLBACK 'gone'")
    settle(4, "XA COMMIT 'early'")
    do(5, "UPDATE xa.t SET v = 'later' WHERE id = 1", "INSERT INTO xa.t VALUES (3, 'free')")
    project.once()
    world.checks.equal("rows of a committed XA transaction", all_rows(project, "t"), [(1, "later"), (2, "zwei"), (3, "free"), (4, "short"), (9, "plain")])
    world.checks.equal("one that was prepared before the first read", all_rows(project, "late"), [(1, "early")])
    # Many at once, larger than a batch, and a kill between and in them.
    process = project.start()
    for i in range(4):
        prepare(i, f"'many {i}'", f"INSERT INTO xa.t SELECT seq + {100_000 * (i + 1)}, 'many' FROM {server.seq('xa', 6000)}", f"DELETE FROM xa.t WHERE id % 3 = 0 AND id > {100_000 * (i + 1)} AND id < {100_000 * (i + 2)}")
        do(5, f"INSERT INTO xa.t VALUES ({50 + i}, 'between')")
    project.wait("rows between", lambda: any(row[0] == 53 for row in all_rows(project, "t")))
    for i in (2, 0, 3, 1):
        settle(4, f"XA {'ROLLBACK' if i == 3 else 'COMMIT'} 'many {i}'")
        if i in (2, 3):
            flow.kill(process)
            process = project.start()
    count = lambda: all_rows(project, "t")
    there = [tuple(row) for row in server.run("SELECT * FROM xa.t ORDER BY id")]
    end = time.monotonic() + 30
    while count() != there and time.monotonic() < end: time.sleep(0.3)
    project.stop(process)
    world.checks.equal("rows of many XA transactions", len(count()), len(there))
    world.checks.that("and what is in them", count() == there)
    for each in connection: each.close()


def documents(world, server):
    """JSON is the same text whether the first read or the log brings it."""
    values = ["{}", "[]", "null", "true", '"a\\u0007\\"b"', "-0.0", "1e15", "1e16", "1.5e-7", "1e-16", "123456789012345678", "18446744073709551615", "-9223372036854775808", "3.14", "1e300", "2.5e-14",
              '{"b": 1, "aa": {"k": [1, 2, {"x": null}]}, "a": [1.0, 0.1, 100.0]}', '["' + "long" * 500 + '"]', "[" + ", ".join(str(i) for i in range(3000)) + "]"]
    made = ["JSON_ARRAY(CAST('2024-02-29' AS DATE), CAST('2024-02-29 10:11:12.5' AS DATETIME(6)), CAST('-10:11:12.000001' AS TIME(6)))", "JSON_ARRAY(1.10, CAST(-12.345 AS DECIMAL(10,3)))"]
    if server.FAMILY == "mysql": made.append("JSON_ARRAY(x'00ff10', CAST(7 AS UNSIGNED), b'101')")
    server.run("CREATE DATABASE doc CHARACTER SET utf8mb4", "CREATE TABLE doc.t (id INT PRIMARY KEY, j JSON)")
    connection = server.connect()
    cursor = connection.cursor()

    def insert(key):
        for i, value in enumerate(values): cursor.execute("INSERT INTO doc.t VALUES (%s, %s)", (key + i, value))
        for i, value in enumerate(made): cursor.execute(f"INSERT INTO doc.t VALUES ({key + 100 + i}, {value})")

    insert(0)
    project = new(world, "documents")
    spec(project, server, "t", "id INT NOT NULL, j STRING", "doc.t")
    project.apply()
    project.once()
    insert(1000)
    project.once()
    connection.close()
    for here, there in zip(all_rows(project, "t"), server.run("SELECT * FROM doc.t ORDER BY id")): world.checks.equal("a document", here, tuple(there))


def clocks(world, server):
    """A table with times is the same when it is copied to the server that it came from, whatever zone that has."""
    server.run("CREATE DATABASE zones", "SET GLOBAL time_zone = '-05:00'")
    for table in ("source", "copy"): server.run(f"CREATE TABLE zones.{table} (id INT PRIMARY KEY, ts TIMESTAMP(3) NULL, dt DATETIME(3), d DOUBLE)")
    server.run("INSERT INTO zones.source VALUES (1, '2024-07-01 12:00:00.125', '2024-07-01 12:00:00.125', 1), (2, NULL, NULL, NULL)")
    project, login = new(world, "zones"), "'username' = 'cdc', 'password' = 'secret'"

    def copy(name, target, columns, url="", more=""):
        project.spec(f"ods.{name}", f"CREATE TEMPORARY TABLE cdc ({columns}, PRIMARY KEY (id) NOT ENFORCED) WITH ({options(server.port, 'source').replace('shop', 'zones')}{more});\n"
                     f"CREATE TABLE {name} ({columns}, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'jdbc', 'url' = 'jdbc:mysql://127.0.0.1:{server.port}/zones{url}', 'table-name' = '{target}', {login});\n"
                     f"INSERT INTO {name} SELECT * FROM cdc;\n")

    clock, zoned = "id INT NOT NULL, ts TIMESTAMP(3), dt TIMESTAMP(3), d DOUBLE", "id INT NOT NULL, ts TIMESTAMP_LTZ(3), dt TIMESTAMP(3), d DOUBLE"
    copies = {"plain": (clock, "", ""), "moment": (zoned, "", ""), "named": (clock, "?connectionTimeZone=Asia/Tokyo", ", 'server-time-zone' = 'Asia/Tokyo'"), "other": (clock, "?serverTimezone=UTC", ", 'server-time-zone' = 'UTC'")}
    for name, (columns, url, more) in copies.items():
        server.run(f"CREATE TABLE zones.{name} LIKE zones.copy")
        copy(name, name, columns, url, more)
    project.apply()
    project.once()
    server.run("INSERT INTO zones.source VALUES (3, '2024-01-01 00:30:00.001', '2024-01-01 00:30:00.001', 2)", "UPDATE zones.source SET ts = ts + INTERVAL 1 HOUR WHERE id = 1")
    project.once()
    rows = lambda table: server.run(f"SELECT * FROM zones.{table} ORDER BY id")
    for name in copies: world.checks.equal(f"a copy, {name}", rows(name), rows("source"))
    server.run("SET GLOBAL time_zone = '+00:00'")
    # Numbers that the server has not.
    nan = new(world, "nan")
    nan.spec("ods.n", "CREATE TEMPORARY TABLE g (id INT) WITH ('connector' = 'datagen', 'number-of-rows' = '1', 'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '1');\n"
             f"CREATE TEMPORARY TABLE n (id INT, d DOUBLE) WITH ('connector' = 'jdbc', 'url' = 'jdbc:mysql://127.0.0.1:{server.port}/zones', 'table-name' = 'copy', {login});\n"
             "INSERT INTO n SELECT id, CAST('NaN' AS DOUBLE) FROM g;\n")
    nan.apply()
    said = reason(nan, "n")
    world.checks.that("a number that is none is an error", "NaN is no number that MySQL can hold" in said and "column=d" in said, said)
    world.checks.equal("and no row", rows("copy"), ())


def plain(world, server):
    """A server without TLS is no answer to one who asks for it."""
    server.run("CREATE DATABASE safe", "CREATE TABLE safe.t (id INT PRIMARY KEY)", "INSERT INTO safe.t VALUES (1)")
    for mode in ("require", "verify-full"):
        count, said = outcome(world, server, f"none-{mode}", f", 'sslmode' = '{mode}'")
        world.checks.that(f"no encryption is no answer to {mode}", count == 0 and "TLS" in said, said)
    for name, properties in (("asked", "?useSSL=true"), ("required", "?sslMode=REQUIRED"), ("identity", "?sslMode=VERIFY_IDENTITY")):
        count, said = written(world, server, f"none-{name}", properties)
        world.checks.that(f"no row goes without encryption when it is {name}", count == 0 and "TLS" in said, said)


def details(world, only=None):
    """Single questions, a database of its own each, on one server."""
    with Server("--sql-mode=") as server:
        for question in only or (startup, keys, types, shards, databases, packed, huge, columns_then, renamed, changes, letters, plain, busy, branches, documents, clocks, mysql_attack.attack, purged):
            at = time.monotonic()
            try: question(world, server)
            except Exception: world.checks.that(question.__name__, False, traceback.format_exc(limit=4))
            world.checks.note(f"{question.__name__}: {time.monotonic() - at:.1f} s")


def outcome(world, server, name, options, host="localhost"):
    """Rows that came over a connection with these options, and what was said."""
    project = new(world, name)
    spec(project, server, "t", "id INT NOT NULL", "safe.t", options=options)
    file = project.folder / "layers/ods/t.sql"
    file.write_text(file.read_text().replace("'127.0.0.1'", f"'{host}'"))
    project.apply()
    said = reason(project, "t")
    rows = project.rows("SELECT COUNT(*) AS n FROM ods.t") if project.latest("ods.t") else [{"n": 0}]
    return int(rows[0]["n"]), said


def written(world, server, name, properties, host="localhost"):
    """Rows that a target took over a connection with these properties in its URL, and what was said."""
    project = new(world, f"into-{name}")
    project.spec("ods.out", servers.three_rows(f"jdbc:mariadb://{host}:{server.port}/safe{properties}", "cdc", "secret"))
    server.run("CREATE TABLE IF NOT EXISTS safe.copy (id INT PRIMARY KEY)", "DELETE FROM safe.copy")
    applied = project.call("apply", code=None)
    if applied.returncode: return 0, applied.stderr
    said = reason(project, "out")
    return server.run("SELECT COUNT(*) FROM safe.copy")[0][0], said


def tls(world):
    """A server must prove who it is; nothing goes on without encryption when that was asked for."""
    folder = world.scratch / "keys"
    folder.mkdir(parents=True)
    openssl = lambda *words: subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
    fresh = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for name in ("ca", "other"): openssl("req", "-x509", *fresh, "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
    (folder / "names").write_text("subjectAltName=DNS:localhost")
    openssl("req", *fresh, "-subj", "/CN=localhost", "-keyout", "localhost.key", "-out", "localhost.csr")
    openssl("x509", "-req", "-in", "localhost.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "localhost.pem")
    folder.chmod(0o755)
    for file in folder.iterdir(): file.chmod(0o644)
    world.scratch.chmod(0o755)

    ca, other = f", 'sslrootcert' = '{folder}/ca.pem'", f", 'sslrootcert' = '{folder}/other.pem'"
    with Server(f"--ssl-cert={folder}/localhost.pem", f"--ssl-key={folder}/localhost.key", f"--ssl-ca={folder}/ca.pem") as server:
        server.run("CREATE DATABASE safe", "CREATE TABLE safe.t (id INT PRIMARY KEY)", "INSERT INTO safe.t VALUES (1)", "ALTER USER cdc@'%' REQUIRE SSL")
        world.checks.equal("the right authority", outcome(world, server, "right", ca)[0], 1)
        world.checks.equal("encrypted only", outcome(world, server, "encrypted", ", 'sslmode' = 'require'", "127.0.0.1")[0], 1)
        for name, options, host in (("wrong", other, "localhost"), ("system", ", 'sslmode' = 'verify-full'", "localhost"), ("jdbc", f", 'jdbc.properties.useSSL' = 'true'{other}", "localhost"),
                                    ("name", ca, "127.0.0.1")):
            count, said = outcome(world, server, name, options, host)
            world.checks.that(f"{name} authority is refused", count == 0 and "no safe connection" in said, said)
        ours, others = f"serverSslCert={folder}/ca.pem", f"serverSslCert={folder}/other.pem"
        for name, properties, host in (("right", f"?useSSL=true&{ours}", "localhost"), ("named", f"?{ours}", "localhost"), ("encrypted", "?sslMode=REQUIRED", "127.0.0.1")):
            world.checks.equal(f"rows into a server over TLS: {name}", written(world, server, name, properties, host)[0], 3)
        for name, properties, host, words in (
                ("wrong", f"?useSSL=true&{others}", "localhost", "no safe connection"), ("alone", f"?{others}", "localhost", "no safe connection"), ("system", "?useSSL=true", "localhost", "no safe connection"),
                ("name", f"?sslMode=VERIFY_IDENTITY&{ours}", "127.0.0.1", "no safe connection"), ("preferred", "?sslMode=PREFERRED", "localhost", "not supported"), ("nothing", "", "localhost", "Access denied")):
            count, said = written(world, server, f"refused-{name}", properties, host)
            world.checks.that(f"no row goes to a server that is not safe: {name}", count == 0 and words in said, said)


def failover(world):
    """The primary is lost; its replica, another server id, is made primary, and the job goes on there by GTID."""
    with Server() as first, Server(server_id=2) as second:
        # Both made the user by themselves.
        for server in (first, second): server.forget()
        second.follow(first)
        first.run("CREATE DATABASE shop", "CREATE TABLE shop.t (id INT PRIMARY KEY, v INT)", f"INSERT INTO shop.t SELECT seq, 0 FROM {first.seq('shop', 50)}")
        cutter = servers.Cutter(first.port)
        project = new(world, "failover")
        spec(project, cutter.port, "t", "id INT NOT NULL, v INT", "shop.t")
        project.apply()
        process = project.start()
        project.wait("the first rows", lambda: project.latest("ods.t") > 0)
        first.run("UPDATE shop.t SET v = v + id", "DELETE FROM shop.t WHERE id % 7 = 0")
        rows = lambda server: [tuple(row) for row in server.run("SELECT * FROM shop.t ORDER BY id")]
        project.wait("the replica", lambda: len(second.run("SHOW DATABASES LIKE 'shop'")) and rows(second) == rows(first))
        first.kill()
        second.promote()
        cutter.target = second.port
        cutter.cut()
        second.run("INSERT INTO shop.t VALUES (1000, 1)", "UPDATE shop.t SET v = -v WHERE id < 20", "DELETE FROM shop.t WHERE id = 30")
        project.wait("what came after the promotion", lambda: all_rows(project, "t") == rows(second), 40)
        project.stop(process)
        world.checks.equal("rows after a failover", all_rows(project, "t"), rows(second))
        cutter.close()


TESTS = [kills, sink, details, tls, failover]
