"""Our store beside its peers: store.py --storebench BINARY. README.md in this folder explains the figures and the knobs.

Every round runs each engine once, one after the other, in folders of their own; the medians of the rounds are printed at the end.
Progress goes to stderr, figures to stdout.
"""
import argparse
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PEERS = pathlib.Path(os.environ.get("TERRACE_PEERS", pathlib.Path.home() / ".cache/terrace-peers"))
ROWS = int(os.environ.get("BENCH_ROWS", 2_000_000))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", 3))
ONLY = [word for word in os.environ.get("BENCH_ONLY", "").split(",") if word]
BATCH, REPEATS = ROWS // 10, 3


def say(*words): print("bench:", *words, file=sys.stderr, flush=True)


class Ours:
    def __init__(self, binary): self.binary, self.peaks = binary, {}

    def run(self, *words):
        """The seconds of the command's last line; its peak memory is kept for the memory figure."""
        out = subprocess.run([self.binary, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if out.returncode != 0: raise RuntimeError(f"storebench {words[0]}: exit {out.returncode}: {out.stderr.strip()[:500]}")
        lines = [line.split("\t") for line in out.stdout.splitlines() if line.count("\t") >= 3]
        if not lines: raise RuntimeError(f"storebench {words[0]} printed no figure: {out.stdout[:200]}")
        for _, _, _, peak in (line[:4] for line in lines): self.peaks[words[0]] = max(self.peaks.get(words[0], 0), float(peak))
        return float(lines[-1][1])


def java(*words):
    opens = [f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in ("nio", "lang", "util")]
    out = subprocess.run(["java", "-Xmx4g", *opens, f"-Dout={os.devnull}", "-cp", f"{PEERS}/java/bench-classes:{PEERS}/java/lib/*", "PaimonBench", *map(str, words)],
                         stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if out.returncode != 0: raise RuntimeError(f"PaimonBench {words[0]}: {out.stderr[-800:]}")
    return [line for line in out.stdout.splitlines() if line.startswith("paimon-java")]


def seconds(line): return float(line.split(",")[3])


def settled(line):
    """The seconds of an ingest and of the compactions that were still running at its end."""
    return seconds(line) + float(re.search(r"settle=([\d.]+)s", line)[1])


def python(script, *words, **environment):
    out = subprocess.run([PEERS / "py/bin/python", HERE / "peers" / script, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                         env={**os.environ, "OUTCSV": os.devnull, **environment})
    if out.returncode != 0: raise RuntimeError(f"{script} {words[0]}: {out.stderr[-800:]}")
    return out.stdout.splitlines()


def native(*words): return seconds(python("pypaimon_bench.py", *words, NATIVE="1")[-1])


class Bench:
    """All figures of one run; `times[(figure, engine)]` are the seconds of each round."""

    def __init__(self, ours, folder):
        self.ours, self.folder, self.times = ours, pathlib.Path(folder), {}

    def place(self, name):
        path = self.folder / name
        path.mkdir(exist_ok=True)
        return path

    def time(self, figure, engine, work):
        say(f"{figure}: {engine}")
        try:
            took = work()
        except Exception as error:
            say(f"  FAILED: {error}")
            return None
        say(f"  {took:.3f} s")
        self.times.setdefault((figure, engine), []).append(took)

    def round(self):
        wo, cp, lk = "ingest without compaction", "ingest with compaction", "lookup changelog ingest"
        ours, jwh, nwh = self.place("ours"), self.place("java"), self.place("native")
        mor = ("merge-on-read scan of 20 runs", "three-column scan", "1 % key-range scan", "full compaction")
        if self.wanted(wo, *mor):
            self.time(wo, "ours", lambda: self.ours.run("ingest", ours, "plain", ROWS, ROWS, BATCH, "write-only=true"))
            self.time(wo, "java", lambda: settled(java("ingest", jwh, "plain", ROWS, ROWS, BATCH, "false", 0, "dedup", "write-only=true")[-1]))
        if self.wanted(wo, mor[0]):
            self.time(wo, "native", lambda: native("ingest", nwh, "plain", ROWS, ROWS, BATCH))
        if self.wanted(cp):
            self.time(cp, "ours", lambda: self.ours.run("ingest", ours, "compacted", ROWS, ROWS, BATCH))
            self.time(cp, "java", lambda: settled(java("ingest", jwh, "compacted", ROWS, ROWS, BATCH, "false", 0, "dedup")[-1]))
        if self.wanted(lk):
            self.time(lk, "ours", lambda: self.ours.run("ingest", ours, "lookup", ROWS, ROWS, BATCH, "changelog-producer=lookup"))
            self.time(lk, "java", lambda: settled(java("ingest", jwh, "lookup", ROWS, ROWS, BATCH, "false", 0, "dedup", "changelog-producer=lookup")[-1]))
        if self.wanted(mor[0]):
            self.time(mor[0], "ours", lambda: self.ours.run("scan", ours, "plain", REPEATS))
            self.time(mor[0], "java", lambda: seconds(java("scan", jwh, "plain", "runs", REPEATS)[-1]))
            self.time(mor[0], "native", lambda: native("scan", nwh, "plain", "runs", REPEATS))
        if self.wanted(mor[1], mor[2]): self.narrow("of 20 runs", ours, jwh)
        if self.wanted(mor[3], mor[1], mor[2]):
            self.time(mor[3], "ours", lambda: self.ours.run("compact", ours, "plain"))
            self.time(mor[3], "java", lambda: seconds(java("compact", jwh, "plain", "runs", 2 * ROWS)[-1]))
            if self.wanted(mor[1], mor[2]): self.narrow("compacted", ours, jwh)
        if self.wanted("commit of 100 rows"):
            self.time("commit of 100 rows, p50", "ours", lambda: self.ours.run("small", ours, "small", 100, 100, ROWS // 2))
            self.time("commit of 100 rows, p50", "java", lambda: float(re.search(r"p50=([\d.]+)ms", java("small", jwh, "small", 100, 100, ROWS // 2)[-1])[1]) / 1000)
        if self.wanted("writer open over 200 x 2"):
            self.time("writer open over 200 x 2", "ours", lambda: self.ours.run("partitions", ours, 200, 2))
            self.time("writer open over 200 x 2", "java", lambda: seconds(next(l for l in java("parts", jwh, 200, 2, 10) if "all partitions" in l)))
        if self.wanted("parquet write", "parquet read"):
            for what in ("write", "read"):
                self.time(f"parquet {what}", "ours", lambda: self.ours.run(f"parquet-{what}", self.folder / "ours.parquet", ROWS, REPEATS))
                self.time(f"parquet {what}", "arrow", lambda: float(python("arrow_bench.py", what, self.folder / "arrow.parquet", ROWS, REPEATS)[-1]))
        for name in ("ours", "java", "native"): shutil.rmtree(self.folder / name, ignore_errors=True)

    def narrow(self, state, ours, jwh):
        project, key = f"three-column scan, {state}", f"1 % key-range scan, {state}"
        self.time(project, "ours", lambda: self.ours.run("project", ours, "plain", REPEATS))
        self.time(key, "ours", lambda: self.ours.run("range", ours, "plain", ROWS, REPEATS))
        lines = None
        def both():
            nonlocal lines
            lines = java("filter", jwh, "plain", "runs", ROWS, REPEATS)
            return seconds([l for l in lines if "all" in l.split(",")[1].split()][-1])
        self.time(project, "java", both)
        if lines: self.time(key, "java", lambda: seconds([l for l in lines if "1% range" in l][-1]))

    @staticmethod
    def wanted(*figures): return not ONLY or any(word in figure for word in ONLY for figure in figures)

    def figures(self):
        """(name, ours, peer, ratio, goal); None where an engine failed."""
        def ours(figure): return self.median(figure, "ours")
        def beside(figure, engine, goal, label):
            a, b = ours(figure), self.median(figure, engine)
            return (f"{figure} vs {label}", a, b, b / a if a and b else None, goal)
        def absolute(figure, limit, engine=None):
            a = ours(figure)
            return (f"{figure} < {limit * 1000:g} ms", a, self.median(figure, engine) if engine else None, limit / a if a else None, 1)
        peak = max(self.ours.peaks.values(), default=None)
        return [
            beside("ingest with compaction", "java", 4, "Java"),
            beside("ingest without compaction", "java", 3.5, "Java"),
            beside("ingest without compaction", "native", 1.5, "pypaimon native"),
            beside("merge-on-read scan of 20 runs", "java", 5, "Java"),
            beside("merge-on-read scan of 20 runs", "native", 1.2, "pypaimon native"),
            beside("full compaction", "java", 3.5, "Java"),
            *[beside(f"{scan}, {state}", "java", 5, "Java") for state in ("of 20 runs", "compacted") for scan in ("three-column scan", "1 % key-range scan")],
            beside("parquet write", "arrow", 1, "Arrow C++, one thread"),
            beside("parquet read", "arrow", 1, "Arrow C++, one thread"),
            absolute("commit of 100 rows, p50", 0.006, "java"),
            absolute("writer open over 200 x 2", 0.3, "java"),
            beside("lookup changelog ingest", "java", 4, "Java"),
            ("peak memory < 512 MiB", peak, None, 512 / peak if peak else None, 1),
        ]

    def median(self, figure, engine):
        times = self.times.get((figure, engine))
        return statistics.median(times) if times else None


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--storebench", required=True)
    arguments = arguments.parse_args()
    say(f"{ROWS} inserts and {ROWS} updates, {ROUNDS} rounds")
    with tempfile.TemporaryDirectory(prefix="terrace-bench-") as folder:
        bench = Bench(Ours(arguments.storebench), folder)
        for number in range(ROUNDS):
            say(f"round {number + 1} of {ROUNDS}")
            bench.round()
        def shown(value): return "-" if value is None else f"{value:.4g}"
        print("name\tours\tpeer\tratio\tgoal")
        for name, ours, peer, ratio, goal in bench.figures():
            if ours is None and ONLY: continue
            print(name, shown(ours), shown(peer), shown(ratio), f"{goal:g}", sep="\t")
        for what, peak in sorted(bench.ours.peaks.items()): say(f"peak memory of {what}: {peak:.0f} MiB")


if __name__ == "__main__":
    main()
