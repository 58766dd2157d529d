"""The headline join beside Flink, and the demo's latency: join.py --terrace BINARY. README.md in this folder explains the figures and the knobs.

Every round runs each engine once, one after the other, on the same files; medians of the rounds are printed at the end.
Progress goes to stderr, figures to stdout.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PEERS = pathlib.Path(os.environ.get("TERRACE_PEERS", pathlib.Path.home() / ".cache/terrace-peers"))
ROWS = int(os.environ.get("BENCH_ROWS", 3_000_000))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", 3))
ONLY = [word for word in os.environ.get("BENCH_ONLY", "").split(",") if word]
RATE = int(os.environ.get("BENCH_RATE", 10_000))
SECONDS = int(os.environ.get("BENCH_SECONDS", 60))

COLUMNS = "name STRING, id INT, name1 STRING, num_dou DOUBLE, num_float DOUBLE, num_int INT, stringmessages STRING"
SPEC = """CREATE TEMPORARY TABLE kafka01 ({columns}) WITH ('connector' = 'filesystem', 'path' = '{data}/kafka01/json', 'format' = 'json');
CREATE TEMPORARY TABLE kafka02 ({columns}) WITH ('connector' = 'filesystem', 'path' = '{data}/kafka02/json', 'format' = 'json');
CREATE TABLE joined (name STRING, id INT) WITH ('bucket' = '-1');
INSERT INTO joined
SELECT b.name, a.id FROM kafka01 AS a INNER JOIN kafka02 AS b ON a.id = b.id WHERE a.name1 IS NOT NULL;
"""


def say(*words): print("bench:", *words, file=sys.stderr, flush=True)


def wanted(figure): return not ONLY or any(word in figure for word in ONLY)


def measured(command):
    """(seconds, peak MiB) of a command that must succeed."""
    with tempfile.TemporaryFile() as log:
        started = time.monotonic()
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        took = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            log.seek(0)
            raise RuntimeError(f"{' '.join(map(str, command[:6]))}: exit {process.returncode}: {log.read().decode(errors='replace')[-800:]}")
    return took, usage.ru_maxrss / 1024


def data():
    """The two streams, made once for this number of rows."""
    folder = PEERS / "data" / f"join-{ROWS}"
    if not (folder / "done").exists():
        say(f"making {ROWS} rows a side in {folder}")
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([PEERS / "py/bin/python", HERE / "peers/join_generate.py", str(ROWS), folder], check=True, stdout=subprocess.DEVNULL)
        (folder / "done").touch()
    return folder


class Bench:
    def __init__(self, terrace, folder):
        self.terrace, self.folder, self.times, self.peaks = terrace, pathlib.Path(folder), {}, {}

    def time(self, engine, work):
        say(f"join: {engine}")
        try: seconds, peak = work()
        except Exception as error:
            say(f"  FAILED: {error}")
            return
        say(f"  {seconds:.2f} s, {peak:.0f} MiB")
        self.times.setdefault(engine, []).append(seconds)
        self.peaks.setdefault(engine, []).append(peak)

    def ours(self, source):
        project = self.folder / "project"
        shutil.rmtree(project, ignore_errors=True)
        (project / "layers/dwd").mkdir(parents=True)
        (project / "terrace.conf").write_text("layers: dwd\n")
        (project / "layers/dwd/joined.sql").write_text(SPEC.format(columns=COLUMNS, data=source))
        took = measured([self.terrace, "-C", project, "run", "--once"])
        found = json.loads(subprocess.run([self.terrace, "-C", project, "query", "SELECT COUNT(*) AS n, SUM(CAST(id AS BIGINT)) AS s FROM dwd.joined", "-f", "json"],
                                          check=True, capture_output=True, text=True).stdout)
        if (found["n"], found["s"]) != self.expected(source): raise RuntimeError(f"{found}, but DuckDB has {self.expected(source)}")
        return took

    def expected(self, source):
        """Rows and the sum of their ids, by DuckDB."""
        if not hasattr(self, "answer"):
            columns = "{name:'VARCHAR',id:'INTEGER',name1:'VARCHAR',num_dou:'DOUBLE',num_float:'DOUBLE',num_int:'INTEGER',stringmessages:'VARCHAR'}"
            def read(table): return f"read_json('{source}/{table}/json/*.json', format='newline_delimited', columns={columns})"
            sql = f"SELECT count(*), sum(a.id)::BIGINT FROM {read('kafka01')} a JOIN {read('kafka02')} b ON a.id = b.id WHERE a.name1 IS NOT NULL"
            out = subprocess.run([PEERS / "py/bin/python", "-c", "import duckdb, sys, json; print(json.dumps(duckdb.execute(sys.argv[1]).fetchone()))", sql],
                                 check=True, capture_output=True, text=True).stdout
            self.answer = tuple(json.loads(out))
        return self.answer

    def flink(self, source, backend, checkpoint):
        """Flink's own net run time, without the start of the JVM and of the job's cluster."""
        out = subprocess.run([PEERS / "flink/bin/python", HERE / "peers/flink_join.py", f"data={source}", f"n={ROWS}", "query=join", "mode=streaming",
                              f"backend={backend}", f"ckpt={checkpoint}", f"out={self.folder}/flink"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        lines = [line for line in out.stdout.splitlines() if line.startswith("{")]
        if out.returncode != 0 or not lines: raise RuntimeError(f"Flink: exit {out.returncode}: {out.stderr[-800:]}")
        figures = json.loads(lines[-1])
        return figures["job_s"] or figures["wall_s"], figures["peak_mb"]

    def duck(self, source):
        out = subprocess.run([PEERS / "py/bin/python", HERE / "peers/duck_join.py", f"data={source}", f"n={ROWS}", "query=join", f"out={self.folder}/duck.csv"],
                             check=True, capture_output=True, text=True).stdout
        figures = json.loads(out.splitlines()[-1])
        return figures["wall_s"], figures["peak_mb"]

    def round(self, source):
        if wanted("join"):
            self.time("ours", lambda: self.ours(source))
            self.time("heap", lambda: self.flink(source, "hashmap", 0))
            self.time("rocksdb", lambda: self.flink(source, "rocksdb", 10))
            self.time("duckdb", lambda: self.duck(source))

    def figures(self):
        def median(values): return statistics.median(values) if values else None
        ours, heap, rocksdb, duck = (median(self.times.get(engine)) for engine in ("ours", "heap", "rocksdb", "duckdb"))
        peak = max(self.peaks.get("ours", []), default=None)
        def ratio(peer): return peer / ours if peer and ours else None
        if wanted("join"):
            yield "join vs Flink streaming, heap state", ours, heap, ratio(heap), 10
            yield "join vs Flink streaming, RocksDB, checkpoints", ours, rocksdb, ratio(rocksdb), 25
            yield "join beside DuckDB batch, from the same JSON", ours, duck, ratio(duck), 0
            yield "join peak memory < 1024 MiB", peak, median(self.peaks.get("heap")), 1024 / peak if peak else None, 1
        if wanted("latency"):
            p99 = self.latencies and self.latencies[max(0, int(len(self.latencies) * 0.99) - 1)]
            yield f"latency, file to ADS row, p99 at {RATE}/s < 2 s", p99 or None, None, 2 / p99 if p99 else None, 1
            yield "latency peak memory < 1024 MiB", self.running_peak, None, 1024 / self.running_peak if self.running_peak else None, 1

    latencies, running_peak = (), None

    def latency(self):
        """The shop while it runs: orders are written to files at a steady rate; when does ads.daily_totals count each?

        Measured from outside. Files carry the time at which they appeared, snapshots the time of their commit; the net number of orders
        up to a file is counted in the file, the number in a snapshot is asked for afterwards. Files of the first ten seconds do not count.
        """
        say(f"latency: {RATE} changes/s for {SECONDS} s")
        project, repository = self.folder / "shop", HERE.parent
        shutil.copytree(repository / "layers", project / "layers", ignore=shutil.ignore_patterns("*.md"))
        shutil.copy(repository / "terrace.conf", project)
        def terrace(*words): return subprocess.run([self.terrace, "-C", project, *map(str, words)], check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
        terrace("generate", "shop", project / "input", "--days", 1, "--seed", 7)
        terrace("run", "--once")
        with open(project / "run.log", "wb") as log: running = subprocess.Popen([self.terrace, "-C", project, "run"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            known = set((project / "input/orders").glob("*.json"))
            terrace("generate", "shop", project / "input", "--append", "--rate", RATE, "--changes", RATE * SECONDS)
            files = sorted(set((project / "input/orders").glob("*.json")) - known)
            before, orders, written = self.net(known), 0, []
            orders = before
            for file in files:
                created, gone = self.counts(file)
                orders += created - gone
                written.append((file.stat().st_mtime, orders, created))
            end = time.monotonic() + 120
            while self.total(terrace) != orders:
                if time.monotonic() > end or running.poll() is not None: raise RuntimeError(f"{self.total(terrace)} orders arrived, of {orders}: {(project / 'run.log').read_text()[-800:]}")
                time.sleep(0.2)
            peak = [line for line in pathlib.Path(f"/proc/{running.pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
            self.running_peak = int(peak[0].split()[1]) / 1024
        finally:
            running.terminate()
            running.wait()
        seen = []
        for path in sorted((project / "warehouse/ads.db/daily_totals/snapshot").glob("snapshot-*"), key=lambda p: int(p.name[9:])):
            at = json.loads(path.read_text())["timeMillis"] / 1000
            if at >= written[0][0]: seen.append((at, self.total(terrace, f" VERSION AS OF {path.name[9:]}")))
        found, start = [], written[0][0] + 10
        for at, orders, created in written:
            arrived = next((when for when, count in seen if count >= orders), None)
            if arrived is None: raise RuntimeError(f"no snapshot has {orders} orders")
            if at >= start: found += [max(arrived - at, 0)] * created
        self.latencies = sorted(found)
        def share(p): return self.latencies[max(0, int(len(self.latencies) * p) - 1)]
        say(f"  {len(found)} orders in {len(written)} files, {len(seen)} snapshots: p50 {share(0.5):.2f} s, p99 {share(0.99):.2f} s, longest {self.latencies[-1]:.2f} s, peak {self.running_peak:.0f} MiB")

    @staticmethod
    def counts(file):
        """Orders created and deleted in a file of Debezium lines."""
        operations = [json.loads(line)["op"] for line in file.read_text().splitlines()]
        return operations.count("c") + operations.count("r"), operations.count("d")

    def net(self, files): return sum(created - gone for created, gone in map(self.counts, files))

    @staticmethod
    def total(terrace, version=""):
        return int(json.loads(terrace("query", f"SELECT COALESCE(SUM(orders), 0) AS n FROM ads.daily_totals{version}", "-f", "json"))["n"])


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--terrace", required=True)
    arguments = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="terrace-bench-") as folder:
        bench = Bench(arguments.terrace, folder)
        if wanted("join"):
            source = data()
            say(f"{ROWS} rows a side, {ROUNDS} rounds")
            for number in range(ROUNDS):
                say(f"round {number + 1} of {ROUNDS}")
                bench.round(source)
        if wanted("latency"):
            try: bench.latency()
            except Exception as error: say(f"  FAILED: {error}")
        def shown(value): return "-" if value is None else f"{value:.4g}"
        print("name\tours\tpeer\tratio\tgoal")
        for name, ours, peer, ratio, goal in bench.figures(): print(name, shown(ours), shown(peer), shown(ratio), f"{goal:g}", sep="\t")


if __name__ == "__main__":
    main()
