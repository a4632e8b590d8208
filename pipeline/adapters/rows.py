"""Reading labelled rows, as split wrote them, into arrays; writing columns to files."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from pipeline import files, layout
from pipeline.errors import InputError

NO_VALUE = "(none)"  # the group of rows whose group column is empty
_NOT_GROUPS = frozenset({"id", "text"})


@dataclass(frozen=True)
class Rows:
    """Rows of one part of the labelled data, sorted by id."""

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    labels: np.ndarray  # (n,) int64
    groups: Mapping[str, np.ndarray]  # column -> values (n,) of str

    @property
    def digest(self) -> str:
        """The digest of the ids, which equals the split report's for the same rows."""
        return digest_ids(self.ids)


def digest_ids(ids: Sequence[str]) -> str:
    """Hex SHA-256 of sorted row ids, one per line: the digest of a part."""
    return hashlib.sha256("".join(f"{row_id}\n" for row_id in ids).encode()).hexdigest()


def split_path(part: str) -> Path:
    """Return the path of a part: train, validation or test."""
    return layout.stage_dir("split") / f"{part}.parquet"


def read_split(part: str) -> Rows:
    """Read one part of the labelled rows; its string columns are taken for groups.

    Raises:
        InputError: where the stage split has not run, or the part is empty.
    """
    path = split_path(part)
    if not path.is_file():
        raise InputError(f"{path}: not found; run `dvc repro split` first")
    table = pq.read_table(path)
    if table.num_rows == 0:
        raise InputError(f"{path}: holds no rows; add rows to {layout.LABELLED}")
    return Rows(
        ids=tuple(table.column("id").to_pylist()),
        texts=tuple(table.column("text").to_pylist()),
        labels=table.column("label").to_numpy().astype(np.int64),
        groups=read_groups(table),
    )


def read_features(part: str, read: Rows) -> np.ndarray:
    """Return the features that the stage features wrote for a part's rows, (n, H) float32.

    Raises:
        InputError: where the stage has not run, or ran on other rows, or a feature is not finite.
    """
    path = layout.stage_dir("features") / f"{part}.npy"
    if not path.is_file():
        raise InputError(f"{path}: not found; run `dvc repro features` first")
    features: np.ndarray = np.load(path, allow_pickle=False)
    if len(features) != len(read.ids):
        raise InputError(
            f"{path}: {len(features)} rows for the {len(read.ids)} of {split_path(part)}; "
            "run `dvc repro features`"
        )
    if not (finite := np.isfinite(features).all(axis=1)).all():
        raise InputError(
            f"{path}: row {int(finite.argmin())} holds NaN or infinity; the encoder has diverged: "
            "pretrain with a lower learning_rate"
        )
    return features


def read_groups(table: pa.Table) -> dict[str, np.ndarray]:
    """Return the string columns other than id and text; empty cells form a group of their own."""
    return {
        field.name: np.array([value or NO_VALUE for value in table.column(field.name).to_pylist()])
        for field in table.schema
        if _is_text(field.type) and field.name not in _NOT_GROUPS
    }


def write_table(path: Path, columns: Mapping[str, Sequence[object] | np.ndarray]) -> None:
    """Write columns as Parquet, whole or not at all."""
    with files.replacing(path) as temporary:
        pq.write_table(pa.table(dict(columns)), temporary)


def write_csv(path: Path, columns: Mapping[str, Sequence[object] | np.ndarray]) -> None:
    """Write columns as CSV with a line of names, whole or not at all."""
    with files.replacing(path) as temporary:
        csv.write_csv(pa.table(dict(columns)), temporary)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)
