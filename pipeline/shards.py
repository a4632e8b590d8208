"""A stage's work in shards, which other processes or machines may compute.

A shard is a call of a function that reads and writes files. The file that it writes last marks the
shard as done, so that it is not computed again after a kill. The shards are computed here, one
after another, or by the command in the variable `COMMAND`, such as ``python -m flows.shards dask``.
"""

import contextlib
import importlib
import json
import os
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from pipeline.errors import InputError

COMMAND = "CHARTER_SHARDS"  # the command gets the shards on its standard input
_POLL_S = 1.0

Progress = Callable[[int], None]  # (units done)


@dataclass(frozen=True)
class Shard:
    """A part of a stage's work."""

    name: str
    function: str  # "module:function", called with the arguments, ``done`` and ``progress``
    arguments: Mapping[str, Any]  # values that JSON has; paths are absolute
    done: Path  # the file that the function writes last, absolute too
    units: int  # of the stage's progress


def are_sent() -> bool:
    """Return whether the shards are sent to a command."""
    return bool(os.environ.get(COMMAND))


def run(shards: Sequence[Shard], progress: Progress) -> None:
    """Compute the shards that are not done yet; a single one is computed here.

    Raises:
        InputError: the command, or a shard, refused its input.
        RuntimeError: the command left a shard undone.
    """
    left = [shard for shard in shards if not shard.done.is_file()]
    if are_sent() and len(left) > 1:
        _send(left, lambda: progress(_units_done(shards)))
        return
    for shard in left:
        do(shard, _after(_units_done(shards), progress))


def do(shard: Shard, progress: Progress = lambda _: None) -> None:
    """Compute a shard here unless it is done: a cluster that loses a machine sends it again.

    Raises:
        InputError: the shard refuses its input.
    """
    if not shard.done.is_file():
        module, name = shard.function.split(":")
        function = getattr(importlib.import_module(module), name)
        function(**shard.arguments, done=shard.done, progress=progress)


def read(stream: IO[str]) -> list[Shard]:
    """Read the shards that a stage has sent to its command."""
    return [Shard(**{**each, "done": Path(each["done"])}) for each in json.load(stream)]


def _after(before: int, progress: Progress) -> Progress:
    return lambda units: progress(before + units)


def _units_done(shards: Sequence[Shard]) -> int:
    return sum(shard.units for shard in shards if shard.done.is_file())


def _send(shards: Sequence[Shard], show: Callable[[], None]) -> None:
    command = os.environ[COMMAND]
    asked = [{**asdict(shard), "done": str(shard.done)} for shard in shards]
    with subprocess.Popen(shlex.split(command), stdin=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError), process.stdin as stream:
            json.dump(asked, stream)
        while process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_S)
            show()
    if process.returncode == 2:
        raise InputError(f"{COMMAND}: `{command}` refused its input; see above")
    undone = [shard.name for shard in shards if not shard.done.is_file()]
    if undone:
        raise RuntimeError(
            f"{COMMAND}: `{command}` exited with {process.returncode} and left {len(undone)} of "
            f"{len(shards)} shards undone, {undone[0]} first; see above, run again"
        )
