"""Checkpoints against what was put in, and against damage done to their files."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from damage import cut, flip

from pipeline.encoder.checkpoint import (
    Checkpoint,
    last_checkpoint,
    read_checkpoint,
    remove_checkpoints,
    write_checkpoint,
)


def _checkpoint(step: int) -> Checkpoint:
    weights = {"w": torch.full((2, 3), float(step))}
    return Checkpoint(step, weights, {"exp_avg/w": torch.ones(3)}, {"losses": [0.1, 1 / 3]})


def test_what_is_written_is_read_back_to_the_last_bit(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, _checkpoint(3))
    said: list[str] = []
    read = read_checkpoint(tmp_path, said.append)
    assert read is not None
    assert read.step == 3
    assert torch.equal(read.weights["w"], torch.full((2, 3), 3.0))
    assert torch.equal(read.moments["exp_avg/w"], torch.ones(3))
    assert read.state == {"losses": [0.1, 1 / 3]}
    assert said == [f"{path}: resuming after step 3"]


def test_the_last_two_are_kept_in_the_order_of_steps(tmp_path: Path) -> None:
    for step in (2, 9, 10, 100):
        write_checkpoint(tmp_path, _checkpoint(step))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-10", "step-100"]
    assert last_checkpoint(tmp_path) == tmp_path / "step-100"


def test_an_absent_folder_has_no_checkpoint(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path / "none", pytest.fail) is None
    assert last_checkpoint(tmp_path / "none") is None


def _unreadable(path: Path) -> None:
    """A file that the system cannot read, as on a failing disk."""
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("name", ["weights.safetensors", "moments.safetensors", "state.json"])
@pytest.mark.parametrize("damage", [cut, flip, Path.unlink, _unreadable])
def test_a_damaged_file_sends_back_to_the_checkpoint_before_and_is_said(
    name: str, damage: Callable[[Path], None], tmp_path: Path
) -> None:
    for step in (1, 2):
        write_checkpoint(tmp_path, _checkpoint(step))
    damage(tmp_path / "step-2" / name)
    said: list[str] = []
    read = read_checkpoint(tmp_path, said.append)
    assert read is not None
    assert read.step == 1
    assert "step-2" in said[0]
    assert name in said[0]
    assert "falling back" in said[0]


@pytest.mark.parametrize("damage", [cut, Path.unlink])
def test_damaged_digests_send_back_too(damage: Callable[[Path], None], tmp_path: Path) -> None:
    for step in (1, 2):
        write_checkpoint(tmp_path, _checkpoint(step))
    damage(tmp_path / "step-2" / "digests.json")
    said: list[str] = []
    read = read_checkpoint(tmp_path, said.append)
    assert read is not None
    assert read.step == 1


def test_where_all_are_damaged_none_is_used(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, _checkpoint(1))
    flip(tmp_path / "step-1" / "weights.safetensors")
    said: list[str] = []
    assert read_checkpoint(tmp_path, said.append) is None
    assert len(said) == 1
    assert said[0].endswith("; starting anew")


def test_damaged_ones_of_later_steps_do_not_push_out_what_is_written_now(tmp_path: Path) -> None:
    """Both that were kept are damaged, so the run begins anew, and is killed again before it is
    as far as it was."""
    for step in (5, 6):
        write_checkpoint(tmp_path, _checkpoint(step))
        flip(tmp_path / f"step-{step}" / "weights.safetensors")
    assert last_checkpoint(tmp_path, 4) is None
    for step in (1, 2, 3):
        assert write_checkpoint(tmp_path, _checkpoint(step)).is_dir()
    assert last_checkpoint(tmp_path, 4) == tmp_path / "step-3"
    said: list[str] = []
    read = read_checkpoint(tmp_path, said.append)
    assert read is not None
    assert read.step == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-2", "step-3"]


def test_a_damaged_one_is_written_again_in_its_place(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, _checkpoint(1))
    flip(tmp_path / "step-1" / "weights.safetensors")
    write_checkpoint(tmp_path, _checkpoint(1))
    read = read_checkpoint(tmp_path, lambda _: None)
    assert read is not None


def test_one_that_was_not_finished_is_not_seen_and_makes_way(tmp_path: Path) -> None:
    (tmp_path / ".unfinished").mkdir()
    (tmp_path / ".unfinished" / "weights.safetensors").write_bytes(b"half")
    assert read_checkpoint(tmp_path, pytest.fail) is None
    path = write_checkpoint(tmp_path, _checkpoint(1))
    assert [each.name for each in tmp_path.iterdir()] == ["step-1"]
    assert set(json.loads((path / "digests.json").read_text())) == {
        "weights.safetensors",
        "moments.safetensors",
        "state.json",
    }


def test_a_failure_while_writing_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, _checkpoint(1))
    bad = Checkpoint(2, {"w": torch.ones(1)}, {}, {"loss": float("nan")})  # JSON has no NaN
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_checkpoint(tmp_path, bad)
    read = read_checkpoint(tmp_path, lambda _: None)
    assert read is not None
    assert read.step == 1


def test_all_checkpoints_are_removed_at_the_end(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "key", _checkpoint(1))
    remove_checkpoints(tmp_path / "key")
    assert not (tmp_path / "key").exists()
