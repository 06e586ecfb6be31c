"""The process that decodes a Parquet file that people gave, apart from the one that asks.

A file of a megabyte decodes to hundreds of gigabytes where its values repeat, whatever its footer
says. So this script is limited in memory and CPU seconds, and stops where a table would be too
large. It reads the file from stdin, and writes an Arrow stream to stdout; its exit code says why
there is none.

Usage: parquet_child.py ROWS BYTES
"""

from __future__ import annotations

import resource
import sys

import pyarrow as pa
import pyarrow.parquet as pq

TOO_LARGE = 3
NOT_PARQUET = 4
MACHINE_SHORT = 5
MEMORY_BYTES = 4 << 30
CPU_SECONDS = 600


def main(rows: int, size: int) -> int:
    pa.set_memory_pool(pa.system_memory_pool())  # the others reserve addresses in advance
    short = _limit(resource.RLIMIT_AS, MEMORY_BYTES)
    _limit(resource.RLIMIT_CPU, CPU_SECONDS)
    _limit(resource.RLIMIT_CORE, 0)
    try:
        file = pq.ParquetFile(pa.BufferReader(sys.stdin.buffer.read()))
        if file.metadata.num_rows > rows:
            return TOO_LARGE
        schema = _plain(file.schema_arrow.empty_table()).schema
        if "dictionary<" in str(schema.types):  # inside lists, where it would not be counted
            return NOT_PARQUET
        with pa.ipc.new_stream(pa.PythonFile(sys.stdout.buffer, "w"), schema) as stream:
            for coded in file.iter_batches(batch_size=1024, use_threads=False):
                plain = _plain(pa.Table.from_batches([coded]))
                rows -= plain.num_rows
                size -= plain.nbytes
                if rows < 0 or size < 0:
                    return TOO_LARGE
                stream.write_table(plain)
    except MemoryError:
        return MACHINE_SHORT if short else TOO_LARGE
    except (pa.ArrowException, OSError, ValueError):
        return NOT_PARQUET
    return 0


def _plain(table: pa.Table) -> pa.Table:
    """The table with values in place of dictionaries, whose bytes count once a row."""
    for i, column in enumerate(table.columns):
        if pa.types.is_dictionary(column.type):
            table = table.set_column(i, table.field(i).name, column.cast(column.type.value_type))
    return table


def _limit(kind: int, value: int) -> bool:
    """Set the soft limit, which is the one that counts; whether the hard one allows less."""
    hard = resource.getrlimit(kind)[1]
    short = hard != resource.RLIM_INFINITY and hard < value
    resource.setrlimit(kind, (hard if short else value, hard))
    return short


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
