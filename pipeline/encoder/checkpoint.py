"""Checkpoints of an unfinished run: whole or absent, checked by digest, the last two kept.

A checkpoint is a folder ``step-N``: weights.safetensors, moments.safetensors, state.json and
digests.json, which holds the SHA-256 of the other three.
"""

import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from pipeline import files
from pipeline.errors import InputError

_KEPT = 2
_WEIGHTS, _MOMENTS, _STATE = "weights.safetensors", "moments.safetensors", "state.json"
_DIGESTS = "digests.json"
_UNFINISHED = ".unfinished"


@dataclass(frozen=True)
class Checkpoint:
    """Everything that later steps depend on."""

    step: int  # steps done
    weights: Mapping[str, torch.Tensor]
    moments: Mapping[str, torch.Tensor]  # the optimiser's
    state: Mapping[str, Any]  # JSON: where the run stands


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write ``folder/step-N``, remove all but it and the one before; return its path.

    The files are written and fsynced in a folder of another name, which is then renamed, so a
    process killed at any moment leaves the earlier checkpoints intact. Of later steps there are
    only damaged ones, which were skipped: they would count as the last two until the run is there.
    """
    unfinished, target = folder / _UNFINISHED, _path(folder, checkpoint.step)
    shutil.rmtree(unfinished, ignore_errors=True)
    for name, tensors in ((_WEIGHTS, checkpoint.weights), (_MOMENTS, checkpoint.moments)):
        with files.replacing(unfinished / name) as temporary:
            save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, temporary)
    files.write_json(unfinished / _STATE, dict(checkpoint.state))
    files.write_json(unfinished / _DIGESTS, _digests(unfinished))
    shutil.rmtree(target, ignore_errors=True)  # a damaged one that was skipped
    unfinished.replace(target)
    for step in set(_steps(folder)).difference(_until(folder, checkpoint.step)[-_KEPT:]):
        shutil.rmtree(_path(folder, step))
    return target


def read_checkpoint(folder: Path, say: Callable[[str], None]) -> Checkpoint | None:
    """Read the last undamaged checkpoint, if any; ``say`` hears which is read and which skipped."""
    steps = _steps(folder)
    for step in reversed(steps):
        path = _path(folder, step)
        if damage := _find_damage(path):
            rest = "starting anew" if step == steps[0] else "falling back to the one before it"
            say(f"{path}: {damage}; {rest}")
            continue
        say(f"{path}: resuming after step {step}")
        return Checkpoint(
            step,
            load_file(path / _WEIGHTS),
            load_file(path / _MOMENTS),
            files.read_json(path / _STATE),
        )
    return None


def last_checkpoint(folder: Path, step: float = math.inf) -> Path | None:
    """Return the path of the last checkpoint of a run that is at ``step``; None if it has none.

    One of a later step is damaged, and was skipped.
    """
    steps = _until(folder, step)
    return _path(folder, steps[-1]) if steps else None


def remove_checkpoints(folder: Path) -> None:
    """Remove all checkpoints, once the run has ended and its result is written."""
    shutil.rmtree(folder, ignore_errors=True)


def _path(folder: Path, step: int) -> Path:
    return folder / f"step-{step}"


def _steps(folder: Path) -> list[int]:
    return sorted(int(path.name.removeprefix("step-")) for path in folder.glob("step-*"))


def _until(folder: Path, step: float) -> list[int]:
    return [each for each in _steps(folder) if each <= step]


def _digests(path: Path) -> dict[str, str]:
    return {name: files.sha256_file(path / name) for name in (_WEIGHTS, _MOMENTS, _STATE)}


def _find_damage(path: Path) -> str | None:
    try:
        expected, found = files.read_json(path / _DIGESTS), _digests(path)
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except InputError as error:
        return str(error)
    except OSError as error:
        return f"{Path(error.filename or path).name} cannot be read: {error.strerror}"
    damaged = [name for name in found if found[name] != expected.get(name)]
    return f"{damaged[0]} does not have the digest it was written with" if damaged else None
