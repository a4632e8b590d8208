"""Shards for tests: they say in a file that they ran, and may wait, be killed or refuse."""

import os
import signal
import time
from pathlib import Path

from pipeline import files
from pipeline.errors import InputError
from pipeline.shards import Progress, Shard


def shard(folder: Path, name: str, how: str = "") -> Shard:
    """Return a shard that writes ``folder``/NAME; ``how`` is a method of dying, or empty."""
    arguments = {"ran": str(folder / "ran"), "how": how}
    return Shard(name, "shard_jobs:work", arguments, folder / name, 1)


def work(ran: str, how: str, *, done: Path, progress: Progress) -> None:
    starts = _say(ran, done.name)
    if how == "refused":
        raise InputError(f"{done.name}: refused")
    if how == "killed once" and starts == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    while how == "held" and done.with_name("hold").exists():
        time.sleep(0.05)
    progress(1)
    files.write_text(done, "done")


def _say(ran: str, name: str) -> int:
    """Write the name down; return how often it is there now."""
    with Path(ran).open("a") as stream:
        stream.write(f"{name}\n")
    return starts(Path(ran)).count(name)


def starts(ran: Path) -> list[str]:
    return ran.read_text().split() if ran.is_file() else []
