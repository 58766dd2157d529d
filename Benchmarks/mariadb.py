"""MariaDB's binary log into Terrace: row changes a second into keyed tables, beside MariaDB's own reader of the same log.

One line a figure. The server, terrace and this script share the machine.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

here = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(here.parent / "Tests" / "Flow"), str(here.parent / "Tests" / "Integration")]

import flow
import servers

CONF = "layers: ods\nwarehouse: warehouse\ncatalog.uri: catalog/metastore.db\n"
NARROW = "aid INT NOT NULL, bid INT, abalance INT, filler STRING, PRIMARY KEY (aid) NOT ENFORCED"
WIDE = ("id BIGINT NOT NULL, name STRING, city STRING, email STRING, amount DECIMAL(12, 2), rate DECIMAL(20, 6), at TIMESTAMP(3), day DATE, "
        "state STRING, n INT, x DOUBLE, note STRING, PRIMARY KEY (id) NOT ENFORCED")
WIDE_THERE = ("id BIGINT PRIMARY KEY, name VARCHAR(60), city VARCHAR(60), email VARCHAR(80), amount DECIMAL(12,2), rate DECIMAL(20,6), at DATETIME(3), day DATE, "
              "state ENUM('new','paid','sent'), n INT, x DOUBLE, note VARCHAR(200)")


TICKS = "id INT NOT NULL, n INT, PRIMARY KEY (id) NOT ENFORCED"
INSERTS = {"accounts": "SELECT seq, seq % 10, 0, 'pgbench' FROM {}",
           "wide": "SELECT seq, CONCAT('customer ', seq), CONCAT('city ', seq % 1000), CONCAT('c', seq, '@example.org'), seq / 7, seq / 13, "
                   "'2024-01-01' + INTERVAL seq SECOND, '2024-01-01' + INTERVAL seq % 700 DAY, 1 + seq % 3, seq, seq / 3, REPEAT('note ', seq % 20) FROM {}"}
UPDATES = {"accounts": "abalance = abalance + aid % 1000", "wide": "amount = amount + 1, state = 1 + (n + 1) % 3, n = n + 1"}


def fill(server, table, rows, step=10_000):
    """`rows` inserts, as many updates, a tenth as many deletes, `step` rows a transaction; a log file of its own. The file's name and the row changes."""
    server.run("FLUSH BINARY LOGS")
    file = server.run("SHOW MASTER STATUS")[0][0]
    if table == "ticks":
        # One row a transaction, as pgbench makes them.
        server.run(f"CALL bench.tick({rows // 5})")
        return file, rows // 5
    key = "aid" if table == "accounts" else "id"
    chunks = [(first, min(first + step - 1, rows)) for first in range(1, rows + 1, step)]
    server.run(*[f"INSERT INTO bench.{table} " + INSERTS[table].format(f"bench.seq_{first}_to_{last}") for first, last in chunks])
    server.run(*[f"UPDATE bench.{table} SET {UPDATES[table]} WHERE {key} BETWEEN {first} AND {last}" for first, last in chunks])
    server.run(*[f"DELETE FROM bench.{table} WHERE {key} BETWEEN {first} AND {last} AND {key} % 10 = 0" for first, last in chunks])
    return file, 2 * rows + rows // 10


def measured(command, **options):
    """Wall and CPU seconds, and peak MB of a process."""
    at = time.monotonic()
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, **options)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status: raise SystemExit(f"{command} ended with {status}")
    return time.monotonic() - at, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def peer(server, folder, file):
    """MariaDB's own reader: seconds for the bytes only, their MB, and seconds for every row as a text."""
    raw = folder / "raw"
    raw.mkdir()
    lead = ["mariadb-binlog", "--no-defaults", "--read-from-remote-server", "--host=127.0.0.1", f"--port={server.port}", "--user=cdc", "--password=secret", "--to-last-log"]
    bare = measured([*lead, "--raw", f"--result-file={raw}/", file])[0]
    size = sum(file.stat().st_size for file in raw.iterdir()) / 1e6
    shutil.rmtree(raw)
    return bare, size, measured([*lead, "-v", file], stdout=subprocess.DEVNULL)[0]


def run(server, terrace, folder, table, columns, file, changes, target=""):
    name = table + ("-blackhole" if target else "")
    project = flow.Project(terrace, folder / name)
    project.write("terrace.conf", CONF)
    cdc = (f"CREATE TEMPORARY TABLE cdc ({columns}) WITH ('connector' = 'mysql-cdc', 'hostname' = '127.0.0.1', 'port' = '{server.port}', 'username' = 'cdc', "
           f"'password' = 'secret', 'database-name' = 'bench', 'table-name' = '{table}', 'scan.startup.mode' = 'specific-offset', "
           f"'scan.startup.specific-offset.file' = '{file}', 'scan.startup.specific-offset.pos' = '4');\n")
    kept = f"CREATE TABLE ods.{table} ({columns}) WITH ('bucket' = '2');\nINSERT INTO ods.{table} SELECT * FROM cdc;\n"
    project.spec(f"ods.{table}", cdc + (target or kept))
    project.apply()
    took, cpu, peak = measured(project.command("run", "--once"), stdout=subprocess.DEVNULL)
    what = "read only (blackhole)" if target else "into a keyed table"
    print(f"{table}, {what}: {changes} row changes in {took:.2f} s (CPU {cpu:.2f} s), {changes / took:.0f} row changes/s, peak {peak:.0f} MB", flush=True)
    if target: return
    key = columns.split()[0]
    ours = project.rows(f"SELECT COUNT(*) AS n, SUM(CAST({key} AS BIGINT)) AS k FROM ods.{table}")[0]
    theirs = server.run(f"SELECT COUNT(*), SUM({key}) FROM bench.{table}")[0]
    if (int(ours["n"]), int(ours["k"])) != (int(theirs[0]), int(theirs[1])): raise SystemExit(f"{table}: {ours} here, {theirs} there")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--terrace", required=True)
    arguments.add_argument("--rows", type=int, default=int(os.environ.get("BENCH_ROWS", 1_000_000)))
    arguments.add_argument("--only", default=os.environ.get("BENCH_ONLY", "accounts,wide,ticks"))
    arguments.add_argument("--shell", default="", help="a command to run when all is measured, with the server still there: PORT is set")
    arguments = arguments.parse_args()
    terrace = pathlib.Path(arguments.terrace).resolve()
    with tempfile.TemporaryDirectory(prefix="terrace-bench-") as folder, servers.MariaDB("--innodb-buffer-pool-size=1G", "--max-binlog-size=1G") as server:
        folder = pathlib.Path(folder)
        server.run("CREATE DATABASE bench", "CREATE TABLE bench.accounts (aid INT PRIMARY KEY, bid INT, abalance INT, filler CHAR(84))",
                   f"CREATE TABLE bench.wide ({WIDE_THERE})", "CREATE TABLE bench.ticks (id INT PRIMARY KEY, n INT)",
                   "CREATE PROCEDURE bench.tick(IN count INT) BEGIN DECLARE i INT DEFAULT 0; WHILE i < count DO "
                   "INSERT INTO bench.ticks VALUES (i % 1000, i) ON DUPLICATE KEY UPDATE n = i; SET i = i + 1; END WHILE; END")
        for table, columns in (("accounts", NARROW), ("wide", WIDE), ("ticks", TICKS)):
            if table not in arguments.only.split(","): continue
            file, changes = fill(server, table, arguments.rows)
            bare, size, text = peer(server, folder, file)
            print(f"{table}, {size:.0f} MB of log: mariadb-binlog --raw {bare:.2f} s ({changes / bare:.0f} row changes/s), -v to /dev/null {text:.2f} s ({changes / text:.0f})", flush=True)
            nothing = f"CREATE TEMPORARY TABLE nothing ({columns}) WITH ('connector' = 'blackhole');\nINSERT INTO nothing SELECT * FROM cdc;\n"
            run(server, terrace, folder, table, columns, file, changes, nothing)
            run(server, terrace, folder, table, columns, file, changes)
        if arguments.shell: subprocess.run(arguments.shell, shell=True, env={**os.environ, "PORT": str(server.port)})
