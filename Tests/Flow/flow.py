"""What the tests of whole pipelines share: a project in a folder of its own, the command, and comparisons by DuckDB.

Nothing here knows how Terrace works inside: it is called as a person calls it, and what it prints is read as text.
"""
import json
import os
import pathlib
import random
import signal
import subprocess
import tempfile
import time

import duckdb

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
LIMIT = 120  # seconds that any one command may take


class Failure(Exception):
    """A command did not do what it must."""


class Checks:
    """Counts comparisons; failures are kept and printed at the end."""

    def __init__(self): self.passed, self.failures, self.notes = 0, [], []

    def that(self, what, condition, detail=""):
        if condition: self.passed += 1
        else:
            self.failures.append(f"{what}{': ' if detail else ''}{detail}")
            print(f"    FAILED {self.failures[-1][:1500]}", flush=True)
        return bool(condition)

    def equal(self, what, found, expected):
        return self.that(what, found == expected, f"found {clip(found)}, expected {clip(expected)}")

    def note(self, text):
        self.notes.append(text)
        print(f"    {text}", flush=True)


def clip(value):
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 600 else text[:600] + "…"


class Project:
    """A project folder and the command over it."""

    def __init__(self, binary, folder, checks=None):
        self.binary, self.folder, self.checks = str(binary), pathlib.Path(folder), checks
        self.folder.mkdir(parents=True, exist_ok=True)

    def write(self, path, text):
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        return place

    def spec(self, table, sql):
        layer, name = table.split(".")
        return self.write(f"layers/{layer}/{name}.sql", sql)

    def add(self, path, text):
        """A source file that appears whole, as a careful writer lets files appear."""
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        hidden = place.with_name(f".{place.name}.tmp")
        hidden.write_bytes(text if isinstance(text, bytes) else text.encode())
        hidden.rename(place)
        return place

    def command(self, *words): return [self.binary, "-C", str(self.folder), *map(str, words)]

    def call(self, *words, code=0, timeout=LIMIT, environment=None):
        """Runs a command; `code` None accepts every exit code but those of a crash."""
        done = subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout,
                              env={**os.environ, **(environment or {})})
        done.stdout, done.stderr = (b.decode(errors="replace") for b in (done.stdout, done.stderr))
        if done.returncode < 0 or (code is not None and done.returncode != code):
            raise Failure(f"terrace {' '.join(map(str, words))}: exit {done.returncode}, not {code}: {clip(done.stderr.strip())}")
        return done

    def apply(self): return self.call("apply")

    def once(self, *words, **options): return self.call("run", "--once", *words, **options)

    def start(self, *words):
        """A continuous run; its messages go to run.log."""
        with open(self.folder / "run.log", "ab") as log:
            return subprocess.Popen(self.command("run", *words), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self, process, timeout=60):
        """SIGTERM, and the exit code."""
        process.send_signal(signal.SIGTERM)
        return process.wait(timeout=timeout)

    def rows(self, sql):
        return [json.loads(line) for line in self.call("query", sql, "-f", "json").stdout.splitlines() if line]

    def value(self, sql):
        rows = self.rows(sql)
        if len(rows) != 1 or len(rows[0]) != 1: raise Failure(f"{sql}: {clip(rows)} is not one value")
        return next(iter(rows[0].values()))

    def status(self): return json.loads(self.call("status", "-f", "json").stdout)

    def table_folder(self, table):
        layer, name = table.split(".")
        return self.folder / "warehouse" / f"{layer}.db" / name

    def latest(self, table):
        """The newest snapshot's number, from the names of files; 0 when there is none."""
        numbers = [int(p.name[9:]) for p in (self.table_folder(table) / "snapshot").glob("snapshot-*")]
        return max(numbers, default=0)

    def snapshot(self, table, number):
        return json.loads((self.table_folder(table) / "snapshot" / f"snapshot-{number}").read_text())

    def tags(self, table):
        """Name to snapshot number, from the tag files."""
        return {p.name[4:]: json.loads(p.read_text())["id"] for p in (self.table_folder(table) / "tag").glob("tag-*")}

    def wait(self, what, condition, seconds=60):
        """Waits until a condition holds; fails by saying what did not come."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end: raise Failure(f"waited {seconds} s for {what}; run.log ends: {self.log_end()}")
            time.sleep(0.05)

    def log_end(self):
        log = self.folder / "run.log"
        return clip(log.read_text(errors="replace")[-800:]) if log.exists() else "(no run.log)"


class Tables:
    """DuckDB with what Terrace and others print, and comparisons of both."""

    def __init__(self, checks):
        self.checks, self.duck = checks, duckdb.connect()
        self.duck.execute("SET threads = 2; SET TimeZone = 'UTC'")
        self.scratch = tempfile.TemporaryDirectory(prefix="terrace-flow-rows-")

    def load(self, name, project, sql, columns):
        """`name` becomes a table with the rows of a query; `columns`: name to DuckDB type."""
        text = project.call("query", sql, "-f", "json").stdout
        file = pathlib.Path(self.scratch.name) / f"{name}.json"
        file.write_text(text)
        read = ", ".join(f"{quoted(c)}: 'VARCHAR'" for c in columns)
        cast = ", ".join(f"CAST({quoted(c)} AS {t}) AS {quoted(c)}" for c, t in columns.items())
        lines = [line for line in text.splitlines() if line]
        if lines and sorted(json.loads(lines[0])) != sorted(columns): raise Failure(f"{sql}: columns {sorted(json.loads(lines[0]))}, not {sorted(columns)}")
        self.duck.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT {cast} FROM read_json('{file}', format='newline_delimited', columns={{{read}}})"
                          if lines else f"CREATE OR REPLACE TABLE {name} AS SELECT {cast} FROM (SELECT {', '.join(f'NULL::VARCHAR AS {quoted(c)}' for c in columns)}) WHERE false")
        file.unlink()
        return len(lines)

    def arrow(self, name, table, columns):
        """`name` becomes a table with the rows of an Arrow table."""
        if table is None:
            self.duck.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT {', '.join(f'NULL::{t} AS {quoted(c)}' for c, t in columns.items())} WHERE false")
            return
        self.duck.register("arrow_rows", table)
        cast = ", ".join(f"CAST({quoted(c)} AS {t}) AS {quoted(c)}" for c, t in columns.items())
        self.duck.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT {cast} FROM arrow_rows")
        self.duck.unregister("arrow_rows")

    def same(self, what, ours, theirs, columns):
        """Both relations (names or SELECTs in brackets) hold the same rows, as often."""
        names = ", ".join(map(quoted, columns))
        counts = [self.duck.execute(f"SELECT count(*) FROM {r}").fetchone()[0] for r in (ours, theirs)]
        missing = self.duck.execute(f"SELECT {names} FROM {theirs} EXCEPT ALL SELECT {names} FROM {ours}").fetchall()
        extra = self.duck.execute(f"SELECT {names} FROM {ours} EXCEPT ALL SELECT {names} FROM {theirs}").fetchall()
        return self.checks.that(f"{what} ({counts[1]} rows)", not missing and not extra,
                                f"{counts[0]} rows, {len(missing)} missing such as {clip(sorted(map(str, missing))[:2])}, {len(extra)} too many such as {clip(sorted(map(str, extra))[:2])}")


def quoted(name): return '"' + name.replace('"', '""') + '"'


class World:
    """What a test gets: the binary, a scratch folder, checks, and randomness of its own."""

    def __init__(self, binary, scratch, checks, seed, counts, name):
        self.binary, self.scratch, self.checks, self.counts = binary, pathlib.Path(scratch), checks, counts
        self.quick = counts == "quick"
        self.random = random.Random(f"{seed} {name}")

    def project(self, name): return Project(self.binary, self.scratch / name, self.checks)


def pypaimon(project, table, tag=None, snapshot=None):
    """A table as pypaimon's Python reader sees it, as an Arrow table or None when it is empty."""
    from pypaimon import CatalogFactory
    options = {key: "false" for key in ("scan.native-plan.enabled", "read.native.enabled")}
    if tag is not None: options["scan.tag-name"] = tag
    if snapshot is not None: options["scan.snapshot-id"] = str(snapshot)
    opened = CatalogFactory.create({"warehouse": str(project.folder / "warehouse")}).get_table(table).copy(options)
    builder = opened.new_read_builder()
    splits = builder.new_scan().plan().splits()
    return builder.new_read().to_arrow(splits) if splits else None


def kill(process):
    process.kill()
    process.wait()


def milliseconds(text):
    return int(text) if isinstance(text, (int, float)) else int(float(text))
