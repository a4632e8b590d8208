"""Against the rows that went in: all of them, in order, whatever the number of buckets."""

import hashlib
import random
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from pipeline.adapters import parquet


@pytest.mark.parametrize("bucket_bytes", [1 << 30, 20_000, 2_000])
def test_buckets_give_every_row_once_in_the_order_of_ids(tmp_path: Path, bucket_bytes: int) -> None:
    ids = [hashlib.sha256(str(n).encode()).hexdigest()[:16] for n in range(2000)]
    path = tmp_path / "rows.parquet"
    parquet.write(path, pyarrow.table({"id": ids, "n": list(range(2000))}))
    found = list(parquet.sorted_by_id(path, tmp_path / "work", bucket_bytes))
    assert (len(found) > 1) == (bucket_bytes < 1 << 30)
    rows = pyarrow.concat_tables(found)
    assert rows["id"].to_pylist() == sorted(ids)
    assert [ids[n] for n in rows["n"].to_pylist()] == sorted(ids)
    assert not list(tmp_path.glob("work/*"))


def test_memory_is_that_of_a_bucket_whatever_the_size_of_the_file(tmp_path: Path) -> None:
    """pyarrow by itself keeps every row group that it has read."""
    path, draw = tmp_path / "rows.parquet", random.Random(1)
    size = 16 << 20
    texts = [draw.randbytes(4096).hex() for _ in range(size // 8192)]
    ids = [text[:16] for text in texts]
    parquet.write(path, pyarrow.table({"id": ids, "text": texts}))
    before = pyarrow.total_allocated_bytes()
    for _ in parquet.sorted_by_id(path, tmp_path / "work", size // 16):
        assert pyarrow.total_allocated_bytes() - before < size // 4


def test_a_file_that_is_broken_off_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    table = pyarrow.table({"id": ["a"]})
    parquet.write(path, table)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="schema"), parquet.writer(path, table.schema) as writer:
        writer.write_table(table.rename_columns(["other"]))
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["rows.parquet"]
