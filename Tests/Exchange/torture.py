"""Several processes write, compact and expire one table at once; some are killed with SIGKILL at random moments.

torture.py --terrace BINARY [--rounds N] [--seed N]. A round is one import by one process. An import that exits 0 is acknowledged:
its rows must be there once, for ever. One that was killed is either there as a whole or not at all. At the end every file that a
snapshot or tag names must exist. The seed is printed; moments of killing depend on the machine as well.
"""
import argparse
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import fsck

ROWS, SHARED = 40, 20


class Torture:
    """One table under several writers; `keyed` decides whether rows can be doubled (no key) or overwritten (key)."""

    def __init__(self, binary, folder, keyed, seed, rounds, writers=3):
        self.binary, self.warehouse, self.keyed, self.rounds, self.writers = binary, pathlib.Path(folder) / "warehouse", keyed, rounds, writers
        self.scratch = pathlib.Path(folder)
        self.seed, self.lock = seed, threading.Lock()
        self.acknowledged, self.unknown, self.problems, self.killed, self.durations = set(), set(), [], 0, [0.2]
        self.warehouse.mkdir()
        self.must("db", "create", "x")
        words = ["table", "create", "x.t", "--columns", "id BIGINT NOT NULL, writer INT, batch INT, v STRING", "--option", "snapshot.num-retained.max=8",
                 "--option", "snapshot.num-retained.min=2"]
        if keyed: words += ["--primary-key", "id", "--option", "bucket=2"]
        self.must(*words)

    def command(self, *words): return [self.binary, *words, "--warehouse", str(self.warehouse)]

    def must(self, *words):
        done = subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
        if done.returncode != 0: raise SystemExit(f"torture: {' '.join(words)}: exit {done.returncode}: {done.stderr}")
        return done.stdout

    def attempt(self, chance, words, kill):
        """Runs a command; `kill`: the share of runs that are killed. Returns the exit code, None when killed before its end."""
        log = tempfile.TemporaryFile(mode="w+")
        process = subprocess.Popen(self.command(*words), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
        started = time.monotonic()
        if chance.random() < kill:
            typical = sorted(self.durations)[len(self.durations) // 2]
            try:
                process.wait(timeout=chance.uniform(0.1, 1.2) * typical)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                with self.lock: self.killed += 1
                return None
        process.wait(timeout=300)
        with self.lock: self.durations.append(time.monotonic() - started)
        if process.returncode != 0:
            log.seek(0)
            said = log.read().strip()[:400]
            # Whoever compacts second is told so, and loses nothing.
            if not (words[0] == "compact" and said.startswith("terrace: conflict:")):
                with self.lock: self.problems.append(f"{' '.join(words[:3])} exited {process.returncode}: {said}")
        return process.returncode

    def write(self, writer):
        """One importing process after another, each with rows of its own and, on a keyed table, some that all writers share."""
        chance = random.Random(self.seed * 1000 + writer)
        for batch in range(self.rounds // self.writers):
            own = [dict(id=1000 + (writer * 100000 + batch) * ROWS + i, writer=writer, batch=batch, v="x" * chance.randrange(50)) for i in range(ROWS)]
            shared = [dict(id=chance.randrange(SHARED), writer=writer, batch=batch, v="shared")] if self.keyed else []
            file = self.scratch / f"import-{writer}.jsonl"
            file.write_text("".join(json.dumps(row) + "\n" for row in own + shared))
            code = self.attempt(chance, ["table", "import", "x.t", str(file)], kill=0.3)
            with self.lock: (self.acknowledged if code == 0 else self.unknown).add((writer, batch))

    def maintain(self, stop):
        """Compaction, expiration and tags beside the writers."""
        chance, tags = random.Random(self.seed * 1000 + 999), 0
        while not stop.is_set():
            what = chance.choice(["compact", "compact", "full", "expire", "tag"])
            if what == "compact": self.attempt(chance, ["compact", "x.t"], kill=0.3)
            if what == "full": self.attempt(chance, ["compact", "x.t", "--full"], kill=0.3)
            if what == "expire": self.attempt(chance, ["expire", "x.t", "--retain-max", "4", "--retain-min", "2"], kill=0.2)
            if what == "tag" and list((self.warehouse / "x.db/t/snapshot").glob("snapshot-*")):
                tags += 1
                self.attempt(chance, ["tag", "create", "x.t", f"t{tags}"], kill=0.1)
            time.sleep(chance.random() * 0.05)

    def run(self):
        stop = threading.Event()
        threads = [threading.Thread(target=self.write, args=(writer,)) for writer in range(self.writers)]
        maintenance = threading.Thread(target=self.maintain, args=(stop,))
        for thread in [*threads, maintenance]: thread.start()
        for thread in threads: thread.join()
        stop.set()
        maintenance.join()
        self.check()
        return self.problems

    def check(self):
        rows = [json.loads(line) for line in self.must("table", "read", "x.t", "-f", "json").splitlines()]
        count, last = {}, {}
        for row in rows:
            if row["id"] < 1000: last[row["id"]] = (row["writer"], row["batch"])
            else: count[row["id"]] = count.get(row["id"], 0) + 1
        doubled = [key for key, n in count.items() if n > 1]
        if doubled: self.problems.append(f"{len(doubled)} rows are there more than once, such as id {doubled[0]}")
        for writer, batch in sorted(self.acknowledged | self.unknown):
            first = 1000 + (writer * 100000 + batch) * ROWS
            there = sum(1 for i in range(ROWS) if first + i in count)
            if (writer, batch) in self.acknowledged and there != ROWS: self.problems.append(f"acknowledged batch {writer}/{batch} has {there} of {ROWS} rows")
            if there not in (0, ROWS): self.problems.append(f"batch {writer}/{batch} is half there: {there} of {ROWS} rows")
        for key, (writer, batch) in last.items():
            if (writer, batch) not in self.acknowledged | self.unknown: self.problems.append(f"shared key {key} holds a value that nobody wrote")
        self.problems += fsck.problems(self.warehouse / "x.db/t")
        # A table that survived must also go on.
        self.must("compact", "x.t", "--full")
        after = [json.loads(line) for line in self.must("table", "read", "x.t", "-f", "json").splitlines()]
        if sorted(map(str, after)) != sorted(map(str, rows)): self.problems.append("a full compaction at the end changed the rows")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--terrace", required=True)
    arguments.add_argument("--rounds", type=int, default=60)
    arguments.add_argument("--seed", type=int, default=random.randrange(10**9))
    arguments = arguments.parse_args()
    print(f"torture: {arguments.rounds} imports on each of two tables, seed {arguments.seed}", flush=True)
    failed = False
    for keyed in (True, False):
        folder, started = tempfile.mkdtemp(prefix="terrace-torture-"), time.monotonic()
        torture = Torture(arguments.terrace, folder, keyed, arguments.seed, arguments.rounds)
        problems = torture.run()
        print(f"  {'keyed' if keyed else 'append'} table: {len(torture.acknowledged)} imports acknowledged, {torture.killed} processes killed, "
              f"{len(problems)} problems, {time.monotonic() - started:.1f} s", flush=True)
        for problem in problems[:20]: print("  FAILED", problem, flush=True)
        failed = failed or bool(problems)
        if problems: print(f"  the table is kept in {folder}", flush=True)
        else: shutil.rmtree(folder)
    print(f"torture: {'failed' if failed else 'passed'}, seed {arguments.seed}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
