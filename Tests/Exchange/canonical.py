"""One spelling for a value, whoever read it, so that rows of two engines can be compared as text.

A canonical value is JSON: booleans, integers and strings as themselves; FLOAT "f" + 8 hex digits and DOUBLE "d" + 16 hex
digits of their bits (one NaN); bytes "0x…"; DECIMAL with exactly its scale; DATE 2024-03-01; TIME 10:11:12.345; TIMESTAMP
2024-03-01 10:11:12.345678901 (nine digits, always UTC); ARRAY a list; MAP and MULTISET lists of [key, value], sorted by their
text; ROW an object.
"""
import dataclasses
import decimal
import json
import random
import struct
import string

decimal.getcontext().prec = 60


@dataclasses.dataclass(frozen=True)
class Type:
    """A column type of the format: `name` is its root ("DECIMAL"), `of` the element, key/value or member types."""
    name: str
    precision: int = 0
    scale: int = 0
    of: tuple = ()
    members: tuple = ()
    nullable: bool = True

    def sql(self):
        null = "" if self.nullable else " NOT NULL"
        match self.name:
            case "DECIMAL": return f"DECIMAL({self.precision}, {self.scale}){null}"
            case "CHAR" | "VARCHAR" | "BINARY" | "VARBINARY" | "TIME" | "TIMESTAMP": return f"{self.name}({self.precision}){null}"
            case "TIMESTAMP_LTZ": return f"TIMESTAMP({self.precision}) WITH LOCAL TIME ZONE{null}"
            case "ARRAY" | "MULTISET": return f"{self.name}<{self.of[0].sql()}>{null}"
            case "MAP": return f"MAP<{self.of[0].sql()}, {self.of[1].sql()}>{null}"
            case "ROW": return "ROW<" + ", ".join(f"{n} {t.sql()}" for n, t in zip(self.members, self.of)) + f">{null}"
        return self.name + null

    def required(self): return dataclasses.replace(self, nullable=False)


def simple(name): return lambda: Type(name)


BOOLEAN, TINYINT, SMALLINT, INT, BIGINT = (Type(n) for n in ("BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT"))
FLOAT, DOUBLE, DATE, STRING, BYTES = (Type(n) for n in ("FLOAT", "DOUBLE", "DATE", "STRING", "BYTES"))
def DECIMAL(p, s): return Type("DECIMAL", p, s)
def TIME(p): return Type("TIME", p)
def TIMESTAMP(p): return Type("TIMESTAMP", p)
def TIMESTAMP_LTZ(p): return Type("TIMESTAMP_LTZ", p)
def CHAR(n): return Type("CHAR", n)
def VARCHAR(n): return Type("VARCHAR", n)
def BINARY(n): return Type("BINARY", n)
def VARBINARY(n): return Type("VARBINARY", n)
def ARRAY(e): return Type("ARRAY", of=(e,))
def MULTISET(e): return Type("MULTISET", of=(e,))
def MAP(k, v): return Type("MAP", of=(k.required(), v))
def ROW(**members): return Type("ROW", of=tuple(members.values()), members=tuple(members))


BITS = {"TINYINT": 8, "SMALLINT": 16, "INT": 32, "BIGINT": 64}
STRINGS, BLOBS, TIMES = ("CHAR", "VARCHAR", "STRING"), ("BINARY", "VARBINARY", "BYTES"), ("TIMESTAMP", "TIMESTAMP_LTZ")


def text(value): return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def float_bits(value): return "f7fc00000" if value != value else "f" + struct.pack(">f", value).hex()


def double_bits(value): return "d7ff8000000000000" if value != value else "d" + struct.pack(">d", value).hex()


def date_text(days):
    """Proleptic Gregorian date of a day number since 1970 (H. Hinnant, "chrono-compatible low-level date algorithms")."""
    z = days + 719468
    era, doe = divmod(z, 146097)
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    month = mp + 3 if mp < 10 else mp - 9
    year = yoe + era * 400 + (month <= 2)
    return f"{year:04d}-{month:02d}-{doy - (153 * mp + 2) // 5 + 1:02d}"


def time_text(millis): return f"{millis // 3600000:02d}:{millis // 60000 % 60:02d}:{millis // 1000 % 60:02d}.{millis % 1000:03d}"


def timestamp_text(nanos):
    day, rest = divmod(nanos, 86_400_000_000_000)
    seconds, fraction = divmod(rest, 1_000_000_000)
    return f"{date_text(day)} {seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{fraction:09d}"


def decimal_text(value, scale):
    shown = format(value.quantize(decimal.Decimal(1).scaleb(-scale)), "f")
    # Zero has no sign in the format.
    return shown[1:] if shown.startswith("-") and not shown.strip("-0.") else shown


def entries(pairs): return sorted(([k, v] for k, v in pairs), key=text)


# -- from what a reader returns --------------------------------------------------------------------

def from_json(value, type):
    """A value as `terrace … -f json` or our Java reader prints it."""
    if value is None: return None
    n = type.name
    if n in BITS: return int(value)
    if n in ("FLOAT", "DOUBLE"):
        if isinstance(value, str) and value[0] in "fd": return value
        number = float(value)
        return float_bits(number) if n == "FLOAT" else double_bits(number)
    if n == "DECIMAL": return decimal_text(decimal.Decimal(str(value)), type.scale)
    if n == "TIME":
        head, _, fraction = value.partition(".")
        return (head if head.count(":") == 2 else head + ":00") + "." + (fraction + "000")[:3]
    if n in TIMES:
        head, _, fraction = value.rstrip("Z").replace("T", " ").partition(".")
        return (head if head.count(":") == 2 else head + ":00") + "." + (fraction + "0" * 9)[:9]
    if n == "ARRAY": return [from_json(v, type.of[0]) for v in value]
    if n == "MAP":
        pairs = value.items() if isinstance(value, dict) else value
        return entries((from_json(k, type.of[0]), from_json(v, type.of[1])) for k, v in pairs)
    if n == "MULTISET": return entries((from_json(k, type.of[0]), int(v)) for k, v in value)
    if n == "ROW": return {m: from_json(value.get(m), t) for m, t in zip(type.members, type.of)}
    return value


def from_arrow(array, type):
    """The values of a pyarrow array (a chunk, not a chunked array)."""
    import pyarrow as pa
    n = type.name
    if isinstance(array, pa.DictionaryArray): array = array.dictionary_decode()
    if n in ("BOOLEAN", *BITS): return [None if v is None else (bool(v) if n == "BOOLEAN" else int(v)) for v in array.to_pylist()]
    if n == "FLOAT": return [None if v is None else float_bits(v) for v in array.to_pylist()]
    if n == "DOUBLE": return [None if v is None else double_bits(v) for v in array.to_pylist()]
    if n == "DECIMAL": return [None if v is None else decimal_text(v, type.scale) for v in array.to_pylist()]
    if n in STRINGS: return array.to_pylist()
    if n in BLOBS: return [None if v is None else "0x" + v.hex() for v in array.to_pylist()]
    if n == "DATE": return [None if v is None else date_text(v) for v in array.cast(pa.int32()).to_pylist()]
    if n == "TIME":
        per = {"s": 1000, "ms": 1, "us": 1 / 1000, "ns": 1 / 1_000_000}[array.type.unit]
        raw = array.cast(pa.int32() if array.type.unit in ("s", "ms") else pa.int64()).to_pylist()
        return [None if v is None else time_text(int(v * per)) for v in raw]
    if n in TIMES:
        per = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[array.type.unit]
        return [None if v is None else timestamp_text(v * per) for v in array.cast(pa.int64()).to_pylist()]
    if n == "ARRAY":
        values = from_arrow(array.values, type.of[0])
        return spans(array, lambda a, b: values[a:b])
    if n in ("MAP", "MULTISET"):
        keys, items = from_arrow(array.keys, type.of[0]), from_arrow(array.items, type.of[1] if n == "MAP" else INT)
        return spans(array, lambda a, b: entries(zip(keys[a:b], items[a:b])))
    if n == "ROW":
        columns = {m: from_arrow(array.field(m), t) for m, t in zip(type.members, type.of)}
        valid = array.is_valid().to_pylist()
        return [{m: columns[m][i] for m in type.members} if ok else None for i, ok in enumerate(valid)]
    raise ValueError(type)


def spans(array, cut):
    offsets = array.offsets.to_pylist()
    return [cut(offsets[i], offsets[i + 1]) if ok else None for i, ok in enumerate(array.is_valid().to_pylist())]


def rows_of_arrow(table, columns):
    """Rows of a pyarrow table as canonical objects; `columns` is [(name, Type)]."""
    found = []
    for batch in table.to_batches():
        values = [from_arrow(batch.column(batch.schema.get_field_index(name)), type) for name, type in columns]
        found += [dict(zip((name for name, _ in columns), row)) for row in zip(*values)]
    return found


# -- to what a writer takes ------------------------------------------------------------------------

def to_json(value, type):
    """A canonical value as `terrace table import` reads it from JSON lines."""
    if value is None: return None
    n = type.name
    if n in ("FLOAT", "DOUBLE"):
        number, = struct.unpack(">f" if n == "FLOAT" else ">d", bytes.fromhex(value[1:]))
        if number != number: return "NaN"
        if number in (float("inf"), float("-inf")): return "Infinity" if number > 0 else "-Infinity"
        return number
    if n == "ARRAY": return [to_json(v, type.of[0]) for v in value]
    if n == "MAP": return [[to_json(k, type.of[0]), to_json(v, type.of[1])] for k, v in value]
    if n == "MULTISET": return [[to_json(k, type.of[0]), v] for k, v in value]
    if n == "ROW": return {m: to_json(value[m], t) for m, t in zip(type.members, type.of)}
    return value


def json_line(row, columns): return text({name: to_json(row[name], type) for name, type in columns if name in row})


# -- random values ---------------------------------------------------------------------------------

WORDS = ["", "a", "Straße", "naïve café", "日本語", "😀 emoji", "tab\there", "new\nline", 'quote"back\\slash', " leading", "trailing ", "x" * 40,
         "Ångström" * 5, "\u0001\u001f", "null", "NULL", "0", "__DEFAULT_PARTITION__", "a/b=c:d%e"]


def value(random, type, null=0.15, extreme=0.25, members=3):
    """A random canonical value; `null` and `extreme` are the shares of nulls and of values at the edge of the type."""
    if type.nullable and random.random() < null: return None
    n, edge = type.name, random.random() < extreme
    if n == "BOOLEAN": return random.random() < 0.5
    if n in BITS:
        top = 1 << (BITS[n] - 1)
        return random.choice([-top, top - 1, 0, -1, 1]) if edge else random.randrange(-top, top) >> random.randrange(BITS[n] - 1)
    if n == "FLOAT":
        if edge: return random.choice(["f7fc00000", "f7f800000", "fff800000", "f80000000", "f00000000", "f00000001", "f7f7fffff", "fff7fffff"])
        return float_bits(random.uniform(-1e6, 1e6))
    if n == "DOUBLE":
        if edge:
            return random.choice(["d7ff8000000000000", "d7ff0000000000000", "dfff0000000000000", "d8000000000000000", "d0000000000000000",
                                  "d0000000000000001", "d7fefffffffffffff", "dffefffffffffffff"])
        return double_bits(random.uniform(-1e12, 1e12))
    if n == "DECIMAL":
        top = 10**type.precision - 1
        unscaled = random.choice([top, -top, 0, 1, -1]) if edge else random.randint(-top, top) // 10**random.randrange(type.precision)
        return decimal_text(decimal.Decimal(unscaled).scaleb(-type.scale), type.scale)
    if n in STRINGS:
        limit = type.precision if n != "STRING" else 1000
        made = random.choice(WORDS) if edge else "".join(random.choices(string.ascii_letters + "éß语😀 ", k=random.randrange(20)))
        return made[:limit]
    if n in BLOBS:
        limit = type.precision if n != "BYTES" else 1000
        size = limit if n == "BINARY" else min(limit, 0 if edge else random.randrange(30))
        return "0x" + random.randbytes(size).hex()
    if n == "DATE": return random.choice(["0001-01-01", "9999-12-31", "1970-01-01", "1969-12-31", "2024-02-29"]) if edge else date_text(random.randrange(-30000, 60000))
    if n == "TIME": return random.choice(["00:00:00.000", "23:59:59.999"] if type.precision >= 3 else ["00:00:00.000", "23:59:59.000"]) if edge else time_text(
        random.randrange(86_400_000) // 10**(3 - min(type.precision, 3)) * 10**(3 - min(type.precision, 3)))
    if n in TIMES:
        unit = 10**(9 - type.precision)
        if type.precision > 6:  # INT96: Java Paimon 0.9 cannot read what it writes before 1970; Arrow ends in 2262.
            nanos = random.choice([0, 1, 9_000_000_000_000_000_000]) if edge else random.randrange(9 * 10**18)
        else:
            nanos = random.choice([-62135596800 * 10**9, 253402300799 * 10**9 + 999_999_999, 0, -1]) if edge else random.randrange(-4 * 10**18, 9 * 10**18)
        return timestamp_text(nanos // unit * unit)
    if n == "ARRAY": return [value(random, type.of[0], null, extreme) for _ in range(random.randrange(members + 1))]
    if n in ("MAP", "MULTISET"):
        made = {}
        for _ in range(random.randrange(members + 1)):
            key = value(random, type.of[0].required(), 0, extreme)
            made[text(key)] = [key, value(random, type.of[1], null, extreme) if n == "MAP" else random.randrange(1, 5)]
        return entries(made.values())
    if n == "ROW": return {m: value(random, t, null, extreme) for m, t in zip(type.members, type.of)}
    raise ValueError(type)


# -- Arrow -----------------------------------------------------------------------------------------

def arrow_type(type):
    """The Arrow type that pypaimon and our Parquet mapping agree on."""
    import pyarrow as pa
    n = type.name
    units = lambda p: "ms" if p <= 3 else "us" if p <= 6 else "ns"
    match n:
        case "BOOLEAN": return pa.bool_()
        case "TINYINT" | "SMALLINT" | "INT" | "BIGINT": return {8: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}[BITS[n]]
        case "FLOAT": return pa.float32()
        case "DOUBLE": return pa.float64()
        case "DECIMAL": return pa.decimal128(type.precision, type.scale)
        case "DATE": return pa.date32()
        case "TIME": return pa.time32("ms")
        case "TIMESTAMP": return pa.timestamp(units(type.precision))
        case "TIMESTAMP_LTZ": return pa.timestamp(units(type.precision), "UTC")
        case "BINARY": return pa.binary(type.precision)
        case "VARBINARY" | "BYTES": return pa.binary()
        case "ARRAY": return pa.list_(arrow_field("element", type.of[0]))
        case "MAP": return pa.map_(arrow_field("key", type.of[0]), arrow_field("value", type.of[1]))
        case "ROW": return pa.struct([arrow_field(m, t) for m, t in zip(type.members, type.of)])
    if n in STRINGS: return pa.string()
    raise ValueError(type)


def arrow_field(name, type):
    import pyarrow as pa
    return pa.field(name, arrow_type(type), nullable=type.nullable)


def to_python(value, type):
    """A canonical value as pyarrow, fastavro and DuckDB take it; times of day and timestamps stay numbers of the type's unit."""
    if value is None: return None
    n = type.name
    if n in ("FLOAT", "DOUBLE"): return struct.unpack(">f" if n == "FLOAT" else ">d", bytes.fromhex(value[1:]))[0]
    if n == "DECIMAL": return decimal.Decimal(value)
    if n in BLOBS: return bytes.fromhex(value[2:])
    if n == "DATE": return days(value)
    if n == "TIME": return millis(value)
    if n in TIMES:
        nanos = (days(value[:-19]) * 86_400_000 + millis(value[-18:-6])) * 1_000_000 + int(value[-6:])
        return nanos // 10**(6 if type.precision <= 3 else 3 if type.precision <= 6 else 0)
    if n == "ARRAY": return [to_python(v, type.of[0]) for v in value]
    if n == "MAP": return [(to_python(k, type.of[0]), to_python(v, type.of[1])) for k, v in value]
    if n == "ROW": return {m: to_python(value[m], t) for m, t in zip(type.members, type.of)}
    return value


def millis(text): return ((int(text[0:2]) * 60 + int(text[3:5])) * 60 + int(text[6:8])) * 1000 + int(text[9:12])


def days(text):
    year, month, day = map(int, text.split("-"))
    year -= month <= 2
    era, yoe = divmod(year, 400)
    doy = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + yoe * 365 + yoe // 4 - yoe // 100 + doy - 719468


def arrow_table(rows, columns):
    import pyarrow as pa
    arrays = [pa.array([to_python(row[name], type) for row in rows], arrow_type(type)) for name, type in columns]
    return pa.Table.from_arrays(arrays, schema=pa.schema([arrow_field(name, type) for name, type in columns]))


def random_type(random, depth=2, scalars=None):
    """A random column type; nesting to `depth`."""
    if depth > 0 and random.random() < 0.3:
        inner = lambda: random_type(random, depth - 1, scalars)
        made = random.choice([
            lambda: ARRAY(inner()), lambda: MAP(random.choice([STRING, INT, BIGINT]), inner()),
            lambda: ROW(**{f"m{i}": inner() for i in range(random.randrange(1, 4))})])()
    else:
        made = random.choice(scalars or [
            BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, FLOAT, DOUBLE, STRING, BYTES, BINARY(random.randrange(1, 20)), DATE, TIME(3),
            DECIMAL(random.randrange(1, 10), 0), DECIMAL(random.randrange(10, 19), random.randrange(10)), DECIMAL(random.randrange(19, 39), random.randrange(19)),
            TIMESTAMP(3), TIMESTAMP(6), TIMESTAMP(9), TIMESTAMP_LTZ(3), TIMESTAMP_LTZ(6)])
    return made.required() if random.random() < 0.15 else made
