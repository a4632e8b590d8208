"""Token ids on disk, in flat ``.npy`` files that are written and read in constant memory."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline import files
from pipeline.errors import InputError

Ids = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Tokens:
    """The tokens of D documents, without special tokens; memory-mapped where read from disk."""

    ids: Ids  # (N,)
    offsets: npt.NDArray[np.int64]  # (D + 1,); document d is ids[offsets[d]:offsets[d + 1]]

    @property
    def documents(self) -> int:
        """The number of documents, D."""
        return len(self.offsets) - 1


@dataclass(frozen=True)
class Vocabulary:
    """The ids that packing and masking need to know; every id is below ``size``."""

    size: int
    pad_id: int
    cls_id: int
    sep_id: int
    mask_id: int
    special_ids: tuple[int, ...]  # these four, [UNK] and the like: never chosen, never drawn
    continuing_ids: tuple[int, ...] = ()  # tokens that go on with the word before them

    @functools.cached_property
    def ordinary_ids(self) -> npt.NDArray[np.int64]:
        """The ids that are not special, in order."""
        return np.setdiff1d(np.arange(self.size), self.special_ids)


def ids_path(folder: Path, part: str) -> Path:
    """Path of a part's token ids."""
    return folder / f"{part}_ids.npy"


def offsets_path(folder: Path, part: str) -> Path:
    """Path of a part's document offsets."""
    return folder / f"{part}_offsets.npy"


def open_tokens(folder: Path, part: str) -> Tokens:
    """Memory-map a part ("train" or "heldout") that the stage tokenise has written."""
    paths = ids_path(folder, part), offsets_path(folder, part)
    for path in paths:
        if not path.is_file():
            raise InputError(f"{path}: not found; run `dvc repro tokenise` first")
    try:
        ids, offsets = (np.load(path, mmap_mode="r", allow_pickle=False) for path in paths)
    except ValueError as error:
        raise InputError(f"{paths[0].parent}: {error}; run `dvc repro tokenise`") from error
    if len(offsets) == 0 or offsets[-1] != len(ids):
        raise InputError(f"{paths[1]}: does not fit {paths[0]}; run `dvc repro tokenise`")
    return Tokens(ids, offsets)


def id_dtype(vocab_size: int) -> np.dtype[Any]:
    """Return the smallest of uint16 and uint32 that holds ids below ``vocab_size``."""
    return np.dtype(np.uint16 if vocab_size <= 1 << 16 else np.uint32)


@contextlib.contextmanager
def appending(
    path: Path, dtype: npt.DTypeLike
) -> Iterator[Callable[[npt.NDArray[np.integer[Any]]], None]]:
    """Yield a function that appends a 1-D array to the ``.npy`` file at ``path``.

    The header is rewritten at the end, when the length is known: numpy leaves room in it for the
    first axis to grow. The file appears under its name only when it is complete.
    """
    kind = np.dtype(dtype)
    with files.replacing(path) as temporary, temporary.open("wb") as stream:
        _write_header(stream, kind, 0)
        start = stream.tell()

        def append(values: npt.NDArray[np.integer[Any]]) -> None:
            stream.write(values.astype(kind, copy=False).tobytes())

        yield append
        length = (stream.tell() - start) // kind.itemsize
        stream.seek(0)
        _write_header(stream, kind, length)
        assert stream.tell() == start, "numpy's header did not keep its length"


def join_tokens(source: Path, names: Sequence[str], folder: Path, part: str) -> None:
    """Write the tokens of several parts in ``source``, one after another, as one part."""
    dtype = open_tokens(source, names[0]).ids.dtype
    with (
        appending(ids_path(folder, part), dtype) as append_ids,
        appending(offsets_path(folder, part), np.int64) as append_offsets,
    ):
        append_offsets(np.zeros(1, np.int64))
        start = 0
        for name in names:  # mapped one at a time: pages read from a map count as memory
            each = open_tokens(source, name)
            append_ids(each.ids)
            append_offsets(start + each.offsets[1:])
            start += len(each.ids)


def _write_header(stream: Any, dtype: np.dtype[Any], length: int) -> None:
    descr = np.lib.format.dtype_to_descr(dtype)
    header = {"descr": descr, "fortran_order": False, "shape": (length,)}
    np.lib.format.write_array_header_1_0(stream, header)
