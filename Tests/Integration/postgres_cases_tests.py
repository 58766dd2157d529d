"""PostgreSQL as a source, case by case: what the log can tell, what a server can be asked for, and what is refused with its reason."""
import datetime
import os
import pathlib
import subprocess
import threading
import time

import flow
import servers
from postgres_tests import options, rows_here, rows_there, settle, synced

CONF = "layers: ods\nwarehouse: warehouse\ncatalog.uri: catalog/metastore.db\n"


def opened(world, name):
    project = world.project(name)
    project.write("terrace.conf", CONF)
    return project


def refused(world, what, project, *words):
    """A run ends with an error that says all of this."""
    done = project.call("run", "--once", code=None)
    text = done.stderr + done.stdout
    world.checks.that(f"{what} is refused", done.returncode != 0, f"exit {done.returncode}: {flow.clip(text)}")
    for word in words: world.checks.that(f"{what}: the error says “{word}”", word in text, flow.clip(text))


def log(world):
    """TRUNCATE, partitions, publications that leave out, identities, tables without a key, patterns and metadata, heartbeats; all in one run."""
    with servers.Postgres() as server:
        server.run(
            "CREATE TABLE emptied (id int PRIMARY KEY, v text)", "INSERT INTO emptied SELECT g, 'old' FROM generate_series(1, 500) g",
            "CREATE TABLE parts (region text, id int, v text, PRIMARY KEY (region, id)) PARTITION BY LIST (region)",
            "CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a')",
            "CREATE TABLE parts_b PARTITION OF parts FOR VALUES IN ('b', 'c') PARTITION BY RANGE (id)",
            "CREATE TABLE parts_b1 PARTITION OF parts_b FOR VALUES FROM (0) TO (100)", "CREATE TABLE parts_b2 PARTITION OF parts_b DEFAULT",
            "INSERT INTO parts SELECT chr(97 + g % 3), g, 'v' || g FROM generate_series(1, 300) g",
            "CREATE TABLE shown (id int PRIMARY KEY, n int, a text, secret text)", "ALTER TABLE shown REPLICA IDENTITY FULL",
            "CREATE TABLE listed (id int PRIMARY KEY, n int, a text, secret text)",
            "INSERT INTO shown SELECT g, g, 'a' || g, 's' FROM generate_series(1, 50) g", "INSERT INTO listed TABLE shown",
            "CREATE PUBLICATION partly FOR TABLE shown WHERE (n > 10), listed (id, a)",
            "CREATE TABLE coded (code text NOT NULL, v int)", "CREATE UNIQUE INDEX coded_code ON coded (code)",
            "ALTER TABLE coded REPLICA IDENTITY USING INDEX coded_code", "INSERT INTO coded SELECT 'c' || g, g FROM generate_series(1, 50) g",
            "CREATE TABLE bag (v text)", "ALTER TABLE bag REPLICA IDENTITY FULL", "INSERT INTO bag SELECT 'v' || g % 5 FROM generate_series(1, 40) g",
            "CREATE TABLE shard_1 (id int PRIMARY KEY, v text)", "CREATE TABLE shard_2 (id int PRIMARY KEY, v text)", "CREATE TABLE shard_x (id int PRIMARY KEY, v text)",
            "INSERT INTO shard_1 SELECT g, 'one' FROM generate_series(1, 30) g", "INSERT INTO shard_2 SELECT g, 'two' FROM generate_series(31, 60) g",
            "CREATE TABLE beats (at timestamptz)")
        project = opened(world, "log")
        pair = [("id", "INT NOT NULL"), ("v", "STRING")]
        synced(project, "emptied", pair, ["id"], options(server, "emptied"))
        synced(project, "parts", [("region", "STRING NOT NULL"), *pair], ["region", "id"], options(server, "parts"))
        partly = {"slot.name": "partly", "publication.name": "partly"}
        synced(project, "shown", [("id", "INT NOT NULL"), ("n", "INT"), ("a", "STRING")], ["id"], options(server, "shown", **partly))
        synced(project, "listed", [("id", "INT NOT NULL"), ("a", "STRING")], ["id"], options(server, "listed", **partly))
        synced(project, "coded", [("code", "STRING NOT NULL"), ("v", "INT")], ["code"], options(server, "coded"))
        project.spec("ods.bag", f"CREATE TEMPORARY TABLE bag_cdc (v STRING) WITH ({options(server, 'bag')});\n"
                     "CREATE MATERIALIZED TABLE ods.bag (PRIMARY KEY (v) NOT ENFORCED) AS SELECT v, COUNT(*) AS n FROM bag_cdc GROUP BY v;\n")
        beat = {"heartbeat.interval": "1s", "heartbeat.action.query": "INSERT INTO public.beats VALUES (now())", "slot.name": "beating"}
        told = "t STRING METADATA FROM 'table_name' VIRTUAL, s STRING METADATA FROM 'schema_name' VIRTUAL, d STRING METADATA FROM 'database_name' VIRTUAL, at TIMESTAMP_LTZ(3) METADATA FROM 'op_ts' VIRTUAL"
        project.spec("ods.shards", f"CREATE TEMPORARY TABLE shards_cdc (id INT NOT NULL, v STRING, {told}, PRIMARY KEY (id) NOT ENFORCED) WITH ("
                     + options(server, "shard_[0-9]+", **beat) + ");\n"
                     "CREATE TABLE ods.shards (id INT NOT NULL, v STRING, t STRING, s STRING, d STRING, at TIMESTAMP_LTZ(3), PRIMARY KEY (id) NOT ENFORCED);\n"
                     "INSERT INTO ods.shards SELECT id, v, t, s, d, at FROM shards_cdc;\n")
        project.apply()
        terrace = project.start()

        def all_equal(when):
            settle(world, project, server, "emptied", "emptied", ["id", "v"])
            settle(world, project, server, "parts", "parts", ["region", "id", "v"])
            settle(world, project, server, "shown", "(SELECT * FROM shown WHERE n > 10) s", ["id", "n", "a"])
            settle(world, project, server, "listed", "listed", ["id", "a"])
            settle(world, project, server, "coded", "coded", ["code", "v"])
            settle(world, project, server, "bag", "(SELECT v, count(*) AS n FROM bag GROUP BY v) b", ["v", "n"])
            settle(world, project, server, "shards", "(SELECT id, v, 'shard_1' AS t, 'public' AS s, 'postgres' AS d FROM shard_1 UNION ALL "
                   "SELECT id, v, 'shard_2', 'public', 'postgres' FROM shard_2) s", ["id", "v", "t", "s", "d"])
        try:
            all_equal("snapshot")
            times = lambda: [row["at"] for row in project.rows("SELECT at FROM ods.shards")]
            world.checks.equal("op_ts of first rows", {at[:19] for at in times()}, {"1970-01-01 00:00:00"})
            server.run(
                "UPDATE emptied SET v = 'gone' WHERE id < 10", "TRUNCATE emptied", "INSERT INTO emptied SELECT g, 'new' FROM generate_series(400, 600) g",
                "UPDATE emptied SET v = 'newer' WHERE id > 590", "UPDATE parts SET v = v || '!' WHERE id % 7 = 0", "DELETE FROM parts WHERE id % 11 = 0",
                # Rows that go to another partition.
                "UPDATE parts SET region = 'a', id = id + 1000 WHERE region = 'b' AND id < 60", "UPDATE parts SET id = id + 500 WHERE region = 'c' AND id < 40",
                "CREATE TABLE parts_d PARTITION OF parts FOR VALUES IN ('d')", "INSERT INTO parts SELECT 'd', g, 'late' FROM generate_series(1, 20) g",
                # In and out of what the publication shows.
                "UPDATE shown SET n = n - 20 WHERE id BETWEEN 20 AND 29", "UPDATE shown SET n = n + 20 WHERE id < 5", "DELETE FROM shown WHERE id > 45",
                "UPDATE listed SET secret = 'x', a = a || '!' WHERE id < 9", "DELETE FROM listed WHERE id = 20",
                "UPDATE coded SET code = code || 'x', v = -v WHERE v % 3 = 0", "DELETE FROM coded WHERE v = 4", "INSERT INTO coded VALUES ('c3', 3)",
                "DELETE FROM bag WHERE ctid IN (SELECT ctid FROM bag WHERE v = 'v1' LIMIT 3)", "UPDATE bag SET v = 'v9' WHERE v = 'v2'", "INSERT INTO bag VALUES ('v0'), ('v7'), ('v7')",
                "UPDATE shard_1 SET v = 'changed' WHERE id < 5", "DELETE FROM shard_2 WHERE id = 60", "INSERT INTO shard_2 VALUES (99, 'late')", "INSERT INTO shard_x VALUES (7, 'not of them')")
            all_equal("changes")
            hour = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
            world.checks.equal("op_ts of changes", sum(at > f"{hour:%Y-%m-%d %H:%M:%S}" for at in times()), 5)
            project.wait("heartbeats", lambda: server.run("SELECT count(*) FROM beats")[0][0] > 1, 10)
            server.run("BEGIN; TRUNCATE emptied, coded; INSERT INTO coded VALUES ('again', 1); COMMIT")
            settle(world, project, server, "coded", "coded", ["code", "v"])
            settle(world, project, server, "emptied", "emptied", ["id", "v"])
            project.stop(terrace)
        finally: terrace.kill()


def starts(world):
    """Where reading begins, odd values among the first rows, and what is refused."""
    with servers.Postgres() as server:
        server.run("CREATE TABLE t (id int PRIMARY KEY, v text)", "INSERT INTO t VALUES (1, 'old')", "CREATE PUBLICATION terrace_before FOR TABLE t",
                   "SELECT pg_create_logical_replication_slot('before', 'pgoutput')", "INSERT INTO t VALUES (2, 'between')")
        pair = [("id", "INT NOT NULL"), ("v", "STRING")]
        project = opened(world, "starts")
        for name, more in {"snapshot": {"scan.startup.mode": "snapshot"}, "once_only": {"debezium.snapshot.mode": "initial_only"}, "latest": {"scan.startup.mode": "latest-offset"},
                           "committed": {"scan.startup.mode": "committed-offset", "slot.name": "before"}, "never": {"debezium.snapshot.mode": "never"}}.items():
            synced(project, name, pair, ["id"], options(server, "t", **{"slot.name": f"s_{name}", **more}))
        project.apply()
        project.once()
        server.run("INSERT INTO t VALUES (3, 'later')", "UPDATE t SET v = 'changed' WHERE id = 1")
        project.once()
        rows = {name: [tuple(row.values()) for row in project.rows(f"SELECT id, v FROM ods.{name} ORDER BY id")] for name in ("snapshot", "once_only", "latest", "committed", "never")}
        world.checks.equal("snapshot", rows["snapshot"], [(1, "old"), (2, "between")])
        world.checks.equal("initial_only", rows["once_only"], [(1, "old"), (2, "between")])
        world.checks.equal("latest-offset", rows["latest"], [(1, "changed"), (3, "later")])
        world.checks.equal("committed-offset", rows["committed"], [(1, "changed"), (2, "between"), (3, "later")])
        world.checks.equal("never", rows["never"], [(1, "changed"), (3, "later")])
        world.checks.equal("slots", [r[0] for r in server.run("SELECT slot_name FROM pg_replication_slots ORDER BY 1")], ["before", "s_latest", "s_never"])

        # Values that a column cannot hold are dead letters, alone, among rows that come in binary.
        server.run("CREATE TABLE odd (id int PRIMARY KEY, d date, ts timestamptz, n numeric(10, 2), w numeric, s varchar(20))",
                   "INSERT INTO odd SELECT g, date '2024-01-01' + g, now(), g / 3.0, g / 7.0, 's' || g FROM generate_series(1, 5000) g",
                   "UPDATE odd SET ts = 'infinity' WHERE id = 10", "UPDATE odd SET d = '-infinity' WHERE id = 4999", "UPDATE odd SET n = 'NaN' WHERE id = 2500",
                   "UPDATE odd SET d = '0044-03-15 BC', ts = '0044-03-15 BC' WHERE id = 77", "UPDATE odd SET n = 12345678.9 WHERE id = 78")
        project = opened(world, "odd")
        columns = [("id", "INT NOT NULL"), ("d", "DATE"), ("ts", "TIMESTAMP_LTZ(6)"), ("n", "DECIMAL(6, 2)"), ("w", "DECIMAL(38, 3)"), ("s", "VARCHAR(2)")]
        synced(project, "odd", columns, ["id"], options(server, "odd", **{"slot.name": "odd", "scan.incremental.snapshot.chunk.size": "640"}))
        project.apply()
        project.once()
        settle(world, project, server, "odd", "(SELECT * FROM odd WHERE id NOT IN (10, 4999, 2500, 78)) o", ["id", "n", "s"])
        world.checks.equal("years before ours", [tuple(r.values()) for r in project.rows("SELECT CAST(d AS STRING) AS d, CAST(w AS STRING) AS w FROM ods.odd WHERE id = 77")], [("-0043-03-15", "11.000")])
        letters = project.call("dlq", "list", "ods.odd").stdout
        for id_ in ("10", "4999", "2500", "78"): world.checks.that(f"row {id_} is a dead letter", f"{id_}\\t" in letters or f"{id_}\t" in letters, flow.clip(letters))

        # They are not replayed, since the row may have changed: the server tells it again.
        done = project.call("dlq", "replay", "ods.odd", code=None)
        for word in ("not supported", "may have changed", "--rebuild"): world.checks.that(f"a replay says “{word}”", done.returncode != 0 and word in done.stderr, flow.clip(done.stderr))
        server.run("UPDATE odd SET id = id WHERE id = 78")
        project.once()
        listed = lambda: sum("more digits before the point" in line for line in project.call("dlq", "list", "ods.odd").stdout.splitlines())
        world.checks.equal("the row comes again by an UPDATE that changes nothing", listed(), 2)
        synced(project, "odd", [c if c[0] != "n" else ("n", "DECIMAL(10, 2)") for c in columns], ["id"], options(server, "odd", **{"slot.name": "odd"}))
        project.once("--rebuild", "ods.odd")
        world.checks.equal("a rebuild takes it in", project.value("SELECT CAST(n AS STRING) FROM ods.odd WHERE id = 78"), "12345678.90")
        world.checks.equal("and its letters are gone", listed(), 0)

        # What cannot be right is refused before a row is read.
        server.run("CREATE TABLE silent (id int PRIMARY KEY, v text)", "ALTER TABLE silent REPLICA IDENTITY NOTHING", "CREATE TABLE keyless (id int, v text)",
                   "CREATE PUBLICATION narrow FOR TABLE t (id)")
        for name, table, key, more, words in [
                ("silent", "silent", ["id"], {}, ["REPLICA IDENTITY FULL"]), ("keyless", "keyless", ["id"], {}, ["REPLICA IDENTITY FULL"]),
                ("other", "t", ["v"], {}, ["REPLICA IDENTITY FULL", "PRIMARY KEY has v"]), ("narrow", "t", ["id"], {"publication.name": "narrow"}, ["leaves the column v out", "narrow"]),
                ("nowhere", "nowhere", ["id"], {}, ["no table public.nowhere"]),
                ("unmade", "t", ["id"], {"publication.name": "unmade", "debezium.publication.autocreate.mode": "disabled"}, ["CREATE PUBLICATION"])]:
            project = opened(world, name)
            synced(project, "t", [("id", "INT NOT NULL"), ("v", "STRING NOT NULL" if key == ["v"] else "STRING")], key, options(server, table, **{"slot.name": f"r_{name}", **more}))
            project.apply()
            refused(world, name, project, *words)


def lost(world):
    """A slot that is gone, made anew or without its log, and a publication that is gone: said, never passed over."""
    with servers.Postgres(settings=["max_slot_wal_keep_size = 1", "min_wal_size = 32MB", "max_wal_size = 32MB"]) as server:
        pair = [("id", "INT NOT NULL"), ("v", "STRING")]
        for name in ("gone", "anew", "behind", "publication"):
            server.run(f"CREATE TABLE {name} (id int PRIMARY KEY, v text)", f"INSERT INTO {name} VALUES (1, 'first')")
            project = opened(world, name)
            synced(project, name, pair, ["id"], options(server, name, **{"slot.name": f"s_{name}"}))
            project.apply()
            project.once()
            world.checks.equal(f"{name} before", project.value(f"SELECT COUNT(*) FROM ods.{name}"), 1)
        for name in ("gone", "anew"): server.run(f"INSERT INTO {name} VALUES (2, 'lost')", f"SELECT pg_drop_replication_slot('s_{name}')")
        server.run("SELECT pg_create_logical_replication_slot('s_anew', 'pgoutput')", "DROP PUBLICATION terrace_s_publication", "INSERT INTO publication VALUES (2, 'unseen')",
                   "INSERT INTO anew VALUES (3, 'later')", "INSERT INTO behind VALUES (2, 'lost')")
        refused(world, "a slot that is gone", world.project("gone"), "s_gone is gone", "--rebuild")
        refused(world, "a slot made anew", world.project("anew"), "s_anew was made anew", "--rebuild")
        refused(world, "a publication that is gone", world.project("publication"), "terrace_s_publication", "--rebuild")
        server.run(*["SELECT pg_switch_wal()", "CREATE TABLE IF NOT EXISTS filler (a int)", "INSERT INTO filler VALUES (1)"] * 4, "CHECKPOINT")
        world.checks.equal("the slot without its log", server.run("SELECT wal_status FROM pg_replication_slots WHERE slot_name = 's_behind'")[0][0], "lost")
        refused(world, "a slot without its log", world.project("behind"), "s_behind has lost its part of the log", "--rebuild")
        server.run(*[f"SELECT pg_drop_replication_slot('s_{name}')" for name in ("anew", "behind", "publication")])
        for name in ("gone", "anew", "behind", "publication"):
            project = world.project(name)
            project.once("--rebuild", f"ods.{name}")
            settle(world, project, server, name, name, ["id", "v"], 5)
            server.run(f"INSERT INTO {name} VALUES (9, 'goes on')")
            project.once()
            settle(world, project, server, name, name, ["id", "v"], 5)


def slow_commit(world):
    """A transaction that is in the log before other readers see its rows: a table whose first rows are read in between has them all the same."""
    with servers.Postgres(settings=["synchronous_standby_names = 'nobody'", "synchronous_commit = local"]) as server:
        for name in ("early", "late"): server.run(f"CREATE TABLE {name} (id int PRIMARY KEY, v text)", f"INSERT INTO {name} VALUES (1, 'first')")
        server.run("CREATE PUBLICATION pair FOR TABLE early, late")
        project, pair = opened(world, "slow_commit"), [("id", "INT NOT NULL"), ("v", "STRING")]
        synced(project, "early", pair, ["id"], options(server, "early", **{"publication.name": "pair"}))
        project.apply()
        terrace = project.start()
        try:
            project.wait("the first rows", lambda: project.value("SELECT COUNT(*) FROM ods.early") == 1, 30)
            waiting = server.connect()
            waiting.run("SET synchronous_commit = on")
            pid = waiting.run("SELECT pg_backend_pid()")[0][0]
            # A standby that does not exist is waited for, with the commit in the log and nobody seeing it.
            thread = threading.Thread(target=lambda: waiting.run("WITH a AS (INSERT INTO early VALUES (2, 'slow')) INSERT INTO late VALUES (2, 'slow')"), daemon=True)
            thread.start()
            project.wait("the commit in the log", lambda: project.value("SELECT COUNT(*) FROM ods.early") == 2, 30)
            world.checks.equal("what others see", server.run("SELECT COUNT(*) FROM early")[0][0], 1)
            # A running job confirms now and then; one that goes on confirms where it begins.
            project.stop(terrace)
            terrace = project.start()
            behind = "SELECT confirmed_flush_lsn > (SELECT pg_current_wal_lsn() - 256) FROM pg_replication_slots"
            project.wait("the slot to move on", lambda: server.run(behind)[0][0], 30)
            project.stop(terrace)
            synced(project, "late", pair, ["id"], options(server, "late", **{"publication.name": "pair"}))
            project.apply()
            terrace = project.start()
            time.sleep(2)
            server.run(f"SELECT pg_cancel_backend({pid})")
            thread.join(30)
            settle(world, project, server, "late", "late", ["id", "v"])
            settle(world, project, server, "early", "early", ["id", "v"])
            project.stop(terrace)
        finally: terrace.kill()


def tls(world):
    """Where TLS is asked for, the server proves who it is or nothing is said to it."""
    with servers.Postgres() as server:
        folder = server.folder

        def openssl(*words): subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, cwd=folder)
        for ca in ("ca", "other"): openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={ca}", "-keyout", f"{ca}.key", "-out", f"{ca}.crt")
        (folder / "names").write_text("subjectAltName=DNS:localhost\n")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "server.crt")
        for name in ("server.key", "server.crt", "ca.crt", "other.crt"):
            file = pathlib.Path(folder / name)
            file.chmod(0o600 if name == "server.key" else 0o644)
            if os.geteuid() == 0: os.chown(file, server.data.stat().st_uid, -1)
        server.run("CREATE TABLE t (id int PRIMARY KEY, v text)", "INSERT INTO t VALUES (1, 'said')")

        def project(name, **more):
            made = opened(world, name)
            synced(made, "t", [("id", "INT NOT NULL"), ("v", "STRING")], ["id"], options(server, "t", **{"slot.name": "tls", "connect.timeout": "5s", **more}))
            made.apply()
            return made
        ca, other = {"sslrootcert": folder / "ca.crt", "hostname": "localhost"}, {"sslrootcert": folder / "other.crt", "hostname": "localhost"}
        refused(world, "a server without TLS", project("plain", ssl="true", **ca), "TLS")
        server.run("CREATE TABLE copy (id int)")

        def into(name, properties, host="localhost"):
            made = opened(world, f"into-{name}")
            made.spec("ods.out", servers.three_rows(f"jdbc:postgresql://{host}:{server.port}/postgres?{properties}", server.USER, "unused"))
            # What is wrong with the options themselves is said here already.
            made.call("apply", code=None)
            return made
        refused(world, "a target without TLS", into("plain", f"ssl=true&sslrootcert={folder}/ca.crt"), "TLS")
        with open(server.data / "postgresql.conf", "a") as file: file.write(f"ssl = on\nssl_cert_file = '{folder}/server.crt'\nssl_key_file = '{folder}/server.key'\n")
        # Connections without TLS are seen, and counted, and not let in but for this script's.
        (server.data / "pg_hba.conf").write_text("hostssl all all all trust\nhostssl replication all all trust\nhost all all 127.0.0.1/32 trust\n")
        server.stop()
        server.start()
        good = project("good", **ca)
        good.once()
        settle(world, good, server, "t", "t", ["id", "v"], 5)
        terrace = good.start()
        try:
            good.wait("connections", lambda: server.run("SELECT count(*) FROM pg_stat_replication")[0][0] > 0, 20)
            found = server.run("SELECT count(*), bool_and(s.ssl) FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid) WHERE a.application_name = 'terrace'")[0]
            world.checks.that("every connection has TLS", found[0] > 0 and found[1], str(found))
            good.stop(terrace)
        finally: terrace.kill()
        refused(world, "a target of another authority", into("other", f"sslrootcert={folder}/other.crt"), "certificate")
        refused(world, "a target of another name", into("name", f"ssl=true&sslrootcert={folder}/ca.crt", "127.0.0.1"), "127.0.0.1")
        refused(world, "a target that may do without", into("prefer", "sslmode=prefer"), "not supported", "silently")
        world.checks.equal("rows that went there", server.run("SELECT count(*) FROM copy")[0][0], 0)
        into("good", f"ssl=true&sslrootcert={folder}/ca.crt").once()
        world.checks.equal("rows over TLS", server.run("SELECT count(*) FROM copy")[0][0], 3)
        refused(world, "another authority", project("other", ssl="true", **other), "certificate")
        refused(world, "another authority, by sslrootcert alone", project("alone", **other), "certificate")
        refused(world, "another name", project("name", **{**ca, "hostname": "127.0.0.1"}), "127.0.0.1")
        refused(world, "an authority of nobody's", project("nobody", ssl="true", hostname="localhost"), "certificate")


def huge(world):
    """One transaction of very many rows, with a kill in its middle: each once, in bounded memory."""
    rows = 80_000 if world.quick else 3_000_000
    with servers.Postgres() as server:
        server.run("CREATE TABLE big (id int PRIMARY KEY, v text)", "CREATE TABLE small (id int PRIMARY KEY, v text)")
        project = opened(world, "huge")
        pair = [("id", "INT NOT NULL"), ("v", "STRING")]
        for name in ("big", "small"): synced(project, name, pair, ["id"], options(server, name))
        project.write("terrace.conf", CONF + "memory.limit: 64 mb\n")
        project.apply()
        project.once()
        server.run(f"BEGIN; INSERT INTO big SELECT g, repeat(md5(g::text), 10) FROM generate_series(1, {rows}) g; UPDATE big SET v = 'u' || v WHERE id % 10 = 0; COMMIT",
                   "INSERT INTO small VALUES (1, 'behind it')")
        terrace = project.start()
        try:
            project.wait("a part", lambda: project.latest("ods.big") > 2, 60)
            flow.kill(terrace)
            terrace = project.start()
            project.wait("the rows", lambda: project.value("SELECT COUNT(*) FROM ods.big") == rows and project.value("SELECT COUNT(*) FROM ods.small") == 1, 60)
            peak = next(int(line.split()[1]) // 1024 for line in open(f"/proc/{terrace.pid}/status") if line.startswith("VmHWM"))
            world.checks.that("memory is bounded", peak < 700, f"{peak} MB")
            project.wait("the updates", lambda: project.value("SELECT COUNT(*) FROM ods.big WHERE v LIKE 'u%'") == rows // 10, 60)
            world.checks.note(f"{rows} rows in a transaction: {peak} MB at most")
            here = project.rows("SELECT COUNT(*) AS n, COUNT(DISTINCT v) AS d, SUM(CAST(CHAR_LENGTH(v) AS BIGINT)) AS l FROM ods.big")[0]
            there = server.run("SELECT count(*), count(DISTINCT v), sum(length(v)) FROM big")[0]
            world.checks.equal("the rows", [int(v) for v in here.values()], [int(v) for v in there])
            project.stop(terrace)
        finally: terrace.kill()


def database(world, name, server, options="", slot=None):
    """A project that follows a whole database."""
    project = opened(world, name)
    project.write("catalogs/pg.sql", f"CREATE CATALOG pg WITH ('type' = 'postgres-cdc', 'hostname' = '127.0.0.1', 'port' = '{server.port}', 'username' = 'postgres', 'database-name' = '{name}');\n")
    project.write("layers/ods/all.sql", f"CREATE DATABASE ods WITH ('table.discovery-interval' = '2 s'{options}) AS DATABASE pg.{name} INCLUDING ALL TABLES /*+ OPTIONS('slot.name' = '{slot or name}') */;\n")
    return project


def jobs(project): return {job["name"].removeprefix("ods."): (job["state"], job.get("error") or "") for job in project.status()["jobs"]}


def quarantined(world, project, tables):
    """These tables stand in quarantine, each with its reason, and no others."""
    found = jobs(project)
    for table, word in tables.items():
        world.checks.that(f"{table} is quarantined: {word}", found.get(table, ("", ""))[0] == "quarantined" and word in found[table][1], str(found.get(table)))
    world.checks.equal("quarantined", sorted(name for name, (state, _) in found.items() if state not in ("idle", "running", "drained", "starting")), sorted(tables))


def changed(world):
    """Tables that change while they are followed and while nobody looks: columns as the log has them, keys, names, identities; and those that cannot be followed."""
    with servers.Postgres() as server:
        server.run("CREATE DATABASE changed", "CREATE DATABASE ignored")
        plain = ["two", "back", "wide", "nulls", "good", "ren", "rec", "dro", "gho", "gho_new", "off_two", "off_readd", "off_other", "off_key", "off_wkey", "off_dro", "off_rec"]
        run = lambda *sql: server.run(*sql, database="changed")
        run(*[f"CREATE TABLE {t} (id int PRIMARY KEY, a int, b varchar(5))" for t in plain], *[f"INSERT INTO {t} VALUES (0, 1, 'o')" for t in plain],
            "ALTER TABLE nulls ALTER a SET NOT NULL",
            "CREATE TABLE kch (a int, b int, v text, PRIMARY KEY (a, b))", "INSERT INTO kch VALUES (1, 1, 'x')",
            "CREATE TABLE par (id int PRIMARY KEY, v text)", "CREATE TABLE chi (PRIMARY KEY (id)) INHERITS (par)", "INSERT INTO par VALUES (1, 'p')", "INSERT INTO chi VALUES (2, 'c')",
            "CREATE TABLE arr (id int PRIMARY KEY, t text[], x box[])", "INSERT INTO arr VALUES (1, ARRAY['a=b', 'x', NULL, '=', 'a,b'], '{(2,2),(1,1);(4,4),(3,3)}')",
            "CREATE TABLE parted (r text, id int, PRIMARY KEY (r, id)) PARTITION BY LIST (r)", "CREATE TABLE parted_a PARTITION OF parted FOR VALUES IN ('a')",
            "CREATE TABLE parted_b PARTITION OF parted FOR VALUES IN ('b')", "INSERT INTO parted VALUES ('a', 1), ('b', 2)",
            "CREATE TABLE numk (id numeric PRIMARY KEY)", "INSERT INTO numk VALUES (1e-20), (2e-20)",
            # Those that are left out.
            'CREATE TABLE "a$b" (id int PRIMARY KEY)', "CREATE TABLE res (id int PRIMARY KEY, rowkind int)", "CREATE TABLE lists (id int[] PRIMARY KEY)",
            'CREATE TABLE "a/b" (id int PRIMARY KEY)', "CREATE TABLE defer (id int PRIMARY KEY DEFERRABLE, v text)", "INSERT INTO defer VALUES (1, 'a')", "CREATE UNLOGGED TABLE unl (id int PRIMARY KEY)",
            "CREATE TABLE noid (id int PRIMARY KEY)", "ALTER TABLE noid REPLICA IDENTITY NOTHING", "CREATE TABLE gen (id int PRIMARY KEY, a int, g int GENERATED ALWAYS AS (a * 2) STORED)")
        project = database(world, "changed", server)
        said = project.call("plan").stderr
        for word in ("a/b is left out", "a$b is left out", "ods.res is left out", "ods.lists is left out", "public.defer has no primary key and is left out", "an unlogged table", "REPLICA IDENTITY NOTHING", "public.gen: the generated column g is left out"):
            world.checks.that(f"plan says “{word}”", word in said, flow.clip(said))
        project.once()
        here = lambda table, columns="*": [tuple(r.values()) for r in project.rows(f"SELECT {columns} FROM ods.{table} ORDER BY 1")]
        world.checks.equal("lists", here("arr", "t[1] AS a, t[2] AS b, t[3] AS c, t[4] AS d, t[5] AS e, x"), [("a=b", "x", None, "=", "a,b", "{(2,2),(1,1);(4,4),(3,3)}")])
        world.checks.equal("keys are not rounded", here("numk"), [("0.00000000000000000001",), ("0.00000000000000000002",)])
        published = {r[0] for r in run("SELECT tablename FROM pg_publication_tables")}
        world.checks.that("a table and those that inherit from it are published, others not", {"par", "chi", "kch"} <= published and not published & {"defer", "noid", "unl"}, str(published))
        run("UPDATE defer SET v = 'the application writes on'")

        terrace = project.start()
        try:
            project.wait("the jobs", lambda: len(jobs(project)) >= 23 and all(state == "idle" for state, _ in jobs(project).values()), 40)
            run("UPDATE ONLY par SET v = 'changed'", "UPDATE chi SET v = 'too'",
                "ALTER TABLE two ADD c int", "INSERT INTO two VALUES (1, 2, 'c', 3)", "ALTER TABLE two ADD d date", "INSERT INTO two VALUES (2, 2, 'd', 3, '2024-01-01')",
                "BEGIN; ALTER TABLE back ADD q int; INSERT INTO back VALUES (1, 1, 'q', 7); ALTER TABLE back DROP q; INSERT INTO back VALUES (2, 2, 'r'); COMMIT",
                "ALTER TABLE wide ALTER b TYPE varchar(50)", "INSERT INTO wide VALUES (1, 2, 'long long')", "ALTER TABLE wide ALTER a TYPE numeric(20, 0)", "INSERT INTO wide VALUES (2, 12345678901234567890, 'x')",
                "ALTER TABLE numk ADD c int", "INSERT INTO numk VALUES (3e-20, 3)",
                "ALTER TABLE nulls ALTER a DROP NOT NULL", "INSERT INTO nulls VALUES (1, NULL, 'n')",
                "ALTER TABLE kch DROP CONSTRAINT kch_pkey, ADD PRIMARY KEY (a)", "UPDATE kch SET b = 9",
                "ALTER TABLE ren RENAME TO ren2", "UPDATE ren2 SET a = 9", "INSERT INTO rec VALUES (7, 7, 'last')", "DROP TABLE rec", "CREATE TABLE rec (id int PRIMARY KEY, a int, b varchar(5))", "INSERT INTO rec VALUES (2, 2, 'new')",
                "DROP TABLE dro", "BEGIN; ALTER TABLE gho RENAME TO gho_old; ALTER TABLE gho_new RENAME TO gho; COMMIT", "ALTER TABLE parted DETACH PARTITION parted_b", "INSERT INTO good VALUES (1, 1, 'g')")
            live = {"kch": "(a)", "ren": "public.ren2", "rec": "was dropped, and another one has its name", "dro": "was dropped", "gho": "public.gho_old now, and another one has its name", "gho_new": "public.gho now"}
            project.wait("the quarantines", lambda: {n for n, (state, _) in jobs(project).items() if state == "quarantined"} >= set(live), 25)
            settle(world, project, server, "good", "good", ["id", "a", "b"], 10, database="changed")
            quarantined(world, project, live)
        finally: code = project.stop(terrace)
        world.checks.equal("a run with quarantined tables ends with 1", code, 1)
        world.checks.that("a partition that goes is told", "public.parted_b is gone" in (project.folder / "run.log").read_text(), project.log_end())
        world.checks.equal("two columns, one after the other", here("two"), [(0, 1, "o", None, None), (1, 2, "c", 3, None), (2, 2, "d", 3, "2024-01-01")])
        world.checks.equal("a column that comes and goes", here("back"), [(0, 1, "o", None), (1, 1, "q", 7), (2, 2, "r", None)])
        world.checks.equal("two columns become wider", here("wide", "id, CAST(a AS STRING) AS a, b"), [(0, "1", "o"), (1, "2", "long long"), (2, "12345678901234567890", "x")])
        world.checks.equal("a column beside a key that is wider here", here("numk"), [("0.00000000000000000001", None), ("0.00000000000000000002", None), ("0.00000000000000000003", 3)])
        world.checks.equal("null where it was not allowed", here("nulls"), [(0, 1, "o"), (1, None, "n")])
        world.checks.equal("inheritance", here("par") + here("chi"), [(1, "changed"), (2, "too")])
        world.checks.equal("the last row of a table that was dropped", here("rec"), [(0, 1, "o"), (7, 7, "last")])

        # The same while nobody looks.
        run("ALTER TABLE off_two ADD c int", "INSERT INTO off_two VALUES (1, 2, 'c', 3)", "ALTER TABLE off_two ADD d date", "INSERT INTO off_two VALUES (2, 2, 'd', 3, '2024-01-01')", "ALTER TABLE off_two DROP c", "INSERT INTO off_two VALUES (3, 3, 'e', '2024-01-02')",
            "INSERT INTO off_readd VALUES (7, 7, '7')", "ALTER TABLE off_readd RENAME a TO c", "INSERT INTO off_readd VALUES (8, 8, 'c')", "ALTER TABLE off_readd ADD a text", "INSERT INTO off_readd VALUES (9, 9, 'd', 'text')",
            "INSERT INTO off_other VALUES (7, 7, '7')", "ALTER TABLE off_other ALTER a TYPE text", "INSERT INTO off_other VALUES (8, 'eight', 'x')",
            "INSERT INTO off_key VALUES (7, 7, '7')", "ALTER TABLE off_key RENAME id TO key", "INSERT INTO off_key VALUES (8, 8, '8')",
            "ALTER TABLE off_wkey ALTER id TYPE bigint", "INSERT INTO off_wkey VALUES (5000000000, 8, '8')",
            "INSERT INTO off_dro VALUES (7, 7, 'last')", "DROP TABLE off_dro", "INSERT INTO off_rec VALUES (7, 7, 'last')", "DROP TABLE off_rec", "CREATE TABLE off_rec (id int PRIMARY KEY, a int, b varchar(5))", "INSERT INTO off_rec VALUES (2, 2, 'new')")
        off = {"off_readd": "column a is STRING now", "off_other": "column a is STRING now", "off_key": "the primary key is (key) now", "off_wkey": "the key column id is BIGINT now", "off_dro": "was dropped", "off_rec": "another one has its name"}
        for again in ("after a pause", "again"):
            world.checks.equal(f"exit code {again}", project.call("run", "--once", code=None).returncode, 1)
            quarantined(world, project, {**live, **off})
            world.checks.equal(f"columns {again}", here("off_two"), [(0, 1, "o", None, None), (1, 2, "c", 3, None), (2, 2, "d", 3, "2024-01-01"), (3, 3, "e", None, "2024-01-02")])
            for table in ("off_other", "off_key", "off_dro", "off_rec"): world.checks.equal(f"{table} {again}: all before the change", [r[0] for r in here(table, "id")], [0, 7])
            world.checks.equal(f"off_readd {again}", here("off_readd", "id, a, c"), [(0, 1, None), (7, 7, None), (8, None, 8)])
        # The way out.
        for table in ("off_wkey", "off_rec"): project.call("table", "drop", f"ods.{table}")
        project.call("run", "--once", code=None)
        world.checks.equal("a table that was dropped here is made anew", here("off_rec"), [(2, 2, "new")])
        world.checks.equal("with its wider key", here("off_wkey", "id"), [(0,), (5000000000,)])

        ignoring(world, server)


def ignoring(world, server):
    """With 'ignore' a pause does what happens while it runs."""
    run = lambda *sql: server.run(*sql, database="ignored")
    for t in ("gone", "called", "other"): run(f"CREATE TABLE {t} (id int PRIMARY KEY, a int, b varchar(5))", f"INSERT INTO {t} VALUES (0, 1, 'o')")
    project = database(world, "ignored", server, ", 'schema-evolution' = 'ignore'")
    project.once()
    run("ALTER TABLE gone DROP b, ADD z int", "INSERT INTO gone VALUES (1, 5, 6)", "ALTER TABLE called RENAME a TO c", "INSERT INTO called VALUES (1, 2, 'c')", "ALTER TABLE other ALTER a TYPE text", "INSERT INTO other VALUES (1, 'x', 'y')")
    project.call("run", "--once", code=None)
    here = lambda table: [tuple(r.values()) for r in project.rows(f"SELECT * FROM ods.{table} ORDER BY 1")]
    world.checks.equal("ignored: a column that is gone", here("gone"), [(0, 1, "o"), (1, 5, None)])
    world.checks.equal("ignored: a column of another name", here("called"), [(0, 1, "o"), (1, None, "c")])
    quarantined(world, project, {"other": "column a is STRING now"})


def left_out(world):
    """Values that updates leave out (TOAST), of rows that are not known here: put aside, never null and never an old value."""
    with servers.Postgres() as server:
        columns = [("id", "INT NOT NULL"), ("d", "DATE"), ("big", "STRING")]
        big = lambda letter: f"(SELECT string_agg(md5('{letter}' || g), '') FROM generate_series(1, 300) g)"
        for name in ("known", "late"):
            server.run(f"CREATE TABLE {name} (id int PRIMARY KEY, d date, big text)", f"ALTER TABLE {name} ALTER big SET STORAGE EXTERNAL",
                       f"INSERT INTO {name} SELECT g, CASE g WHEN 2 THEN date 'infinity' ELSE '2025-01-01' END, {big('a')} FROM generate_series(1, 6) g")
        project = opened(world, "left_out")
        synced(project, "known", columns, ["id"], options(server, "known"))
        synced(project, "late", columns, ["id"], options(server, "late", **{"scan.startup.mode": "latest-offset"}))
        project.once()
        for name in ("known", "late"):
            server.run(f"UPDATE {name} SET d = '2025-05-05' WHERE id IN (1, 2)",  # 2 was put aside in the first rows
                       f"UPDATE {name} SET d = 'infinity', big = {big('b')} WHERE id = 3", f"UPDATE {name} SET d = '2025-06-06' WHERE id = 3",
                       f"UPDATE {name} SET id = 14 WHERE id = 4", f"DELETE FROM {name} WHERE id = 5", f"UPDATE {name} SET d = '2025-07-07' WHERE id = 6")
        project.once()
        there = {r[0]: (str(r[1]), r[2]) for r in server.run("SELECT id, d, big FROM known WHERE id NOT IN (2, 3)")}
        here = lambda name: {r["id"]: (r["d"], r["big"]) for r in project.rows(f"SELECT id, d, big FROM ods.{name}")}
        world.checks.equal("rows whose values are known", here("known"), there)
        world.checks.equal("after the first rows were passed over nothing is known", here("late"), {})
        reasons = project.rows("SELECT reason, place FROM dead_letters.ods_known")
        world.checks.equal("put aside", sorted(r["place"] for r in reasons if "leaves out big, which did not change" in r["reason"]), ['{"id":2}', '{"id":3}'])
        for name in ("known", "late"): server.run(f"ALTER TABLE {name} REPLICA IDENTITY FULL", f"UPDATE {name} SET d = '2025-08-08'")
        project.once()
        for name in ("known", "late"): settle(world, project, server, name, name, ["id", "d", "big"], 5)


def waits(world):
    """Whom a source waits for, and that its server is gone, is told at once and stands in the status."""
    with servers.Postgres() as server:
        server.run("CREATE TABLE t (id int PRIMARY KEY)", "CREATE TABLE other (id int)", "INSERT INTO t VALUES (1)")
        project = opened(world, "waits")
        synced(project, "t", [("id", "INT NOT NULL")], ["id"], options(server, "t"))
        application = server.connect()
        application.run("BEGIN")
        application.run("INSERT INTO other VALUES (1)")
        pid = application.run("SELECT pg_backend_pid()")[0][0]
        job = lambda: project.status()["jobs"][0]
        project.apply()
        terrace = project.start()
        try:
            project.wait("the one who is waited for", lambda: job()["state"] == "waiting" and f"process {pid}" in job()["error"], 20)
            began = time.monotonic()
            project.stop(terrace)
            world.checks.that("a run that waits ends at once", time.monotonic() - began < 5, f"{time.monotonic() - began:.1f} s")
            world.checks.that("stderr says who", f"ods.t waits for the end of a transaction at 127.0.0.1:{server.port}/postgres: process {pid}" in (project.folder / "run.log").read_text(), project.log_end())
            world.checks.equal("no slot is left of it", server.run("SELECT slot_name FROM pg_replication_slots"), [])
            application.run("COMMIT")
            terrace = project.start()
            settle(world, project, server, "t", "t", ["id"])
            server.stop()
            project.wait("a server that is gone", lambda: job()["state"] == "retrying" and "next try" in job()["error"] and "since" in job()["error"], 20)
            server.start()
            server.run("INSERT INTO t VALUES (2)")
            settle(world, project, server, "t", "t", ["id"])
            project.wait("it is back", lambda: job()["state"] in ("idle", "running") and not job()["error"], 20)
            project.stop(terrace)
        finally: terrace.kill()


def slots(world):
    """Slots that no job uses any more are told, and dropped by apply where Terrace made them."""
    with servers.Postgres() as server:
        project, names = opened(world, "slots"), lambda: [r[0] for r in server.run("SELECT slot_name FROM pg_replication_slots ORDER BY 1")]
        for t in "abc": server.run(f"CREATE TABLE {t} (id int PRIMARY KEY)", f"INSERT INTO {t} VALUES (1)")
        server.run("CREATE PUBLICATION terrace_theirs FOR TABLE c")
        server.run("SELECT pg_create_logical_replication_slot('theirs', 'pgoutput')")
        for t, slot in (("a", "kept"), ("b", "ours"), ("c", "theirs")):
            synced(project, t, [("id", "INT NOT NULL")], ["id"], options(server, t, **{"slot.name": slot}))
        project.once()
        for t in "bc": (project.folder / f"layers/ods/{t}.sql").unlink()
        for command in ("plan", "status"):
            told = project.call(command).stderr
            world.checks.that(f"{command} names them", all(f"replication slot {s} of" in told for s in ("ours", "theirs")) and "slot kept" not in told, told)
        told = project.apply().stderr
        world.checks.that("apply says what it did", "slot ours of" in told and "is dropped" in told and "pg_drop_replication_slot('theirs')" in told, told)
        world.checks.equal("slots that are left", names(), ["kept", "theirs"])
        server.run("SELECT pg_drop_replication_slot('theirs')")
        project.apply()
        world.checks.that("nothing is told any more", "replication slot" not in project.call("status").stderr)


TESTS = [left_out, waits, slots, log, starts, lost, slow_commit, tls, huge, changed]
