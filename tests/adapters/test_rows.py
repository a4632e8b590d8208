"""Against tables written here."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.adapters import rows
from pipeline.errors import InputError


def write_part(columns: dict[str, object]) -> None:
    path = rows.split_path("test")
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table(columns), path)


def test_string_columns_are_groups_and_empty_cells_are_one_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_part(
        {
            "id": ["a", "b", "c"],
            "text": ["x", "y", "z"],
            "label": [1, 0, 1],
            "rating": [1.5, None, -2.0],
            "domain": ["film", None, ""],
        }
    )
    found = rows.read_split("test")
    assert (found.ids, found.texts, found.labels.tolist()) == (
        tuple("abc"),
        tuple("xyz"),
        [1, 0, 1],
    )
    assert {name: list(values) for name, values in found.groups.items()} == {
        "domain": ["film", "(none)", "(none)"]
    }


def test_a_part_that_is_absent_or_empty_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"test\.parquet: not found; run `dvc repro split`"):
        rows.read_split("test")
    write_part({"id": pa.array([], pa.string())})
    with pytest.raises(InputError, match=r"test\.parquet: holds no rows"):
        rows.read_split("test")


def test_tables_are_written_as_they_are(tmp_path: Path) -> None:
    columns = {"name": ["a", "b"], "value": np.array([0.5, 2.0])}
    rows.write_table(tmp_path / "t.parquet", columns)
    assert pq.read_table(tmp_path / "t.parquet").to_pydict() == {
        "name": ["a", "b"],
        "value": [0.5, 2.0],
    }
    rows.write_csv(tmp_path / "t.csv", columns)
    assert (tmp_path / "t.csv").read_text() == '"name","value"\n"a",0.5\n"b",2\n'
