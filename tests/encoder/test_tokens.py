"""Flat token files against numpy's own reading and writing of the same arrays."""

import os
from pathlib import Path

import numpy as np
import pytest
from toy_model import write_tokenised

from pipeline.encoder.tokens import appending, id_dtype, ids_path, offsets_path, open_tokens
from pipeline.errors import InputError


@pytest.mark.parametrize("pieces", [[], [[]], [[1, 2, 3]], [[1], [], [2, 65535], [3]]])
def test_appended_pieces_are_the_file_that_numpy_reads(
    pieces: list[list[int]], tmp_path: Path
) -> None:
    path = tmp_path / "a.npy"
    with appending(path, np.uint16) as append:
        for piece in pieces:
            append(np.array(piece, np.int64))
    whole = np.array([number for piece in pieces for number in piece], np.uint16)
    read = np.load(path, allow_pickle=False)
    assert read.dtype == np.uint16
    np.testing.assert_array_equal(read, whole)


def test_a_file_that_fails_half_way_does_not_appear(tmp_path: Path) -> None:
    def fail() -> None:
        with appending(tmp_path / "a.npy", np.uint16) as append:
            append(np.arange(10))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert os.listdir(tmp_path) == []  # noqa: PTH208


@pytest.mark.parametrize(
    ("vocab_size", "bits"), [(100, 16), (65_536, 16), (65_537, 32), (250_000, 32)]
)
def test_ids_take_two_bytes_exactly_while_the_largest_fits(vocab_size: int, bits: int) -> None:
    dtype = id_dtype(vocab_size)
    assert dtype == np.dtype(f"uint{bits}")
    assert np.iinfo(dtype).max >= vocab_size - 1


def test_opened_tokens_are_mapped_and_not_read(tmp_path: Path) -> None:
    write_tokenised(tmp_path)
    tokens = open_tokens(tmp_path, "train")
    assert isinstance(tokens.ids, np.memmap)
    assert isinstance(tokens.offsets, np.memmap)
    assert tokens.offsets[-1] == len(tokens.ids)
    assert tokens.documents == 40


def test_what_is_missing_damaged_or_does_not_fit_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"train_ids\.npy: not found; run `dvc repro tokenise`"):
        open_tokens(tmp_path, "train")
    write_tokenised(tmp_path)
    with appending(offsets_path(tmp_path, "train"), np.int64) as append:
        append(np.array([0, 3]))
    with pytest.raises(InputError, match=r"train_offsets\.npy: does not fit .*train_ids\.npy"):
        open_tokens(tmp_path, "train")
    ids_path(tmp_path, "train").write_bytes(b"no array")
    with pytest.raises(InputError, match="run `dvc repro tokenise`"):
        open_tokens(tmp_path, "train")
