"""PostgreSQL into Terrace: the initial snapshot beside COPY to a file, and how long a change takes to an ADS row at a steady rate.

One line a figure. The server, terrace and this script share the machine.
"""
import argparse
import pathlib
import sys
import tempfile
import threading
import time

here = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(here.parent / "Tests" / "Flow"), str(here.parent / "Tests" / "Integration")]

import flow
import servers

CONF = "layers: ods, ads\nwarehouse: warehouse\ncatalog.uri: catalog/metastore.db\n"


def source(server, table):
    return (f"'connector' = 'postgres-cdc', 'hostname' = '127.0.0.1', 'port' = '{server.port}', 'username' = '{server.USER}', 'database-name' = 'postgres', "
            f"'table-name' = '{table}', 'slot.name' = 'bench'")


def snapshot(server, terrace, folder, rows):
    server.run("CREATE TABLE wide (id bigint PRIMARY KEY, name text, city text, amount numeric(12,2), at timestamptz, n int, x float8)",
               f"INSERT INTO wide SELECT g, 'customer ' || g, 'city ' || g % 1000, g / 7.0, now() + g * interval '1 s', g, g / 3.0 FROM generate_series(1, {rows}) g",
               "CHECKPOINT")
    server.run("SELECT count(*) FROM wide")
    file, copies = server.folder / "copy.out", []
    for _ in range(2):
        at = time.monotonic()
        server.run(f"COPY wide TO '{file}'")
        copies.append(time.monotonic() - at)
    size = file.stat().st_size / 1e6
    columns = "id BIGINT NOT NULL, name STRING, city STRING, amount DECIMAL(12, 2), at TIMESTAMP_LTZ(6), n INT, x DOUBLE"
    cdc = f"CREATE TEMPORARY TABLE wide_cdc ({columns}, PRIMARY KEY (id) NOT ENFORCED) WITH ({source(server, 'wide')}, 'scan.startup.mode' = 'snapshot'"
    specs = {"read only (blackhole)": ("ads.nothing", f"{cdc}, 'changelog-mode' = 'all');\nCREATE TEMPORARY TABLE nothing ({columns}) WITH ('connector' = 'blackhole');\n"
                                       "INSERT INTO nothing SELECT * FROM wide_cdc;\n"),
             "into an ODS table with a key": ("ods.wide", f"{cdc});\nCREATE TABLE ods.wide ({columns}, PRIMARY KEY (id) NOT ENFORCED) WITH ('bucket' = '2');\n"
                                              "INSERT INTO ods.wide SELECT * FROM wide_cdc;\n")}
    for what, (table, sql) in specs.items():
        project = flow.Project(terrace, folder / table)
        project.write("terrace.conf", CONF)
        project.spec(table, sql)
        project.apply()
        at = time.monotonic()
        project.call("run", "--once", timeout=900)
        took = time.monotonic() - at
        print(f"snapshot of {rows} rows, {size:.0f} MB of text, {what}: {took:.2f} s, COPY TO file {min(copies):.2f} s, {took / min(copies):.2f} times", flush=True)


def latency(server, terrace, folder, rate, seconds):
    import pg8000.native
    server.run("CREATE TABLE ticks (id int PRIMARY KEY, sent float8)", "INSERT INTO ticks SELECT g, 0 FROM generate_series(1, 5000) g",
               "CREATE TABLE seen (id int PRIMARY KEY, sent float8, arrived float8 DEFAULT extract(epoch FROM clock_timestamp()))")
    project = flow.Project(terrace, folder / "latency")
    project.write("terrace.conf", CONF)
    columns = "id INT NOT NULL, sent DOUBLE, PRIMARY KEY (id) NOT ENFORCED"
    project.spec("ods.ticks", f"CREATE TEMPORARY TABLE ticks_cdc ({columns}) WITH ({source(server, 'ticks')});\nCREATE TABLE ods.ticks ({columns});\nINSERT INTO ods.ticks SELECT * FROM ticks_cdc;\n")
    project.spec("ads.newest", "CREATE MATERIALIZED TABLE ads.newest (PRIMARY KEY (part) NOT ENFORCED) FRESHNESS = INTERVAL '1' SECOND AS SELECT id % 1 AS part, MAX(sent) AS sent FROM ods.ticks GROUP BY id % 1;\n")
    project.apply()
    running = project.start()
    project.wait("the first rows", lambda: project.latest("ads.newest") > 0, 60)
    stopped = threading.Event()

    def load():
        c = server.connect()
        begun, sent = time.time(), 0
        while not stopped.is_set():
            due = int((time.time() - begun) * rate) - sent
            if due >= 20:
                first = sent % 5000
                c.run(f"UPDATE ticks SET sent = {time.time()} WHERE id > {first} AND id <= {first + 20}")
                sent += 20
            else: time.sleep(0.002)
        print(f"{sent / (time.time() - begun):.0f} changes/s were made")
    worker = threading.Thread(target=load)
    worker.start()
    # A snapshot of the ADS table holds all up to its greatest `sent`: a change waited until the first snapshot at or behind it.
    arrivals, last, end = [], project.latest("ads.newest"), time.time() + seconds
    while time.time() < end:
        newest = project.latest("ads.newest")
        if newest > last:
            arrivals.append((newest, time.time()))
            last = newest
        time.sleep(0.005)
    stopped.set()
    worker.join()
    project.stop(running)
    marks = []
    for number, at in arrivals:
        rows = project.rows(f"SELECT sent FROM ads.newest /*+ OPTIONS('scan.snapshot-id' = '{number}') */")
        if rows and rows[0]["sent"]: marks.append((float(rows[0]["sent"]), at))
    marks.sort()
    waits = []
    # Changes are spread evenly: each between two snapshots waits for the later one.
    for (before, _), (after, at) in zip(marks, marks[1:]):
        step = max(1, int((after - before) * rate))
        waits += [at - (before + (after - before) * (i + 1) / step) for i in range(step)]
    waits.sort()
    if not waits: raise SystemExit("no change arrived")
    print(f"change to ADS row at {rate} changes/s: p50 {waits[len(waits) // 2] * 1000:.0f} ms, p99 {waits[int(len(waits) * 0.99)] * 1000:.0f} ms, {len(marks)} snapshots")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--terrace", required=True)
    arguments.add_argument("--rows", type=int, default=2_000_000)
    arguments.add_argument("--rate", type=int, default=2000)
    arguments.add_argument("--seconds", type=int, default=15)
    arguments = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="terrace-bench-") as folder, servers.Postgres() as server:
        snapshot(server, pathlib.Path(arguments.terrace).resolve(), pathlib.Path(folder), arguments.rows)
        latency(server, pathlib.Path(arguments.terrace).resolve(), pathlib.Path(folder), arguments.rate, arguments.seconds)
