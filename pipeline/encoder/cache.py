"""The feature cache: one file for each encoder, one row for each text, checked when it is read.

A cache can only save work. If two stages write at once the later file wins, and the rows of the
other are computed again when they are next needed.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from pipeline import files

_LOG = logging.getLogger(__name__)
_KEPT_FILES = 4  # encoders whose features are kept: the last used ones
_KEY_BYTES = 32  # a SHA-256


@dataclass(frozen=True)
class Table:
    """Feature rows (N, H) float32 and the place of each by the SHA-256 of its text."""

    index: Mapping[bytes, int]
    rows: np.ndarray

    def add(self, keys: Sequence[bytes], rows: np.ndarray) -> "Table":
        """Return the table with rows of new texts appended."""
        places = {key: len(self.rows) + i for i, key in enumerate(keys)}
        return Table({**self.index, **places}, np.concatenate([self.rows, rows]))


def read(path: Path, width: int) -> Table:
    """Read a cache of rows of this width: empty if it is absent or, with a warning, damaged."""
    empty = Table({}, np.empty((0, width), np.float32))
    if not path.is_file():
        return empty
    try:
        table = _parse(load_file(path), width)
    except (SafetensorError, KeyError, ValueError) as error:
        _LOG.warning("%s: damaged (%s); its features are computed again", path, error)
        return empty
    path.touch()
    return table


def write(path: Path, table: Table) -> None:
    """Write a cache whole or not at all, and delete the least recently used files."""
    keys = np.frombuffer(b"".join(table.index), np.uint8).reshape(-1, _KEY_BYTES)
    arrays = {"texts": keys, "features": table.rows}
    with files.replacing(path) as temporary:
        save_file({**arrays, "digest": _digest(arrays)}, temporary)
    kept = sorted(path.parent.glob("*.safetensors"), key=lambda file: file.stat().st_mtime_ns)
    for old in kept[:-_KEPT_FILES]:
        old.unlink(missing_ok=True)


def _parse(arrays: Mapping[str, np.ndarray], width: int) -> Table:
    keys, rows = arrays["texts"], arrays["features"]
    if keys.shape != (len(rows), _KEY_BYTES) or rows.shape[1:] != (width,):
        raise ValueError(f"keys of shape {keys.shape}, rows of shape {rows.shape}")
    if not np.array_equal(arrays["digest"], _digest(arrays)):
        raise ValueError("its bytes do not have its digest")
    return Table({key.tobytes(): place for place, key in enumerate(keys)}, rows)


def _digest(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    digest = hashlib.sha256()
    for name in ("texts", "features"):
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return np.frombuffer(digest.digest(), np.uint8)
