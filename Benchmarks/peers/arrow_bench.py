"""Arrow C++ on one thread: arrow_bench.py write|read FILE N REPEATS; prints seconds, one line a repeat."""
import sys
import time

import pyarrow
import pyarrow.parquet

import gen

what, file, rows, repeats = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
pyarrow.set_cpu_count(1)
pyarrow.set_io_thread_count(1)
if what == "write":
    table = pyarrow.concat_tables(gen.batches(rows, 0, min(rows, 200_000)))
    for _ in range(repeats):
        started = time.perf_counter()
        pyarrow.parquet.write_table(table, file, compression="zstd", compression_level=1)
        print(f"{time.perf_counter() - started:.4f}", flush=True)
else:
    for _ in range(repeats):
        started = time.perf_counter()
        table = pyarrow.parquet.read_table(file, use_threads=False, memory_map=False, pre_buffer=False)
        print(f"{time.perf_counter() - started:.4f}", flush=True)
    assert table.num_rows == rows
