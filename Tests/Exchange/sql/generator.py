"""Random queries over random tables, in the part of the language that Terrace and DuckDB share."""
import dialects
from dialects import Text, form, joined, literal

WORDS = ["", "a", "b", "ab", "Abc", "x_y", "50%", "Grün", "日本", "o'k", " pad ", "zz", "😀b"]
COLUMNS = [("id", "int"), ("k", "int"), ("i", "int"), ("n", "dec"), ("s", "str"), ("d", "date"), ("ts", "ts"), ("b", "bool"), ("f", "dbl")]
KINDS = ["int", "dec", "str", "date", "ts", "bool", "dbl"]


class Source:
    """A name in FROM and its columns."""

    def __init__(self, alias, columns): self.alias, self.columns = alias, columns


class Block:
    """A query: its text and the kinds of its columns c0, c1, …."""

    def __init__(self, text, kinds, ordered=False): self.text, self.kinds, self.ordered = text, kinds, ordered


class Generator:
    def __init__(self, random):
        self.random, self.next = random, 0
        self.common = []

    def chance(self, of): return self.random.randrange(of) == 0
    def pick(self, *choices): return self.random.choice(choices)

    def name(self, prefix):
        self.next += 1
        return f"{prefix}{self.next}"

    # Tables

    def value(self, kind):
        if self.chance(8): return None
        random = self.random
        match kind:
            case "int": return random.choice([0, 1, 1, 2, 2, 3, 3, 4, -1, -3, 7, 100])
            case "dec": return f"{random.randrange(-8, 9) * 25 / 100:.2f}"
            case "str": return random.choice(WORDS)
            case "date": return f"2024-{random.randrange(1, 3):02}-{random.randrange(1, 29, 9):02}"
            case "ts": return f"2024-0{random.randrange(1, 3)}-{random.randrange(1, 29):02} {random.randrange(24):02}:{random.randrange(60):02}:00.{random.randrange(0, 1000, 250):03}"
            case "bool": return random.random() < 0.5
            case "dbl": return random.choice([0.0, 0.5, -1.25, 2.0, 3.75, 1e6])

    def tables(self, count=3):
        """Statements that make and fill tables t0, t1, …; the last one is empty."""
        out = []
        for t in range(count + 1):
            columns = joined(", ", [Text(f"{n} {dialects.SQL_TYPES[k]}", f"{n} {dialects.DUCK_TYPES[k]}") for n, k in COLUMNS])
            out.append(form("CREATE TABLE t{} ({})", t, columns))
            rows = [joined(", ", [literal(r if n == "id" else self.value(k), k) for n, k in COLUMNS])
                    for r in range(0 if t == count else self.random.randrange(3, 16))]
            if rows: out.append(form("INSERT INTO t{} VALUES {}", t, joined(", ", [form("({})", r) for r in rows])))
        self.table_count = count + 1
        return out

    # Expressions

    def column(self, kind, scope):
        found = [(s.alias, n) for s in scope for n, k in s.columns if k == kind]
        if not found: return None
        alias, name = self.random.choice(found)
        return Text(f"{alias}.{name}")

    def expression(self, kind, scope, depth=2, outer=()):
        """An expression of a kind over the sources of a scope."""
        if outer and self.chance(8):
            around = self.column(kind, outer)
            if around: return around
        if depth <= 0 or self.chance(3):
            column = self.column(kind, scope)
            if column and not self.chance(6): return column
            return literal(self.value(kind), kind)
        def e(k): return self.expression(k, scope, depth - 1, outer)
        if self.chance(8):
            return form("CASE WHEN {} THEN {} WHEN {} THEN {} ELSE {} END", e("bool"), e(kind), e("bool"), e(kind), e(kind))
        if self.chance(10): return form("COALESCE({}, {})", e(kind), e(kind))
        if self.chance(14): return form("NULLIF({}, {})", e(kind), e(kind))
        return getattr(self, "make_" + kind)(e)

    def make_int(self, e):
        choices = [
            lambda: form("({} + {})", e("int"), e("int")), lambda: form("({} - {})", e("int"), e("int")),
            lambda: form("({} * {})", e("int"), literal(self.random.randrange(-3, 4), "int")),
            lambda: form("({} / {})", e("int"), Text(str(self.random.choice([2, 3, 7, -2]))), duck="CAST(trunc(({0}) / ({1})) AS BIGINT)"),
            lambda: form("({} % {})", e("int"), Text(str(self.random.choice([2, 3, 7])))),
            lambda: form("ABS({})", e("int")), lambda: form("(- {})", e("int")), lambda: form("SIGN({})", e("int")),
            lambda: form("CHAR_LENGTH({})", e("str"), duck="length({})"),
            lambda: form("POSITION({} IN {})", e("str"), e("str")),
            lambda: form("CAST({} AS BIGINT)", e("dec"), duck="CAST(trunc({}) AS BIGINT)"),
            lambda: form("EXTRACT({} FROM {})", self.pick("YEAR", "MONTH", "DAY", "QUARTER", "DOY", "WEEK"), e("date")),
            lambda: form("{}({})", self.pick("YEAR", "MONTH", "HOUR", "MINUTE"), e("ts")),
            lambda: form("TIMESTAMPDIFF({0}, {2}, {3})", *self.unit(), e("ts"), e("ts"), duck="date_sub('{1}', {2}, {3})"),
            lambda: form("GREATEST({}, {})", e("int"), e("int"), duck="CASE WHEN ({0}) IS NOT NULL AND ({1}) IS NOT NULL THEN greatest({0}, {1}) END"),
            lambda: form("CASE {} WHEN {} THEN 1 WHEN {} THEN 2 ELSE 3 END", e("str"), e("str"), e("str")),
        ]
        return self.random.choice(choices)()

    def unit(self):
        unit = self.pick("SECOND", "MINUTE", "HOUR", "DAY")
        return unit, unit.lower()

    def make_dec(self, e):
        cast = "CAST({} AS DECIMAL(12, 2))"
        choices = [
            lambda: form("({} + {})", e("dec"), e("dec")), lambda: form("({} - {})", e("dec"), literal(self.value("dec"), "dec")),
            lambda: form("(- {})", e("dec")), lambda: form("ABS({})", e("dec")), lambda: form(cast, e("int")),
            lambda: form("ROUND({}, 1)", e("dec"), duck="CAST(round({}, 1) AS DECIMAL(12, 2))"), lambda: form("TRY_CAST({} AS DECIMAL(10, 2))", Text(self.pick("'1.255'", "'x'", "' 7 '", "'-0.1'"))),
        ]
        return self.random.choice(choices)()

    def make_str(self, e):
        n = lambda low=0: Text(str(self.random.randrange(low, 4)))
        choices = [
            lambda: form("({} || {})", e("str"), e("str")), lambda: form("UPPER({})", e("str")), lambda: form("LOWER({})", e("str")),
            lambda: form("SUBSTRING({} FROM {} FOR {})", e("str"), n(1), n()), lambda: form("TRIM({})", e("str")),
            lambda: form("REPLACE({}, {}, {})", e("str"), literal(self.pick("a", "b", "%"), "str"), literal(self.pick("", "q", "öö"), "str")),
            lambda: form("LEFT({}, {})", e("str"), n()), lambda: form("RIGHT({}, {})", e("str"), n()), lambda: form("REVERSE({})", e("str")),
            lambda: form("CONCAT_WS('-', {}, {})", e("str"), e("str")), lambda: form("CAST({} AS STRING)", e("int"), duck="CAST({} AS VARCHAR)"),
            lambda: form("CAST({} AS STRING)", e("date"), duck="CAST({} AS VARCHAR)"), lambda: form("REPEAT({}, {})", e("str"), n()),
            lambda: form("LPAD({}, {}, 'xy')", e("str"), n()), lambda: form("CONCAT({}, {})", e("str"), e("str"), duck="(({}) || ({}))"),
            lambda: form("DATE_FORMAT({}, 'yyyy-MM-dd HH:mm')", e("ts"), duck="strftime({}, '%Y-%m-%d %H:%M')"), lambda: form("MD5({})", e("str")),
        ]
        return self.random.choice(choices)()

    def make_date(self, e):
        return self.random.choice([
            lambda: form("({} {} INTERVAL '{}' {})", e("date"), self.pick("+", "-"), self.random.randrange(1, 40), self.pick("DAY", "MONTH"), duck="CAST(({} {} INTERVAL '{}' {}) AS DATE)"),
            lambda: form("CAST({} AS DATE)", e("ts")),
            lambda: form("FLOOR({} TO MONTH)", e("date"), duck="CAST(date_trunc('month', {}) AS DATE)"),
        ])()

    def make_ts(self, e):
        unit, lower = self.unit()
        return self.random.choice([
            lambda: form("({} {} INTERVAL '{}' {})", e("ts"), self.pick("+", "-"), self.random.randrange(1, 40), unit),
            lambda: form("FLOOR({} TO {})", e("ts"), unit, duck="date_trunc('" + lower + "', {0})"),
            lambda: form("CAST({} AS TIMESTAMP(3))", e("date"), duck="CAST({} AS TIMESTAMP)"),
            lambda: form("TIMESTAMPADD({}, {}, {})", unit, Text(str(self.random.randrange(-9, 9))), e("ts"), duck="({2} + to_" + lower + "s({1}))"),
        ])()

    def make_dbl(self, e):
        return self.random.choice([
            lambda: form("({} {} {})", e("dbl"), self.pick("+", "-", "*"), e("dbl")), lambda: form("CAST({} AS DOUBLE)", e("int")),
            lambda: form("CAST({} AS DOUBLE)", e("dec")), lambda: form("SQRT(ABS({}))", e("dbl")), lambda: form("FLOOR({})", e("dbl")),
            lambda: form("CEIL({})", e("dbl")), lambda: form("({} / NULLIF({}, 0))", e("dbl"), e("dbl")),
        ])()

    def make_bool(self, e):
        kind = self.random.choice(KINDS[:5])
        comparison = self.pick("=", "<>", "<", "<=", ">", ">=")
        pattern = self.pick("a%", "%b", "_", "%", "A_c", "", "x!_y", "50!%", "%日%", "__")
        choices = [
            lambda: form("({} " + comparison + " {})", e(kind), e(kind)), lambda: form("({} " + comparison + " {})", e(kind), e(kind)),
            lambda: form("({} AND {})", e("bool"), e("bool")), lambda: form("({} OR {})", e("bool"), e("bool")), lambda: form("(NOT {})", e("bool")),
            lambda: form("({} IS {}NULL)", e(kind), self.pick("", "NOT ")), lambda: form("({} IS {}{})", e("bool"), self.pick("", "NOT "), self.pick("TRUE", "FALSE", "UNKNOWN"), duck=None),
            lambda: form("({} {}BETWEEN {} AND {})", e(kind), self.pick("", "NOT "), e(kind), e(kind)),
            lambda: form("({} {}IN ({}))", e(kind), self.pick("", "NOT "), joined(", ", [literal(self.value(kind), kind) for _ in range(self.random.randrange(1, 4))])),
            lambda: form("({} {}LIKE '{}'{})", e("str"), self.pick("", "NOT "), pattern, " ESCAPE '!'" if "!" in pattern else ""),
            lambda: form("({} IS {}DISTINCT FROM {})", e(kind), self.pick("", "NOT "), e(kind)),
        ]
        return self.random.choice(choices)()
