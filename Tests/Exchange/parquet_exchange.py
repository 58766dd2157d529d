"""Parquet files of pyarrow and DuckDB through `terrace parquet cat`, and ours (`terrace parquet copy`) through them; damaged files.

Random schemas and rows, random writer settings: codecs, page versions, encodings, page and row-group sizes, checksums, indexes.
"""
import json
import random
import resource
import subprocess

import canonical


def random_file(chance):
    columns = [(f"c{i}", canonical.random_type(chance)) for i in range(chance.randrange(1, 7))]
    null, extreme = chance.choice([0, 0.1, 0.5, 1]), chance.choice([0, 0.3])
    few = chance.random() < 0.4  # few distinct values make dictionaries and long runs
    pool = None
    rows = []
    for _ in range(chance.choice([0, 1, 7, 100, 1000])):
        row = {name: canonical.value(chance, type, null, extreme) for name, type in columns}
        if few:
            pool = pool or [row]
            if len(pool) < 6: pool.append(row)
            row = chance.choice(pool)
        rows.append(row)
    return columns, rows


def write_with_arrow(chance, columns, rows, file):
    """Writes with random settings and returns them as text."""
    import pyarrow.parquet
    encodings = {"INT": ["DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"], "BIGINT": ["DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"],
                 "STRING": ["DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"], "BYTES": ["DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"],
                 "FLOAT": ["BYTE_STREAM_SPLIT"], "DOUBLE": ["BYTE_STREAM_SPLIT"], "TIMESTAMP": ["DELTA_BINARY_PACKED"], "BOOLEAN": ["RLE"]}
    settings = dict(
        compression=chance.choice(["none", "snappy", "gzip", "lz4", "zstd"]), data_page_version=chance.choice(["1.0", "2.0"]),
        row_group_size=chance.choice([1, 64, 1000, 100000]) if len(rows) <= 100 else chance.choice([300, 100000]),
        data_page_size=chance.choice([64, 1024, 1 << 20]), write_batch_size=chance.choice([10, 1024]), write_page_index=chance.random() < 0.5,
        write_page_checksum=chance.random() < 0.5, version=chance.choice(["1.0", "2.4", "2.6"]), store_schema=chance.random() < 0.5,
        store_decimal_as_integer=chance.random() < 0.5, use_dictionary=chance.random() < 0.5)
    if "precision=9" in repr(columns): settings["version"] = "2.6"  # older versions have no nanoseconds
    if not settings["use_dictionary"] and chance.random() < 0.7:
        chosen = {name: chance.choice(encodings[type.name]) for name, type in columns if type.name in encodings and chance.random() < 0.8}
        if chosen: settings["column_encoding"] = chosen
    table = canonical.arrow_table(rows, columns)
    try:
        pyarrow.parquet.write_table(table, file, **settings)
    except Exception:  # a setting that this pyarrow refuses for these columns
        settings = dict(compression=settings["compression"])
        pyarrow.parquet.write_table(table, file, **settings)
    return settings


def copy_settings(chance):
    """Flags of `terrace parquet copy`: our writer's choices."""
    return [f"--codec={chance.choice(['none', 'snappy', 'gzip', 'lz4', 'zstd'])}", *(["--pages-v2"] if chance.random() < 0.5 else []),
            *(["--delta"] if chance.random() < 0.5 else []), *([f"--row-group-rows={chance.choice([1, 64, 500])}"] if chance.random() < 0.3 else [])]


def cat(terrace, format, file, columns):
    rows = [json.loads(line) for line in terrace.run(file.parent, format, "cat", str(file), "-f", "json").stdout.decode().splitlines() if line]
    return [{name: canonical.from_json(row[name], type) for name, type in columns} for row in rows]


def read_duckdb(file, columns):
    import duckdb
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    return canonical.rows_of_arrow(connection.sql(f"select * from read_parquet('{file}')").to_arrow_table(), columns)


def read_arrow(file, columns):
    import pyarrow.parquet
    return canonical.rows_of_arrow(pyarrow.parquet.ParquetFile(file, page_checksum_verification=True).read(), columns)


def duckdb_can(type):
    """DuckDB has no nanoseconds with time zone, and refuses what its types cannot hold."""
    return all(duckdb_can(inner) for inner in type.of) and not (type.name == "TIMESTAMP_LTZ" and type.precision > 6)


def exchange(terrace, folder, seed, count, checks):
    chance = random.Random(seed)
    for number in range(count):
        columns, rows = random_file(chance)
        file, copied = folder / f"arrow-{number}.parquet", folder / f"ours-{number}.parquet"
        settings = write_with_arrow(chance, columns, rows, file)
        what = f"parquet file {number} of seed {seed} ({', '.join(t.sql() for _, t in columns)}; {settings})"
        try:
            checks.equal(f"{what}: pyarrow's file by terrace", rows, cat(terrace, "parquet", file, columns))
            how = copy_settings(chance)
            terrace.run(folder, "parquet", "copy", str(file), str(copied), *how)
            what = f"{what} copied with {' '.join(how)}"
            checks.equal(f"{what}: our copy by pyarrow", rows, read_arrow(copied, columns))
            checks.equal(f"{what}: our copy by terrace", rows, cat(terrace, "parquet", copied, columns))
            # DuckDB reads INT96, our form of nanoseconds, as microseconds.
            if all(duckdb_can(type) for _, type in columns) and "precision=9" not in repr(columns): checks.equal(f"{what}: our copy by DuckDB", rows, read_duckdb(copied, columns))
        except Exception as error:
            checks.fail(f"{what}: {type(error).__name__}: {error}")
    duckdb_writes(terrace, folder, chance, max(2, count // 5), checks)
    damage(terrace, "parquet", chance, sorted(folder.glob("*.parquet")), folder, count * 2, checks)


def duckdb_writes(terrace, folder, chance, count, checks):
    import duckdb
    for number in range(count):
        columns, rows = random_file(chance)
        columns = [(name, type) for name, type in columns if duckdb_can(type)] or [("c0", canonical.INT)]
        rows = [{name: row.get(name) for name, _ in columns} for row in rows]
        table, file = canonical.arrow_table(rows, columns), folder / f"duckdb-{number}.parquet"
        connection = duckdb.connect()
        connection.execute("set timezone = 'UTC'")
        codec, version = chance.choice(["uncompressed", "snappy", "gzip", "zstd", "lz4_raw"]), chance.choice(["V1", "V2"])
        what = f"DuckDB's Parquet file {number} ({', '.join(t.sql() for _, t in columns)}; {codec} {version})"
        try:
            connection.register("t", table)
            connection.execute(f"copy t to '{file}' (format parquet, compression {codec}, parquet_version {version})")
            # DuckDB keeps less than Arrow (a BINARY(n) becomes BYTES): what it reads back is what we must read.
            checks.equal(what, read_duckdb(file, columns), cat(terrace, "parquet", file, columns))
        except Exception as error:
            checks.fail(f"{what}: {type(error).__name__}: {error}")


def damage(terrace, format, chance, files, folder, count, checks):
    """Files with flipped, cut or repeated bytes: an error or a result, never a signal, a hang or a flood of memory."""
    files = [file for file in files if file.stat().st_size > 0]
    for number in range(count):
        source = chance.choice(files)
        bytes_ = bytearray(source.read_bytes())
        how = chance.choice(["flip", "flip", "flip tail", "cut", "zero", "repeat"])
        if how == "flip":
            for _ in range(chance.randrange(1, 5)): bytes_[chance.randrange(len(bytes_))] ^= 1 << chance.randrange(8)
        if how == "flip tail":
            for _ in range(chance.randrange(1, 5)): bytes_[-1 - chance.randrange(min(len(bytes_), 400))] = chance.randrange(256)
        if how == "cut": del bytes_[chance.randrange(len(bytes_)):]
        if how == "zero":
            at = chance.randrange(len(bytes_))
            bytes_[at:at + 16] = bytes(len(bytes_[at:at + 16]))
        if how == "repeat": bytes_ += bytes_[chance.randrange(len(bytes_)):]
        file = folder / f"damaged.{format}"
        file.write_bytes(bytes_)
        def limit(): resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
        what = f"damaged {format} file ({source.name}, {how}, number {number})"
        try:
            done = subprocess.run([terrace.binary, format, "cat", str(file), "-f", "json"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, preexec_fn=limit)
        except subprocess.TimeoutExpired:
            checks.fail(f"{what}: hangs")
            continue
        if done.returncode not in (0, 1) or (done.returncode == 1 and not done.stderr.strip()):
            checks.fail(f"{what}: exit {done.returncode}: {done.stderr.decode(errors='replace')[-300:]}; bytes {bytes(bytes_)[:64].hex()}… of {len(bytes_)}")
        else: checks.passed += 1
