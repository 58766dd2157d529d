"""Tables that Terrace writes, step by step, each step mirrored in a plain model; every engine must read what the model holds."""
import json
import pathlib
import random
import tempfile

import avro_exchange
import canonical
import metastore
import parquet_exchange
import readme
from canonical import *
from readers import difference, snapshot_ids


class Checks:
    """Counts comparisons and keeps the text of those that failed."""

    def __init__(self):
        self.passed, self.failures, self.excepted = 0, [], []

    def equal(self, what, expected, found):
        problem = difference(expected, found)
        if problem is None: self.passed += 1
        else: self.fail(f"{what}: {problem}")

    def that(self, what, holds):
        if holds: self.passed += 1
        else: self.fail(what)

    def fail(self, text):
        self.failures.append(text)
        print("  FAILED", text[:1500], flush=True)


class Table:
    """A table of ours and its model: `rows` maps a key to a row (a row's number where there is no key)."""

    def __init__(self, world, name, columns, key=(), partitioned=(), sequence=None, rowkind=None, **options):
        self.world, self.name, self.columns = world, "x." + name, list(columns)
        self.key, self.sequence, self.rowkind = list(key), sequence, rowkind
        self.rows, self.expected, self.tags, self.changes, self.rewritten = {}, {}, {}, [], set()
        self.appended = 0
        options = {k.replace("__", ".").replace("_", "-"): str(v) for k, v in options.items()}
        if sequence: options["sequence.field"] = sequence
        if rowkind: options["rowkind.field"] = rowkind
        declared = ", ".join(f"{self.quoted(n)} {(t.required() if n in self.key else t).sql()}" for n, t in self.columns)
        words = ["table", "create", self.name, "--columns", declared]
        if key: words += ["--primary-key", ",".join(key)]
        if partitioned: words += ["--partitioned-by", ",".join(partitioned)]
        for k, v in options.items(): words += ["--option", f"{k}={v}"]
        self.run(*words)

    @staticmethod
    def quoted(name): return name if name.isidentifier() and name.isascii() else f"`{name}`"

    def run(self, *words, **more): return self.world.terrace.run(self.world.warehouse, *words, **more)

    def visible(self): return [row for row in self.rows.values()]

    def keyed(self, row): return canonical.text([row[k] for k in self.key])

    def apply(self, rows):
        """The model's half of a write; returns the changes as a lookup changelog lists them."""
        before = dict(self.rows)
        touched = {}
        for row in rows:
            if not self.key:
                self.rows[self.appended] = row
                self.appended += 1
                continue
            key = self.keyed(row)
            touched[key] = True
            old = self.rows.get(key)
            if self.sequence and old is not None and self.older(row, old): continue
            if self.rowkind and row[self.rowkind] in ("-D", "-U"): self.rows.pop(key, None)
            else: self.rows[key] = row
        changes = []
        for key in touched:
            old, new = before.get(key), self.rows.get(key)
            if old is None and new is not None: changes.append(("+I", new))
            elif old is not None and new is None: changes.append(("-D", old))
            elif old is not None: changes += [("-U", old), ("+U", new)]
        return changes

    def older(self, row, old):
        """Whether a sequence value loses against the stored one; null is the smallest, an equal one wins."""
        a, b = row[self.sequence], old[self.sequence]
        return b is not None and (a is None or a < b)

    def put(self, rows):
        """Imports rows as one commit and notes what every new snapshot must show."""
        file = self.world.scratch / f"rows-{self.world.next()}.jsonl"
        file.write_text("".join(canonical.json_line(row, self.columns) + "\n" for row in rows))
        self.run("table", "import", self.name, str(file))
        changes = self.apply(rows)
        self.changes.append((rows, changes))
        self.note()

    def note(self):
        """New snapshots since the last look show the model as it is now."""
        known = max(self.expected, default=0)
        for number in snapshot_ids(self.world.warehouse, self.name):
            if number > known: self.expected[number] = (list(self.columns), [{name: row[name] for name, _ in self.columns} for row in self.visible()])

    def compact(self, full=True):
        self.run("compact", self.name, *(["--full"] if full else []))
        self.note()

    def tag(self, name):
        self.run("tag", "create", self.name, name)
        self.tags[name] = self.expected[max(self.expected)]

    def expire(self, keep):
        self.run("expire", self.name, "--retain-max", str(keep), "--retain-min", "1")

    def alter(self, *words): self.run("table", "alter", self.name, *words)

    def verify(self, skip={}, adjust={}):
        """Every engine reads every live snapshot and tag as the model says. `skip`: engine → reason why it cannot read this table;
        `adjust`: engine → function over expected rows, for a limit of that engine alone."""
        checks = self.world.checks
        live = snapshot_ids(self.world.warehouse, self.name)
        for reader in self.world.readers:
            if reader.name in skip:
                checks.excepted.append(f"{self.name}: {reader.name}: {skip[reader.name]}")
                continue
            wanted = [({"snapshot": n}, self.expected[n]) for n in live if n in self.expected]
            wanted += [({"tag": t}, content) for t, content in self.tags.items()]
            if live: wanted.append(({}, self.expected[max(self.expected)]))
            for at, (columns, rows) in wanted:
                what = f"{self.name} {at or 'latest'} by {reader.name}"
                try:
                    found = reader.read(self.world.warehouse, self.name, columns, **at)
                except Exception as error:
                    checks.fail(f"{what}: {type(error).__name__}: {error}")
                    continue
                checks.equal(what, adjust.get(reader.name, lambda rows: rows)(rows), found)


class World:
    """One warehouse, the engines, a seeded source of chance, and the result."""

    def __init__(self, terrace, readers, java, seed, scale):
        self.terrace, self.readers, self.java, self.scale = terrace, readers, java, scale
        self.random, self.checks, self.counter = random.Random(seed), Checks(), 0
        self.folder = tempfile.TemporaryDirectory(prefix="terrace-exchange-")
        self.warehouse = pathlib.Path(self.folder.name) / "warehouse"
        self.scratch = pathlib.Path(self.folder.name) / "scratch"
        self.scratch.mkdir()
        self.warehouse.mkdir()
        terrace.run(self.warehouse, "db", "create", "x")

    def next(self):
        self.counter += 1
        return self.counter

    def rows(self, columns, count, keys=None, **shares):
        """Random rows; `keys` gives the values of the first column."""
        made = []
        for i in range(count):
            row = {name: canonical.value(self.random, type, **shares) for name, type in columns}
            if keys is not None: row[columns[0][0]] = self.random.choice(keys)
            made.append(row)
        return made


SCALARS = [
    ("c_bool", BOOLEAN), ("c_tiny", TINYINT), ("c_small", SMALLINT), ("c_int", INT), ("c_big", BIGINT), ("c_float", FLOAT), ("c_double", DOUBLE),
    ("c_char", CHAR(5)), ("c_varchar", VARCHAR(20)), ("c_string", STRING), ("c_binary", BINARY(6)), ("c_varbinary", VARBINARY(10)),
    ("c_bytes", BYTES), ("c_dec9", DECIMAL(9, 2)), ("c_dec18", DECIMAL(18, 4)), ("c_dec19", DECIMAL(19, 0)), ("c_dec38", DECIMAL(38, 10)),
    ("c_date", DATE), ("c_time0", TIME(0)), ("c_time3", TIME(3)), ("c_ts0", TIMESTAMP(0)), ("c_ts3", TIMESTAMP(3)), ("c_ts6", TIMESTAMP(6)),
    ("c_ltz3", TIMESTAMP_LTZ(3)), ("c_ltz6", TIMESTAMP_LTZ(6)),
]
NESTED = [
    ("c_array", ARRAY(INT)), ("c_strings", ARRAY(STRING)), ("c_map", MAP(STRING, BIGINT)), ("c_row", ROW(a=INT, b=STRING, c=DECIMAL(12, 3))),
    ("c_deep", ARRAY(ROW(x=BIGINT, y=ARRAY(STRING)))), ("c_maps", MAP(INT, ROW(s=STRING, d=DOUBLE))),
]
NANOS = [("c_ts9", TIMESTAMP(9)), ("c_ltz9", TIMESTAMP_LTZ(9))]


def java_rows(columns):
    """Java Paimon 0.9 reads a ROW whose members are all null as null itself."""
    def adjust(value, type):
        if value is None: return None
        if type.name == "ARRAY": return [adjust(v, type.of[0]) for v in value]
        if type.name == "MAP": return [[k, adjust(v, type.of[1])] for k, v in value]
        if type.name == "ROW":
            made = {m: adjust(value[m], t) for m, t in zip(type.members, type.of)}
            return None if all(v is None for v in made.values()) else made
        return value
    types = dict(columns)
    return {"java-paimon": lambda rows: [{n: adjust(v, types[n]) if n in types else v for n, v in row.items()} for row in rows]}


# -- the tables ------------------------------------------------------------------------------------

def all_types_keyed(world):
    columns = [("id", BIGINT)] + SCALARS + NESTED
    table = Table(world, "all_types_keyed", columns, key=["id"], bucket=2)
    for _ in range(3): table.put(unique(table, world.rows(columns, 25 * world.scale, keys=range(60 * world.scale))))
    table.compact()
    table.tag("compacted")
    table.put(unique(table, world.rows(columns, 10, keys=range(60 * world.scale))))
    table.put([{name: (10**6 if name == "id" else None) for name, _ in columns}])
    table.verify(adjust=java_rows(columns))


def all_types_append(world):
    columns = [("id", BIGINT)] + SCALARS + NESTED
    table = Table(world, "all_types_append", columns)
    for _ in range(3): table.put(world.rows(columns, 20 * world.scale))
    table.compact()
    table.put(world.rows(columns, 5, null=1.0))
    table.verify(adjust=java_rows(columns))


def nanoseconds(world):
    columns = [("id", INT)] + NANOS
    table = Table(world, "nanoseconds", columns, key=["id"], bucket=1)
    table.put(unique(table, world.rows(columns, 30, keys=range(100))))
    table.verify()


def multisets(world):
    python = {name: "no MULTISET in pypaimon 2.1" for name in ("pypaimon", "pypaimon-native")}
    columns = [("id", INT), ("m", MULTISET(STRING).required())]
    table = Table(world, "multisets", columns, key=["id"], bucket=1)
    rows = unique(table, world.rows(columns, 40, keys=range(100)))
    table.put([row for row in rows if row["m"]])
    table.compact()
    table.verify(skip=python)
    columns = [("id", INT), ("m", MULTISET(STRING))]
    table = Table(world, "multisets_null", columns, key=["id"], bucket=1)
    table.put(unique(table, world.rows(columns, 20, keys=range(100), null=0.5)))
    table.verify(skip={**python, "java-paimon": "Java 0.9 loses counts after a null or empty MULTISET, in its own files too"})


def key_of_every_type(world):
    kinds = [(n, t) for n, t in SCALARS if t.name not in ("FLOAT", "DOUBLE", "BINARY", "VARBINARY", "BYTES")]
    columns = kinds + [("v", INT)]
    table = Table(world, "key_of_every_type", columns, key=[n for n, _ in kinds], bucket=3)
    for _ in range(2):
        rows = [{n: canonical.value(world.random, t.required() if n != "v" else t) for n, t in columns} for _ in range(20)]
        table.put(rows + [dict(row, v=world.random.randrange(100)) for row in world.random.sample(table.visible(), min(5, len(table.rows)))])
    table.compact()
    table.verify()


def fixed_bucket_append(world):
    columns = [("city", STRING), ("n", INT), ("at", TIMESTAMP(3))]
    table = Table(world, "fixed_bucket_append", columns, bucket=3, bucket_key="city")
    for _ in range(4): table.put(world.rows(columns, 15 * world.scale))
    table.verify()


STRANGE = [None, "", " ", "a/b", "a=b", "a:b", "100%", "%2F", "#?*'\"\\", "{}[]^", "é", "日本", "😀", "x y", "a&b+c", "__DEFAULT_PARTITION__", "\u0001tab\t", "..", "."]


def strange_partitions(world):
    columns = [("id", INT), ("dt", STRING), ("hh", INT), ("v", STRING)]
    table = Table(world, "strange_partitions", columns, partitioned=["dt", "hh"])
    for _ in range(2):
        table.put([dict(id=i, dt=dt, hh=world.random.choice([None, 0, -5, 23]), v=f"v{i}") for i, dt in enumerate(STRANGE)])
    table.compact()
    table.verify()
    keyed = Table(world, "strange_partitions_keyed", columns, key=["dt", "id"], partitioned=["dt"], bucket=2)
    for turn in range(2): keyed.put([dict(id=i % 4, dt=dt, hh=turn, v=f"v{i}") for i, dt in enumerate(STRANGE) if dt is not None])
    keyed.compact()
    keyed.verify()


def partition_types(world):
    columns = [("id", INT), ("d", DATE), ("i", BIGINT), ("b", BOOLEAN), ("v", STRING)]
    table = Table(world, "partition_types", columns, partitioned=["d", "i", "b"])
    table.put([dict(id=k, d=canonical.date_text(19783 + k % 3 - 1), i=k % 2 - 1, b=k % 3 == 0, v=f"v{k}") for k in range(8)])
    table.put([dict(id=9, d=None, i=None, b=None, v="nulls")])
    table.verify()


def schemas(world, keyed):
    table = Table(world, "schemas_keyed" if keyed else "schemas_append", [("id", INT), ("a", INT), ("b", STRING), ("c", FLOAT), ("r", ROW(x=INT, y=STRING))],
                  **(dict(key=["id"], bucket=2) if keyed else {}))
    def reshape(change):
        table.columns = change(table.columns)
        names = [n for n, _ in table.columns]
        for key, row in table.rows.items(): table.rows[key] = {n: row.get(n) for n in names}
    def rename(rows_from, to):
        table.columns = [(to if n == rows_from else n, t) for n, t in table.columns]
        for key, row in table.rows.items(): table.rows[key] = {(to if n == rows_from else n): v for n, v in row.items()}
    def more(): table.put(unique(table, world.rows(table.columns, 8, keys=range(30), null=0.1)) if keyed else world.rows(table.columns, 8, null=0.1))
    more()
    table.alter("add-column", "-n", "d", "-t", "STRING")
    reshape(lambda c: c + [("d", STRING)])
    more()
    table.alter("rename-column", "-n", "b", "-m", "b2")
    rename("b", "b2")
    more()
    table.alter("alter-column", "-n", "a", "-t", "BIGINT")
    reshape(lambda c: [(n, BIGINT if n == "a" else t) for n, t in c])
    more()
    table.alter("drop-column", "-n", "d")
    reshape(lambda c: [(n, t) for n, t in c if n != "d"])
    more()
    table.alter("add-column", "-n", "d", "-t", "DECIMAL(20, 3)", "--first")
    table.columns = [("d", DECIMAL(20, 3))] + table.columns
    for key, row in table.rows.items(): table.rows[key] = {"d": None, **row}
    table.put([dict(row, id=i) for i, row in enumerate(world.rows(table.columns, 5))])
    table.alter("alter-column", "-n", "c", "-t", "DOUBLE")
    table.columns = [(n, DOUBLE if n == "c" else t) for n, t in table.columns]
    for row in table.rows.values():
        if row["c"] is not None: row["c"] = canonical.double_bits(canonical.to_json(row["c"], FLOAT) if not isinstance(canonical.to_json(row["c"], FLOAT), str) else float(canonical.to_json(row["c"], FLOAT)))
    table.alter("alter-column", "-n", "id", "--first")
    table.columns = [c for c in table.columns if c[0] == "id"] + [c for c in table.columns if c[0] != "id"]
    table.put([dict(row, id=i + 20) for i, row in enumerate(world.rows(table.columns, 5))])
    table.verify(adjust=java_rows(table.columns))
    if keyed:
        table.compact()
        table.verify(adjust=java_rows(table.columns))


def row_kinds(world):
    columns = [("id", INT), ("v", STRING), ("op", STRING)]
    table = Table(world, "row_kinds", columns, key=["id"], bucket=2, rowkind="op")
    for _ in range(6):
        table.put([dict(id=world.random.randrange(25), v=f"v{world.next()}", op=world.random.choice(["+I", "+U", "-D", "-U"])) for _ in range(12)])
    table.tag("before")
    table.compact()
    table.put([dict(id=i, v="x", op="-D") for i in range(10)])
    table.verify()
    table.compact()
    table.verify()


def sequences(world):
    columns = [("id", INT), ("ver", BIGINT), ("v", STRING)]
    table = Table(world, "sequences", columns, key=["id"], bucket=1, sequence="ver")
    for _ in range(6):
        table.put([dict(id=world.random.randrange(10), ver=world.random.choice([None, *range(20)]), v=f"v{world.next()}") for _ in range(10)])
    table.verify()
    table.compact()
    table.put([dict(id=i, ver=5, v="five") for i in range(10)])
    table.verify()


def codecs(world):
    columns = [("id", INT), ("s", STRING), ("d", DOUBLE), ("a", ARRAY(INT))]
    for codec in ("none", "snappy", "gzip", "lz4", "zstd"):
        table = Table(world, "codec_" + codec, columns, key=["id"], bucket=1, file__compression=codec)
        table.put(unique(table, world.rows(columns, 50, keys=range(1000))))
        table.verify()


def expiration(world):
    columns = [("id", INT), ("v", STRING)]
    table = Table(world, "expiration", columns, key=["id"], bucket=2)
    for turn in range(12):
        table.put(unique(table, [dict(id=world.random.randrange(40), v=f"v{turn}-{i}") for i in range(12)]))
        if turn in (2, 7): table.tag(f"t{turn}")
        if turn % 4 == 3: table.compact()
    table.expire(3)
    live = snapshot_ids(world.warehouse, table.name)
    world.checks.that(f"expiration keeps 3 of {len(table.expected)} snapshots, kept {live}", len(live) == 3)
    table.verify()
    table.run("tag", "delete", table.name, "t2")
    del table.tags["t2"]
    table.put([dict(id=1, v="after")])
    table.expire(1)
    table.verify()


def input_changelog(world):
    columns = [("id", INT), ("v", STRING), ("op", STRING)]
    table = Table(world, "input_changelog", columns, key=["id"], bucket=1, rowkind="op", changelog_producer="input")
    for _ in range(4):
        table.put([dict(id=world.random.randrange(8), v=f"v{world.next()}", op=world.random.choice(["+I", "-U", "+U", "-D"])) for _ in range(6)])
    table.verify()
    expected = [[{"kind": row["op"], **row} for row in rows] for rows, _ in table.changes]
    check_stream(world, table, expected)


def lookup_changelog(world):
    columns = [("id", INT), ("v", STRING), ("op", STRING)]
    table = Table(world, "lookup_changelog", columns, key=["id"], bucket=2, rowkind="op", changelog_producer="lookup")
    for _ in range(6):
        table.put(unique(table, [dict(id=world.random.randrange(12), v=f"v{world.next()}", op=world.random.choice(["+I", "+U", "-D"])) for _ in range(7)]))
    table.verify()
    check_stream(world, table, [[{"kind": kind, **row} for kind, row in changes] for _, changes in table.changes])


def check_stream(world, table, expected):
    """The changelog, commit by commit, as Java's streaming reader and as our own `--changes` see it."""
    expected = [commit for commit in expected if commit]
    events = []
    for number in snapshot_ids(world.warehouse, table.name):
        rows = world.terrace.lines(world.warehouse, "table", "read", table.name, "--changes", "--from", str(number), "--to", str(number), "-f", "json")
        events += [(number, row["rowkind"], {name: canonical.from_json(row[name], type) for name, type in table.columns}) for row in rows]
    compare_changes(world, table, "terrace", expected, events)
    try:
        compare_changes(world, table, "java-paimon", expected, world.java.stream(world.warehouse, table.name, table.columns))
    except Exception as error:
        world.checks.fail(f"{table.name} changelog by java-paimon: {error}")


def compare_changes(world, table, reader, expected, events):
    numbers = sorted({number for number, _, _ in events})
    found = [[{"kind": kind, **row} for n, kind, row in events if n == number] for number in numbers]
    world.checks.that(f"{table.name}: {len(expected)} commits with changes, {reader} sees {len(found)}", len(expected) == len(found))
    for index, (left, right) in enumerate(zip(expected, found)): world.checks.equal(f"{table.name} changes of commit {index + 1} by {reader}", left, right)


def unique(table, rows):
    """The last row of each key: what one commit leaves, without asking how a writer orders rows of equal keys."""
    return list({table.keyed(row): row for row in rows}.values())


def foreign_writers(world):
    """pypaimon, or Java Paimon, writes to our table between our own writes; all see one table."""
    for keyed in (True, False):
        for who in ("pypaimon", "pypaimon-native", "java-paimon"): foreign_writer(world, who, keyed)


def foreign_writer(world, who, keyed):
    import pyarrow
    columns = [("id", BIGINT), ("n", INT), ("v", STRING)]
    shape = pyarrow.schema([pyarrow.field("id", pyarrow.int64(), nullable=not keyed), ("n", pyarrow.int32()), ("v", pyarrow.string())])
    table = Table(world, f"{'keyed' if keyed else 'append'}_with_{who.replace('-', '_')}", columns, **(dict(key=["id"], bucket=2) if keyed else {}))
    def batch(writer): return [dict(id=i, n=world.random.randrange(100), v=f"{writer}-{world.next()}") for i in world.random.sample(range(40), 8)]
    for turn in range(4):
        table.put(batch("terrace"))
        rows = batch(who)
        if who != "java-paimon":
            native = "true" if who == "pypaimon-native" else "false"
            world.readers[1].append(world.warehouse, table.name, pyarrow.Table.from_pylist(rows, shape), native)
        else: world.java.ask("upsert", world.warehouse, table.name, "+I", ";".join(f"{r['id']},{r['n']},{r['v']}" for r in rows))
        table.apply(rows)
        table.note()
        if turn == 1: table.tag("middle")
        if who == "java-paimon" and keyed and turn == 2:
            world.java.ask("compact", world.warehouse, table.name, 2)
            table.note()
        if turn == 1 or turn == 3: table.compact()
    table.put(batch("terrace"))
    skip = {"java-paimon": {"pypaimon": OLD_MANIFESTS}, "pypaimon-native": {"java-paimon": NO_KEYS} if keyed else {}}
    table.verify(skip=skip.get(who, {}))


NO_KEYS = "Java 0.9 cannot read primary-key files without _KEY_ columns, as pypaimon's native core writes them"
OLD_MANIFESTS = "pypaimon 2.1 in Python cannot read manifests without _VALUE_STATS_COLS, as Java 0.9 writes them"


def filters(world):
    """Pruning by our statistics and key ranges loses no row, in pypaimon and in our own WHERE."""
    columns = [("id", BIGINT)] + [c for c in SCALARS if c[1].name in ("TINYINT", "INT", "BIGINT", "DOUBLE", "VARCHAR", "STRING", "DATE", "DECIMAL", "BOOLEAN")]
    table = Table(world, "filters", columns, bucket=-1)
    for _ in range(6): table.put(world.rows(columns, 6, null=0.2))
    pypaimon = world.readers[1]
    import datetime, decimal
    for name, type in columns:
        values = [row[name] for row in table.visible() if row[name] is not None]
        for wanted in world.random.sample(values, min(3, len(values))):
            if wanted in ("d7ff8000000000000",): continue
            expected = [row for row in table.visible() if row[name] == wanted or (type.name == "DOUBLE" and {row[name], wanted} == {"d0000000000000000", "d8000000000000000"})]
            literal = canonical.to_json(wanted, type)
            native = {"DATE": lambda: datetime.date.fromisoformat(literal), "DECIMAL": lambda: decimal.Decimal(literal)}.get(type.name, lambda: float(literal) if type.name == "DOUBLE" else literal)()
            opened = pypaimon.open(world.warehouse, table.name)
            builder = opened.new_read_builder()
            builder = builder.with_filter(builder.new_predicate_builder().equal(name, native))
            from readers import arrow_rows
            try:
                found = arrow_rows(builder.new_read().to_arrow(builder.new_scan().plan().splits()), columns)
                world.checks.equal(f"{table.name} where {name} = {wanted} by pypaimon", expected, found)
            except Exception as error:
                world.checks.fail(f"{table.name} where {name} = {wanted} by pypaimon: {error}")
            if type.name in ("STRING", "VARCHAR", "DATE"): sql = "'" + literal.replace("'", "''") + "'"
            elif type.name == "DOUBLE": continue
            else: sql = str(literal).lower()
            done = table.run("table", "read", table.name, "-f", "json", "-w", f"{name} = {sql}", check=False)
            if done.returncode != 0: world.checks.fail(f"{table.name} where {name} = {sql}: {done.stderr.decode()}")
            else:
                found = [{n: canonical.from_json(row[n], t) for n, t in columns} for row in map(json.loads, done.stdout.decode().splitlines())]
                world.checks.equal(f"{table.name} where {name} = {sql} by terrace", expected, found)


def imports(world):
    """The same rows by JSON lines, CSV and Parquet, plain and compressed."""
    import gzip, pyarrow, pyarrow.parquet
    columns = [("id", BIGINT), ("v", STRING), ("d", DECIMAL(10, 2)), ("t", TIMESTAMP(6))]
    rows = [dict(id=i, v=world.random.choice(["plain", "com,ma", 'quo"te', "new\nline", "é語"]), d=f"{i}.25", t=canonical.timestamp_text(i * 10**15)) for i in range(50)]
    lines = "".join(canonical.json_line(row, columns) + "\n" for row in rows)
    quoted = lambda text: '"' + str(text).replace('"', '""') + '"'
    csv = "id,v,d,t\n" + "".join(",".join(quoted(row[n]) for n, _ in columns) + "\n" for row in rows)
    arrow = pyarrow.table({"id": pyarrow.array([r["id"] for r in rows]), "v": [r["v"] for r in rows],
                           "d": pyarrow.array([__import__("decimal").Decimal(r["d"]) for r in rows], pyarrow.decimal128(10, 2)),
                           "t": pyarrow.array([r["id"] * 10**12 for r in rows]).cast(pyarrow.timestamp("us"))})
    pyarrow.parquet.write_table(arrow, world.scratch / "rows.parquet")
    files = {"rows.jsonl": lines.encode(), "rows.csv": csv.encode(), "rows.jsonl.gz": gzip.compress(lines.encode()), "rows.csv.gz": gzip.compress(csv.encode())}
    for name, content in files.items(): (world.scratch / name).write_bytes(content)
    for name in [*files, "rows.parquet"]:
        table = Table(world, "import_" + name.replace(".", "_"), columns)
        table.run("table", "import", table.name, str(world.scratch / name))
        table.apply(rows)
        table.note()
        table.verify()


def schemas_keyed(world): schemas(world, True)


def schemas_append(world): schemas(world, False)


def readme_example(world): readme.check(world)


def many_tags(world):
    """More tags than runs are kept apart for: runs move to deep levels by name, and are merged."""
    columns = [("id", BIGINT), ("text", STRING)]
    table = Table(world, "many_tags", columns, key=["id"], bucket=1)
    table.put([{"id": key, "text": f"row {key}"} for key in range(600)])
    for day in range(19):
        table.put([{"id": key, "text": f"day {day}"} for key in world.random.sample(range(620), 12)])
        table.tag(f"day {day:02}")
    table.expire(1)
    deepest = max(row["level"] for row in world.terrace.lines(world.warehouse, "query", "SELECT level FROM x.`many_tags$files`", "-f", "json"))
    world.checks.that(f"many_tags: the bulk lies deep, not on level {deepest}", deepest > 6)
    table.verify()
    # Java compacts what lies deeper than its own trees go.
    world.java.ask("compact", world.warehouse, table.name, 1)
    table.note()
    table.put([{"id": 1, "text": "after Java"}])
    table.verify(skip={"pypaimon": "it cannot read the manifests that Java 0.9 writes"})


def metastore_and_partitions(world): metastore.exchange(world)


def parquet_files(world): files(world, parquet_exchange, 20)


def avro_files(world): files(world, avro_exchange, 20)


def files(world, exchange, count):
    folder = world.scratch / exchange.__name__
    folder.mkdir()
    exchange.exchange(world.terrace, folder, world.random.randrange(10**9), count * world.scale, world.checks)


TABLES = [all_types_keyed, all_types_append, nanoseconds, multisets, key_of_every_type, fixed_bucket_append, strange_partitions, partition_types,
          schemas_keyed, schemas_append, row_kinds, sequences, codecs, expiration, input_changelog, lookup_changelog, foreign_writers, filters, imports,
          many_tags, metastore_and_partitions, parquet_files, avro_files, readme_example]


def named(): return [(table.__name__, table) for table in TABLES]
