"""The engines of the exchange, each behind the same few calls: read a table at a snapshot or tag as canonical rows."""
import json
import os
import pathlib
import re
import subprocess

import canonical

PEERS = pathlib.Path(os.environ.get("TERRACE_PEERS", pathlib.Path.home() / ".cache/terrace-peers"))


class Failure(Exception):
    """What an engine said when it failed."""


class Terrace:
    """The binary under test."""
    name = "terrace"

    def __init__(self, binary): self.binary = binary

    def run(self, warehouse, *words, check=True, input=None):
        command = [self.binary, *words, "--warehouse", str(warehouse)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
        if check and done.returncode != 0:
            raise Failure(f"terrace {' '.join(words)}: exit {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
        return done

    def lines(self, warehouse, *words):
        return [json.loads(line) for line in self.run(warehouse, *words).stdout.decode().splitlines() if line]

    def read(self, warehouse, table, columns, snapshot=None, tag=None):
        words = ["table", "read", table, "-f", "json"]
        if snapshot is not None: words += ["--snapshot", str(snapshot)]
        if tag is not None: words += ["--tag", tag]
        return [typed(row, columns) for row in self.lines(warehouse, *words)]


def typed(row, columns):
    names = [name for name, _ in columns]
    if sorted(row) != sorted(names): raise Failure(f"columns {sorted(row)}, expected {sorted(names)}")
    return {name: canonical.from_json(row[name], type) for name, type in columns}


class PypaimonPython:
    """pypaimon with its Python reader."""
    name = "pypaimon"

    def open(self, warehouse, table, snapshot=None, tag=None, native="false"):
        from pypaimon import CatalogFactory
        options = {key: native for key in ("scan.native-plan.enabled", "read.native.enabled", "commit.native.enabled", "write.native.enabled")}
        if snapshot is not None: options["scan.snapshot-id"] = str(snapshot)
        if tag is not None: options["scan.tag-name"] = tag
        return CatalogFactory.create({"warehouse": str(warehouse)}).get_table(table).copy(options)

    def read(self, warehouse, table, columns, snapshot=None, tag=None):
        builder = self.open(warehouse, table, snapshot, tag).new_read_builder()
        return arrow_rows(builder.new_read().to_arrow(builder.new_scan().plan().splits()), columns)

    def append(self, warehouse, table, rows, native="false"):
        """Appends or upserts an Arrow table in one batch commit."""
        builder = self.open(warehouse, table, native=native).new_batch_write_builder()
        write, commit = builder.new_write(), builder.new_commit()
        write.write_arrow(rows)
        commit.commit(write.prepare_commit())
        write.close()
        commit.close()


class PypaimonNative:
    """pypaimon's Rust core, called without the Python reader that would step in where it fails."""
    name = "pypaimon-native"

    def read(self, warehouse, table, columns, snapshot=None, tag=None):
        import pyarrow
        from pypaimon_rust.datafusion import PaimonCatalog
        options = {}
        if snapshot is not None: options["scan.snapshot-id"] = str(snapshot)
        if tag is not None: options["scan.tag-name"] = tag
        opened = PaimonCatalog({"warehouse": str(warehouse)}).get_table(table)
        builder = opened.new_read_builder(options)
        batches = builder.new_read().read(builder.new_scan().plan().splits())
        return arrow_rows(pyarrow.Table.from_batches(batches) if batches else None, columns)


def arrow_rows(table, columns):
    if table is None or table.num_rows == 0: return []
    names = [name for name, _ in columns]
    if sorted(table.schema.names) != sorted(names): raise Failure(f"columns {sorted(table.schema.names)}, expected {sorted(names)}")
    return canonical.rows_of_arrow(table, columns)


class JavaPaimon:
    """Java Paimon 0.9 in one JVM, asked through a pipe (java/PaimonServer.java)."""
    name = "java-paimon"

    def __init__(self):
        java = PEERS / "java"
        opens = [f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in ("nio", "lang", "util")]
        self.process = subprocess.Popen(
            ["java", "-Xmx1g", *opens, "-cp", f"{java}/exchange-classes:{java}/lib/*", "PaimonServer"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8")

    def ask(self, *words):
        self.process.stdin.write("\t".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = []
        for line in self.process.stdout:
            line = line.rstrip("\n")
            if line == ".": return answer
            if line.startswith("!"): raise Failure(line[1:])
            answer.append(line)
        raise Failure("the JVM ended")

    def read(self, warehouse, table, columns, snapshot=None, tag=None):
        options = []
        if snapshot is not None: options.append(f"scan.snapshot-id={snapshot}")
        if tag is not None: options.append(f"scan.tag-name={tag}")
        return [typed(json.loads(row), columns) for row in self.ask("read", warehouse, table, *options)]

    def stream(self, warehouse, table, columns, start=1):
        """[(snapshot, row kind, row)] from a snapshot's changes to the newest."""
        found = map(json.loads, self.ask("stream", warehouse, table, start))
        return [(event["snapshot"], event["kind"], typed(event["row"], columns)) for event in found]

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)


def difference(expected, found):
    """None when two lists hold the same rows in any order; else a short text about the first that differ."""
    left, right = sorted(map(canonical.text, expected)), sorted(map(canonical.text, found))
    if left == right: return None
    extra = []
    counts = {}
    for row in left: counts[row] = counts.get(row, 0) + 1
    for row in right:
        if counts.get(row, 0) > 0: counts[row] -= 1
        else: extra.append(row)
    lacking = [row for row, count in counts.items() for _ in range(count)]
    shown = f"lacking {lacking[:2]}; extra {extra[:2]}"
    if lacking and extra:  # the columns in which a lacking row differs from the extra row that is most like it
        row, others = json.loads(lacking[0]), [json.loads(other) for other in extra[:200]]
        other = max(others, key=lambda other: sum(row[name] == other.get(name) for name in row))
        parts = [f"{name}: {canonical.text(row[name])} became {canonical.text(other.get(name))}" for name in row if row[name] != other.get(name)]
        if len(parts) < len(row): shown = "; ".join(parts)
    return f"{len(left)} rows expected, {len(right)} found; {shown}"


def snapshot_ids(warehouse, table):
    database, name = table.split(".")
    folder = pathlib.Path(warehouse) / f"{database}.db" / name / "snapshot"
    if not folder.exists(): return []
    return sorted(int(m[1]) for m in (re.fullmatch(r"snapshot-(\d+)", p.name) for p in folder.iterdir()) if m)


def snapshot(warehouse, table, number):
    database, name = table.split(".")
    return json.loads((pathlib.Path(warehouse) / f"{database}.db" / name / "snapshot" / f"snapshot-{number}").read_text())
