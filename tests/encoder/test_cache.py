"""The feature cache against what was put in, and against damage done to its file."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from damage import cut, flip
from safetensors.numpy import load_file, save_file

from pipeline.encoder import cache
from pipeline.encoder.cache import Table

KEYS = [bytes([number]) * 32 for number in range(5)]
ROWS = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


def _write(path: Path) -> None:
    cache.write(path, cache.read(path, 3).add(KEYS, ROWS))


def _swap_two_keys(path: Path) -> None:
    arrays = load_file(path)
    save_file({**arrays, "texts": arrays["texts"][[1, 0, 2, 3, 4]]}, path)


def _drop_the_digest(path: Path) -> None:
    arrays = load_file(path)
    del arrays["digest"]
    save_file(arrays, path)


def _drop_a_row(path: Path) -> None:
    arrays = load_file(path)
    save_file({**arrays, "features": arrays["features"][:4]}, path)


def test_rows_come_back_by_their_keys_and_more_can_be_added(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    cache.write(path, Table({}, ROWS[:0]).add(KEYS[:2], ROWS[:2]).add(KEYS[2:], ROWS[2:]))
    table = cache.read(path, 3)
    places = [table.index[key] for key in KEYS[::-1]]
    np.testing.assert_array_equal(table.rows[places], ROWS[::-1])


@pytest.mark.parametrize(
    "damage", [cut, flip, _swap_two_keys, _drop_the_digest, _drop_a_row, Path.touch]
)
def test_damage_is_said_and_the_cache_is_empty(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    path = tmp_path / "a.safetensors"
    _write(path)
    damage(path)
    whole = damage is Path.touch  # no damage: the test's own check
    assert len(cache.read(path, 3).rows) == (5 if whole else 0)
    assert ("a.safetensors: damaged" in caplog.text) is not whole


def test_rows_of_another_width_are_damage(tmp_path: Path) -> None:
    _write(tmp_path / "a.safetensors")
    assert cache.read(tmp_path / "a.safetensors", 4).rows.shape == (0, 4)


def test_a_cache_that_is_absent_is_empty_and_not_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert cache.read(tmp_path / "a.safetensors", 3).rows.shape == (0, 3)
    assert not caplog.text


def test_only_the_last_used_files_are_kept(tmp_path: Path) -> None:
    """Of four files the first is read again; two more are written, and the second and third go."""
    paths = [tmp_path / f"{number}.safetensors" for number in range(6)]
    table = Table({}, ROWS[:0]).add(KEYS, ROWS)
    for age, path in enumerate(paths[:4]):
        cache.write(path, table)
        os.utime(path, (age, age))
    cache.read(paths[0], 3)
    cache.write(paths[4], table)
    cache.write(paths[5], table)
    assert sorted(tmp_path.iterdir()) == [paths[0], paths[3], paths[4], paths[5]]
