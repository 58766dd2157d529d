"""Runs statements through `terrace sql --file F -f json`, as few processes as possible: one, and another after each statement that fails."""
import json
import pathlib
import re
import shutil
import subprocess
import tempfile


class Failed:
    """A statement that was refused, and what was said."""

    def __init__(self, text):
        self.text = text
        first = text.strip().split("\n")[0]
        self.message = re.sub(r"^.*?\.sql:\d+:\d+: ", "", first)

    def __repr__(self): return f"Failed({self.message})"


class Rows:
    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows

    def __repr__(self): return f"Rows({self.rows})"


def returns_rows(statement):
    return re.match(r"\s*(SELECT|WITH|VALUES|SHOW|DESCRIBE|EXPLAIN|\()", statement, re.I) is not None


class Session:
    """One warehouse in a folder of its own. Tables stay between runs."""

    def __init__(self, binary, seconds=120):
        self.binary, self.seconds = binary, seconds
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="terrace-sql-"))

    def close(self): shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, statements):
        """Each statement's Rows, None (it returns none), or Failed."""
        results, at = [], 0
        while at < len(statements):
            done, failure = self.run_until_failure(statements[at:])
            results += done
            at += len(done)
            if failure is not None and at < len(statements):
                results.append(failure)
                at += 1
        return results

    def run_until_failure(self, statements):
        file = self.folder / "statements.sql"
        text, starts, line = [], [], 1
        for statement in statements:
            starts.append(line)
            text.append(statement + "\n;\n")
            line += statement.count("\n") + 2
        file.write_text("".join(text))
        process = subprocess.run([self.binary, "--warehouse", str(self.folder / "wh"), "sql", "--file", str(file), "-f", "json"],
                                 capture_output=True, timeout=self.seconds)
        if process.returncode not in (0, 1):
            raise RuntimeError(f"terrace ended with {process.returncode}: {process.stderr.decode()[-2000:]}\nin {file}")
        lines = [json.loads(l, parse_float=str) for l in process.stdout.decode().splitlines()]
        failed = len(statements)
        if process.returncode == 1:
            place = re.search(r"^.*?statements\.sql:(\d+):", process.stderr.decode(), re.M)
            if place:
                failed = max(i for i, start in enumerate(starts) if start <= int(place.group(1)))
            else:
                failed = self.failed_by_count(statements, len(lines))
        results, taken = [], 0
        for statement in statements[:failed]:
            if returns_rows(statement):
                results.append(Rows(lines[taken]["columns"], lines[taken]["rows"]))
                taken += 1
            else:
                results.append(None)
        if taken != len(lines): raise RuntimeError(f"{taken} statements return rows, and {len(lines)} answers were printed: {file}")
        return results, Failed(process.stderr.decode()) if process.returncode else None

    @staticmethod
    def failed_by_count(statements, answers):
        """An error without a place: the first statement that has no answer."""
        for i, statement in enumerate(statements):
            if returns_rows(statement):
                if answers == 0: return i
                answers -= 1
        return len(statements) - 1
