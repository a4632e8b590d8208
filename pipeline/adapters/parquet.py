"""Parquet files that are whole or absent, written and sorted in bounded memory."""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import pyarrow
import pyarrow.compute
import pyarrow.ipc
import pyarrow.parquet

from pipeline import files

_MOST_BUCKETS = 512  # files open at once; many systems allow 1024
_SCATTERED_ROWS = 4096  # in memory at a time
_BUFFER_BYTES = 1 << 20  # of a column's pages


@contextlib.contextmanager
def writer(path: Path, schema: pyarrow.Schema) -> Iterator[pyarrow.parquet.ParquetWriter]:
    """Yield a writer; ``path`` appears, whole, when the block ends without an exception."""
    with (
        files.replacing(path) as temporary,
        pyarrow.parquet.ParquetWriter(temporary, schema, compression="zstd") as to,
    ):
        yield to


def opened(source: Path | IO[bytes]) -> pyarrow.parquet.ParquetFile:
    """Open a file so that columns are read page by page; the default keeps row groups in memory."""
    return pyarrow.parquet.ParquetFile(source, buffer_size=_BUFFER_BYTES, pre_buffer=False)


def write(path: Path, table: pyarrow.Table) -> None:
    """Write a table whole or not at all."""
    with writer(path, table.schema) as to:
        to.write_table(table)


def sorted_by_id(path: Path, work: Path, bucket_bytes: int) -> Iterator[pyarrow.Table]:
    """Yield the rows of a file in tables of about ``bucket_bytes``, sorted by the column ``id``.

    Of a file above `_MOST_BUCKETS` times that size the tables are larger. The ids are hashes, so
    their first digits spread the rows evenly over buckets, which are kept in ``work`` meanwhile.
    """
    file = opened(path)
    groups = (file.metadata.row_group(at) for at in range(file.num_row_groups))
    size = sum(group.total_byte_size for group in groups)
    buckets = min(_MOST_BUCKETS, math.ceil(size / bucket_bytes))
    if buckets <= 1:
        yield file.read().sort_by("id")
        return
    work.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=work) as folder:
        paths = [Path(folder) / f"{bucket}.arrows" for bucket in range(buckets)]
        _scatter(file, paths)
        for bucket in paths:
            with pyarrow.OSFile(str(bucket)) as stored, pyarrow.ipc.open_stream(stored) as reader:
                rows = reader.read_all().combine_chunks()
            bucket.unlink()
            yield rows.sort_by("id")


def _scatter(file: pyarrow.parquet.ParquetFile, paths: list[Path]) -> None:
    """Append each row to its bucket, an Arrow stream: Parquet would keep an index in memory."""
    options = pyarrow.ipc.IpcWriteOptions(compression="lz4")
    with contextlib.ExitStack() as stack:
        sinks = [stack.enter_context(pyarrow.OSFile(str(path), "wb")) for path in paths]
        writers = [
            stack.enter_context(pyarrow.ipc.new_stream(sink, file.schema_arrow, options=options))
            for sink in sinks
        ]
        for batch in file.iter_batches(_SCATTERED_ROWS):
            rows = pyarrow.Table.from_batches([batch])
            at = [int(row_id[:8], 16) * len(paths) >> 32 for row_id in rows["id"].to_pylist()]
            numbers = pyarrow.array(at)
            for number in sorted(set(at)):
                writers[number].write_table(
                    rows.filter(pyarrow.compute.equal(numbers, pyarrow.scalar(number)))
                )
