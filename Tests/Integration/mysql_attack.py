"""Random tables and changes at MySQL or MariaDB, synced as a whole database: every table is the same at the end.

A question for mariadb_tests.details: types and values of any kind, keys of any kind, changes of columns, long, XA and taken back transactions, kills.
"""
import json
import time

import flow
import mariadb_tests as maria

TEXTS = ["", "a", "A", "ä", "é€", "中文", "🎈", "it's", "back\\slash", "tab\t", "x" * 250, "Straße", "ı", " lead", "%_"]
NUMBERS = {"TINYINT": 7, "SMALLINT": 15, "MEDIUMINT": 23, "INT": 31, "BIGINT": 63}


def typed(chance, family):
    """A column: its type, values (as literals), what is asked there, what is asked here."""
    plain = ("CAST({c} AS CHAR)", "CAST({c} AS STRING)")
    what = chance.choice(["int", "int", "uint", "bool", "dec", "float", "double", "char", "varchar", "varchar", "text", "blob", "bin", "date", "datetime", "ts", "time", "year", "enum", "set", "json", "bit"])
    if what in ("int", "uint"):
        base = chance.choice(list(NUMBERS))
        bits, signed = NUMBERS[base], what == "int"
        low, high = (-2**bits, 2**bits - 1) if signed else (0, 2**(bits + 1) - 1)
        return f"{base}{'' if signed else ' UNSIGNED'}", lambda: str(chance.choice([low, high, 0, 1, chance.randint(low, high)])), *plain
    if what == "bool": return "TINYINT(1)", lambda: chance.choice(["0", "1"]), "IF({c} IS NULL, NULL, IF({c} = 0, 'FALSE', 'TRUE'))", "CAST({c} AS STRING)"
    if what == "dec":
        precision = chance.randint(1, 38)
        scale = chance.randint(0, min(precision, 30))
        number = lambda: f"{chance.choice(['', '-'])}{chance.randrange(10**precision)}e-{scale}"
        return f"DECIMAL({precision},{scale})", lambda: f"CAST({number()} AS DECIMAL({precision},{scale}))" if precision < 16 else f"CAST('{chance.randrange(10**(precision - scale))}' AS DECIMAL({precision},{scale}))", *plain
    if what == "float": return "FLOAT", lambda: str(chance.choice([0, 1.5, -3.4e38, 1e-30, 16777217, chance.random()])), "{c} + 0e0", "CAST({c} AS DOUBLE)"
    if what == "double": return "DOUBLE", lambda: repr(chance.choice([0, 1.5, -1.7e308, 2.3e-308, 0.1, chance.random() * 10**chance.randint(-20, 20)])), "{c}", "{c}"
    text = lambda: "'" + chance.choice(TEXTS).replace("\\", "\\\\").replace("'", "''") + "'"
    if what in ("char", "varchar", "text"):
        sets = [" CHARACTER SET utf8mb4", "", " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", " CHARACTER SET latin1", " CHARACTER SET gbk", " CHARACTER SET utf16"]
        if family == "mysql": sets += [" COLLATE utf8mb4_0900_ai_ci", " COLLATE utf8mb4_0900_as_cs", " COLLATE utf8mb4_0900_bin"]
        kind = {"char": "CHAR(255)", "varchar": f"VARCHAR({chance.choice([250, 255, 256, 2000])})", "text": chance.choice(["TEXT", "MEDIUMTEXT", "LONGTEXT"])}[what]
        return kind + chance.choice(sets), text, "CONVERT({c} USING utf8mb4)", "CAST({c} AS STRING)"
    if what in ("blob", "bin"):
        return chance.choice(["BLOB", "LONGBLOB"]) if what == "blob" else chance.choice(["BINARY(9)", "VARBINARY(300)"]), lambda: chance.choice(["x''", "x'00'", "x'ff00ff'", "x'0000000000'", "REPEAT('a', 9)"]), "HEX({c})", "HEX({c})"
    if what == "date": return "DATE", lambda: chance.choice(["'2024-02-29'", "'1000-01-01'", "'9999-12-31'", "'0000-00-00'"]), "IF({c} = 0, NULL, CAST({c} AS CHAR))", "CAST({c} AS STRING)"
    digits = chance.choice([0, 3, 6])
    if what in ("datetime", "ts"):
        low = "1000-01-01 00:00:00" if what == "datetime" else "1970-01-02 00:00:01"
        return (f"{'DATETIME' if what == 'datetime' else 'TIMESTAMP'}({digits}) NULL", lambda: chance.choice([f"'{low}'", "'2037-12-31 23:59:59.999'", "'2024-02-29 12:34:56.123456'", "'0000-00-00'"]),
                "IF({c} = 0, NULL, CAST({c} AS CHAR))", "CAST({c} AS STRING)")
    if what == "time": return f"TIME({chance.choice([0, 3])})", lambda: chance.choice(["'00:00:00'", "'23:59:58.4'", "'12:34:56.789'"]), "CAST({c} AS CHAR)", "CAST({c} AS STRING)"
    if what == "year": return "YEAR", lambda: str(chance.choice([1901, 2024, 2155])), *plain
    if what == "enum": return "ENUM('a','ü','it''s','x,y')", lambda: chance.choice(["'a'", "'ü'", "'it''s'", "'x,y'"]), *plain
    if what == "set": return "SET('x','y','ü z')", lambda: chance.choice(["''", "'x'", "'x,y'", "'x,y,ü z'"]), "CONCAT('[', REPLACE({c}, ',', ', '), ']')", "CAST({c} AS STRING)"
    if what == "bit": return "BIT(12)", lambda: str(chance.randrange(4096)), "LPAD(HEX({c} + 0), 4, '0')", "HEX({c})"
    return "JSON", lambda: "'" + chance.choice(["{}", "[1, 2.5, null]", '{"b": "ü", "a": [true, {"k": -1e30}]}', '"text"', "12345678901234567890"]) + "'", "CAST({c} AS CHAR)", "CAST({c} AS STRING)"


class Table:
    def __init__(self, number, chance, family):
        self.name, self.chance, self.family, self.made = f"t{number}", chance, family, 0
        self.columns = {}
        for _ in range(chance.randint(1, 9)): self.column()
        keys = [("id INT NOT NULL", "id"), ("id BIGINT UNSIGNED NOT NULL", "id"), ("id VARCHAR(20) CHARACTER SET utf8mb4 NOT NULL", "id"), ("id VARCHAR(20) CHARACTER SET latin1 NOT NULL", "id"),
                ("id VARBINARY(9) NOT NULL", "id"), ("id INT NOT NULL, k DATE NOT NULL", "k, id"), ("id DECIMAL(12,3) NOT NULL", "id"), ("id DATETIME(3) NOT NULL", "id")]
        if family == "mysql": keys += [("id VARCHAR(20) COLLATE utf8mb4_0900_ai_ci NOT NULL", "id"), ("id CHAR(9) COLLATE utf8mb4_0900_as_cs NOT NULL, k INT NOT NULL", "id, k")]
        self.key_text, self.key = chance.choice(keys)
        self.alive = []

    def column(self):
        self.made += 1
        self.columns[f"c{self.made}"] = typed(self.chance, self.family)
        return f"c{self.made}"

    def create(self):
        return f"CREATE TABLE wild.{self.name} ({self.key_text}, {', '.join(f'{c} {t[0]}' for c, t in self.columns.items())}, PRIMARY KEY ({self.key})) CHARACTER SET utf8mb4"

    def new_key(self):
        value = self.chance.randrange(300)
        if "DATETIME" in self.key_text: return {"id": f"'2024-01-01 00:{value // 60:02}:{value % 60:02}.{value:03}'"}
        if "VARBINARY" in self.key_text: return {"id": f"x'{value:04x}'"}
        if "CHAR" in self.key_text: found = {"id": f"'{['k', 'K', 'é', 'e', 'z '][value % 5]}{value // 5}'" if "latin1" in self.key_text else f"'{['k', 'ß', 'é', '中', 'ss'][value % 5]}{value // 5}'"}
        else: found = {"id": str(value)}
        if "k DATE" in self.key_text: found["k"] = self.chance.choice(["'2024-01-01'", "'2024-01-02'"])
        if "k INT" in self.key_text: found["k"] = str(value % 3)
        return found

    def values(self, names): return {c: "NULL" if self.chance.random() < 0.15 else self.columns[c][1]() for c in names}

    def statement(self):
        what, key = self.chance.random(), self.new_key()
        where = " AND ".join(f"{c} = {v}" for c, v in key.items())
        row = {**key, **self.values(self.columns)}
        if what < 0.45: return f"REPLACE INTO wild.{self.name} ({', '.join(row)}) VALUES ({', '.join(row.values())})"
        if what < 0.55:
            c = self.chance.choice(list(self.columns))
            return f"INSERT INTO wild.{self.name} ({', '.join(row)}) VALUES ({', '.join(row.values())}) ON DUPLICATE KEY UPDATE {c} = VALUES({c})"
        if what < 0.65: return f"DELETE FROM wild.{self.name} WHERE {where}"
        if what < 0.7: return f"DELETE FROM wild.{self.name} ORDER BY {self.key} LIMIT {self.chance.randint(1, 6)}"
        if what < 0.8:
            other = self.new_key()
            return f"UPDATE IGNORE wild.{self.name} SET {', '.join(f'{c} = {v}' for c, v in other.items())} WHERE {where}"
        some = self.values(self.chance.sample(list(self.columns), self.chance.randint(1, len(self.columns))))
        return f"UPDATE wild.{self.name} SET {', '.join(f'{c} = {v}' for c, v in some.items())} ORDER BY {self.key} LIMIT {self.chance.randint(1, 40)}"

    def alter(self):
        what = self.chance.random()
        if what < 0.5 or len(self.columns) < 3:
            after = self.chance.choice(["", " FIRST", f" AFTER {self.chance.choice(list(self.columns))}"])
            c = self.column()
            return f"ALTER TABLE wild.{self.name} ADD COLUMN {c} {self.columns[c][0]} NULL{after}"
        c = self.chance.choice(list(self.columns))
        if what < 0.7:
            self.columns.pop(c)
            return f"ALTER TABLE wild.{self.name} DROP COLUMN {c}"
        self.made += 1
        self.columns[f"c{self.made}"] = self.columns.pop(c)
        return f"ALTER TABLE wild.{self.name} RENAME COLUMN {c} TO c{self.made}"

    def there(self, server):
        names = [c.strip() for c in self.key.split(",")]
        text = [f"HEX({c})" if "BINARY" in self.key_text else f"CAST({c} AS CHAR)" for c in names] + [t[2].replace("{c}", c) for c, t in self.columns.items()]
        return sorted(json.dumps([self.same(v) for v in row], ensure_ascii=False) for row in server.run("SET NAMES utf8mb4", f"SELECT {', '.join(text)} FROM wild.{self.name}"))

    def here(self, project):
        names = [c.strip() for c in self.key.split(",")]
        text = [f"HEX({c}) AS {c}" if "BINARY" in self.key_text else f"CAST({c} AS STRING) AS {c}" for c in names] + [f"{t[3].replace('{c}', c)} AS {c}" for c, t in self.columns.items()]
        rows = project.rows(f"SELECT {', '.join(text)} FROM ods.{self.name}")
        return sorted(json.dumps([self.same(row[c]) for c in [*names, *self.columns]], ensure_ascii=False) for row in rows)

    @staticmethod
    def same(value):
        if isinstance(value, (bytes, bytearray)): value = value.decode()
        if isinstance(value, int): value = float(value)
        # Zeros at the end of a fraction of a second are no difference.
        if isinstance(value, str) and ":" in value and "." in value and value[-1].isdigit(): value = value.rstrip("0").rstrip(".")
        return value


def attack(world, server):
    """Random tables and changes, with columns that come, go and change their names; terrace dies now and then."""
    chance, family = world.random, server.FAMILY
    server.run("SET GLOBAL binlog_row_metadata = FULL", "CREATE DATABASE wild CHARACTER SET utf8mb4")
    tables, connection = [Table(i, chance, family) for i in range(8 if world.quick else 20)], server.connect("root", "")
    cursor, count, refused = connection.cursor(), 0, 0
    cursor.execute("SET sql_mode = ''")
    if family == "mysql": cursor.execute("SET SESSION binlog_transaction_compression = %s", chance.randint(0, 1))
    for table in tables: cursor.execute(table.create())

    def write(steps):
        nonlocal count, refused
        for _ in range(steps):
            kind = chance.random()
            if kind < 0.03:
                cursor.execute(chance.choice(tables).alter())
                continue
            count += 1
            name = f"'{count}'"
            cursor.execute(f"XA START {name}" if kind > 0.9 else "BEGIN")
            for _ in range(chance.choice([1, 1, 4, 30])):
                if kind < 0.1 and chance.random() < 0.2: cursor.execute("SAVEPOINT s")
                try: cursor.execute(chance.choice(tables).statement())
                except Exception as error:
                    # A value that its column has not, or a key that is there.
                    if error.args[0] not in (1062, 1264, 1366, 1292, 1406, 3140, 1265, 1118): raise
                    refused += 1
                if kind < 0.1 and chance.random() < 0.1:
                    try: cursor.execute("ROLLBACK TO s")
                    except Exception as error:
                        if error.args[0] != 1305: raise
            if kind <= 0.9: cursor.execute(chance.choice(["COMMIT", "COMMIT", "COMMIT", "ROLLBACK"]))
            else:
                cursor.execute(f"XA END {name}")
                if chance.random() < 0.4: cursor.execute(f"XA COMMIT {name} ONE PHASE")
                else:
                    cursor.execute(f"XA PREPARE {name}")
                    cursor.execute(f"XA {chance.choice(['COMMIT', 'COMMIT', 'ROLLBACK'])} {name}")

    write(60)
    project = maria.new(world, "wild")
    project.write("layers/ods/all.sql", f"CREATE CATALOG src WITH ('type' = 'mysql-cdc', 'hostname' = '127.0.0.1', 'port' = '{server.port}', 'username' = 'cdc', 'password' = 'secret', "
                  "'scan.incremental.snapshot.chunk.size' = '7');\nCREATE DATABASE ods AS DATABASE src.wild INCLUDING ALL TABLES;\n")
    project.apply()
    process = project.start()
    for _ in range(3 if world.quick else world.rounds or 20):
        write(80)
        time.sleep(chance.random())
        flow.kill(process)
        process = project.start()
    write(40)
    wrong, end = tables, time.monotonic() + 60
    while wrong and time.monotonic() < end:
        time.sleep(1)
        still = []
        for table in wrong:
            try: same = table.here(project) == table.there(server)
            except flow.Failure: same = False
            if not same: still.append(table)
        wrong = still
    project.stop(process)
    for table in tables:
        try: here = table.here(project)
        except flow.Failure as failure:
            world.checks.that(f"{table.name}: {table.create()}", False, str(failure))
            continue
        there = table.there(server)
        differs = [pair for pair in zip([r for r in here if r not in there], [r for r in there if r not in here])][:2]
        world.checks.that(f"{table.name} is the same: {table.create()}", here == there, f"{len(here)} rows here, {len(there)} there, {differs}")
    letters = {job["name"]: job.get("dead_letters") or job.get("dead letters") for job in project.status()["jobs"]}
    if any(letters.values()): world.checks.note(f"dead letters {letters}")
    world.checks.note(f"{count} transactions, {refused} statements refused, {sum(len(t.there(server)) for t in tables)} rows at the end")
    connection.close()
    server.run("DROP DATABASE wild", f"SET GLOBAL binlog_row_metadata = {server.BARE}")
