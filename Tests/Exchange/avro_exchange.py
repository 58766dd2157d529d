"""Avro object containers of fastavro through `terrace avro cat`, and ours (`terrace avro copy`) through fastavro; damaged files."""
import random

import canonical
from canonical import *
from parquet_exchange import cat, damage

SCALARS = [BOOLEAN, INT, BIGINT, FLOAT, DOUBLE, STRING, BYTES, DATE, TIME(3), TIMESTAMP(3), TIMESTAMP(6), DECIMAL(12, 3), DECIMAL(30, 5)]


def avro_type(type, name):
    match type.name:
        case "DATE": made = {"type": "int", "logicalType": "date"}
        case "TIME": made = {"type": "int", "logicalType": "time-millis"}
        case "TIMESTAMP": made = {"type": "long", "logicalType": "timestamp-millis" if type.precision <= 3 else "timestamp-micros"}
        case "DECIMAL": made = {"type": "bytes", "logicalType": "decimal", "precision": type.precision, "scale": type.scale}
        case "ARRAY": made = {"type": "array", "items": avro_type(type.of[0], name + "_e")}
        case "MAP": made = {"type": "map", "values": avro_type(type.of[1], name + "_v")}
        case "ROW": made = {"type": "record", "name": name, "fields": [field(m, t, f"{name}_{m}") for m, t in zip(type.members, type.of)]}
        case _: made = {"BOOLEAN": "boolean", "INT": "int", "BIGINT": "long", "FLOAT": "float", "DOUBLE": "double", "STRING": "string", "BYTES": "bytes"}[type.name]
    return ["null", made] if type.nullable else made


def field(name, type, full):
    made = {"name": name, "type": avro_type(type, full)}
    return {**made, "default": None} if type.nullable else made


def to_avro(value, type):
    """As fastavro takes it with logical types switched off by plain numbers; decimals stay decimals."""
    if value is None: return None
    if type.name == "ARRAY": return [to_avro(v, type.of[0]) for v in value]
    if type.name == "MAP": return {k: to_avro(v, type.of[1]) for k, v in value}
    if type.name == "ROW": return {m: to_avro(value[m], t) for m, t in zip(type.members, type.of)}
    return canonical.to_python(value, type)


def from_avro(value, type):
    import datetime
    if value is None: return None
    if type.name == "ARRAY": return [from_avro(v, type.of[0]) for v in value]
    if type.name == "MAP": return entries((from_avro(k, type.of[0]), from_avro(v, type.of[1])) for k, v in (value.items() if isinstance(value, dict) else value))
    if type.name == "ROW": return {m: from_avro(value[m], t) for m, t in zip(type.members, type.of)}
    match value:
        case datetime.datetime():
            gap = value.replace(tzinfo=None) - datetime.datetime(1970, 1, 1)
            return timestamp_text((gap.days * 86400 + gap.seconds) * 10**9 + gap.microseconds * 1000)
        case datetime.date(): return date_text((value - datetime.date(1970, 1, 1)).days)
        case datetime.time(): return time_text(((value.hour * 60 + value.minute) * 60 + value.second) * 1000 + value.microsecond // 1000)
        case bytes(): return "0x" + value.hex()
    if type.name == "FLOAT": return float_bits(value)
    if type.name == "DOUBLE": return double_bits(value)
    if type.name == "DECIMAL": return decimal_text(value, type.scale)
    return value


def string_keys(type):
    """Avro maps have string keys only."""
    if type.name == "MAP": return MAP(STRING, string_keys(type.of[1]))
    return dataclasses.replace(type, of=tuple(map(string_keys, type.of)))


def exchange(terrace, folder, seed, count, checks):
    import fastavro
    chance = random.Random(seed)
    for number in range(count):
        columns = [(f"c{i}", string_keys(canonical.random_type(chance, scalars=SCALARS))) for i in range(chance.randrange(1, 7))]
        rows = [{name: canonical.value(chance, type, null=0.2) for name, type in columns} for _ in range(chance.choice([0, 1, 30, 300]))]
        schema = {"type": "record", "name": "row", "fields": [field(name, type, name) for name, type in columns]}
        codec = chance.choice(["null", "deflate", "snappy", "zstandard"])
        file, copied = folder / f"fastavro-{number}.avro", folder / f"ours-{number}.avro"
        what = f"avro file {number} of seed {seed} ({', '.join(t.sql() for _, t in columns)}; {codec})"
        try:
            with open(file, "wb") as out:
                fastavro.writer(out, schema, [{name: to_avro(row[name], type) for name, type in columns} for row in rows], codec=codec, sync_interval=chance.choice([100, 16000]))
            checks.equal(f"{what}: fastavro's file by terrace", rows, cat(terrace, "avro", file, columns))
            terrace.run(folder, "avro", "copy", str(file), str(copied))
            with open(copied, "rb") as source:
                found = [{name: from_avro(row[name], type) for name, type in columns} for row in fastavro.reader(source)]
            checks.equal(f"{what}: our copy by fastavro", rows, found)
        except Exception as error:
            checks.fail(f"{what}: {type(error).__name__}: {error}")
    damage(terrace, "avro", chance, sorted(folder.glob("*.avro")), folder, count * 2, checks)
