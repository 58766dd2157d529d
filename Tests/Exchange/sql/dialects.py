"""A query as two texts: one for Terrace, in Flink's dialect, and one for DuckDB that means the same."""
import datetime
import decimal
import math


class Text:
    """The same expression in both dialects."""
    __slots__ = ("flink", "duck")

    def __init__(self, flink, duck=None):
        self.flink, self.duck = flink, flink if duck is None else duck

    def __str__(self): raise TypeError("use form() to put a Text into another")


def form(template, *parts, duck=None, **named):
    """A Text of a template; `duck` is DuckDB's where it differs."""
    def put(text, which):
        return text.format(*[getattr(p, which) if isinstance(p, Text) else p for p in parts],
                           **{k: getattr(v, which) if isinstance(v, Text) else v for k, v in named.items()})
    return Text(put(template, "flink"), put(template if duck is None else duck, "duck"))


def joined(separator, parts): return Text(separator.join(p.flink for p in parts), separator.join(p.duck for p in parts))


SQL_TYPES = {"int": "BIGINT", "dec": "DECIMAL(10, 2)", "str": "STRING", "date": "DATE", "ts": "TIMESTAMP(3)", "bool": "BOOLEAN",
             "dbl": "DOUBLE"}
DUCK_TYPES = SQL_TYPES | {"str": "VARCHAR", "ts": "TIMESTAMP"}


def literal(value, kind):
    if value is None: return form("CAST(NULL AS {})", Text(SQL_TYPES[kind], DUCK_TYPES[kind]))
    match kind:
        case "int": return Text(f"({value})" if value < 0 else str(value), f"CAST({value} AS BIGINT)")
        case "dec": return Text(f"CAST({value} AS DECIMAL(10, 2))")
        case "str": return Text("'" + value.replace("'", "''") + "'")
        case "date": return Text(f"DATE '{value}'")
        case "ts": return Text(f"TIMESTAMP '{value}'")
        case "bool": return Text("TRUE" if value else "FALSE")
        case "dbl": return Text(f"CAST({value!r} AS DOUBLE)")


def canonical(value, like):
    """A value of Terrace's JSON as the Python value that DuckDB gives where `like` is one of its values (None: not known)."""
    if value is None or isinstance(value, bool): return value
    if isinstance(like, bool): return value
    if isinstance(like, (int, decimal.Decimal)) and not isinstance(value, (list, dict)):
        try: return decimal.Decimal(str(value))
        except decimal.InvalidOperation: return value
    if isinstance(like, float):
        return {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}.get(value) if value in (
            "NaN", "Infinity", "-Infinity") else float(value)
    if isinstance(like, datetime.datetime):
        text = str(value)
        return datetime.datetime.fromisoformat(text + ("0" * (6 - len(text.split(".")[1])) if "." in text else ""))
    if isinstance(like, datetime.date): return datetime.date.fromisoformat(value)
    return value


def same(a, b):
    """Whether two values are the same; `b` is DuckDB's."""
    if a is None or b is None: return a is b
    if isinstance(b, float):
        if isinstance(a, float) and math.isnan(a) or math.isnan(b): return a != a and b != b
        return a == b or abs(a - b) <= 1e-6 * max(1.0, abs(a), abs(b))
    return a == b


def sort_key(row):
    return tuple((v is not None, str(type(v)) if not isinstance(v, (int, float, decimal.Decimal)) else "n",
                  round(float(v), 5) if isinstance(v, (int, float, decimal.Decimal)) else str(v)) for v in row)


def difference(rows, wanted, ordered):
    """What differs between Terrace's rows and DuckDB's; None when nothing does."""
    if len(rows) != len(wanted): return f"{len(rows)} rows, and {len(wanted)} are wanted"
    width = len(wanted[0]) if wanted else 0
    likes = [next((row[i] for row in wanted if row[i] is not None), None) for i in range(width)]
    rows = [tuple(canonical(v, like) for v, like in zip(row, likes)) for row in rows]
    if not ordered: rows, wanted = sorted(rows, key=sort_key), sorted(wanted, key=sort_key)
    for row, other in zip(rows, wanted):
        if len(row) != len(other) or not all(same(a, b) for a, b in zip(row, other)): return f"{row}, and {tuple(other)} is wanted"
    return None
