"""Trials that spoil what a run stands on: the disk, the cache, a checkpoint, the clock."""

import contextlib
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from crash import kills
from crash import world as worlds
from crash.world import ImpossibleError, World, WrongError

CLOCK = Path(__file__).with_name("clock.c")
_DAY_S = 86_400
_DISK = "500M"


def fill_disk(world: World, draw: random.Random, stage: str) -> str:
    """Let the disk have less free space than the stage and DVC's copy of it need; then more."""
    world.lay_out(without=stage)
    made = sum(p.stat().st_size for p in (world.snapshot / "build" / stage).rglob("*"))
    spare = int(draw.uniform(0.1, 1.5) * made)
    with _small_disk(world, spare) as grow:
        code = _repro(world, stage)
        grow()
        said = world.log.read_text()
        worlds.run_again(world)
        left = [p.name for p in world.work.rglob(".*.tmp")]
    if code and "Traceback" in said:
        raise WrongError(f"a traceback: {said[-1500:]}")
    if left:
        raise WrongError(f"left: {left}")
    return f"{stage}, {spare // 1000} kB free, exit {code}"


def _repro(world: World, stage: str) -> int:
    """Let DVC run a stage, which may fail; return the exit code."""
    return world.await_exit(world.start("dvc", "repro", "--single-item", stage))


@contextlib.contextmanager
def _small_disk(world: World, spare: int) -> Iterator[Callable[[], None]]:
    """Move the workspace onto a disk in memory with so many bytes to spare; yield more of it."""
    aside = world.home / "aside"
    shutil.rmtree(aside, ignore_errors=True)
    shutil.move(world.work, aside)
    world.work.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={_DISK}", "charter-crash", str(world.work))
    try:
        shutil.copytree(aside, world.work, symlinks=True, dirs_exist_ok=True)
        full = shutil.disk_usage(world.work).used + spare
        _mount("-o", f"remount,size={full}", str(world.work))
        yield lambda: _mount("-o", f"remount,size={_DISK}", str(world.work))
    finally:
        subprocess.run(["umount", "--lazy", str(world.work)], check=True)


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ImpossibleError(f"mount is not allowed here: {done.stderr.strip()}")


def forbid_cache(world: World, draw: random.Random, stage: str) -> str:
    """Let DVC's cache be read-only while a stage is run, and then no longer."""
    world.lay_out(without=stage)
    cache = world.work / ".dvc" / "cache"
    for path in (cache / "files" / "md5").rglob("*"):  # or there is nothing to write there
        if path.is_file() and draw.random() < 0.5:
            path.unlink()
    _mount("--bind", str(cache), str(cache))
    try:
        _mount("-o", "remount,bind,ro", str(cache))
        code = _repro(world, stage)
    finally:
        subprocess.run(["umount", str(cache)], check=True)
    worlds.run_again(world)
    return f"{stage}, exit {code}"


def spoil_object(world: World, draw: random.Random, stage: str) -> str:
    """Flip a bit in an object of DVC's cache that a stage's outputs are restored from."""
    world.lay_out()
    found = _object(world, draw, stage)
    found.chmod(0o644)
    data = bytearray(found.read_bytes())
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    found.write_bytes(data)
    found.chmod(0o444)  # as DVC leaves its objects: it trusts them then
    shutil.rmtree(world.work / "build" / stage)
    worlds.run_again(world, *worlds.FLOW)
    return f"{stage}, {found.stat().st_size} bytes"


def _object(world: World, draw: random.Random, stage: str) -> Path:
    paths = sorted(p for p in (world.work / "build" / stage).rglob("*") if p.is_file())
    md5 = worlds.md5(draw.choice(paths))
    return world.work / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]


def cut_lock_table(world: World, draw: random.Random, stage: str) -> str:
    """Leave DVC's table of locks as a kill in the middle of its writing would."""
    world.lay_out(without=stage)
    table = world.work / ".dvc" / "tmp" / "rwlock"
    whole = '{"write": {"build/split": {"pid": 4194304, "cmd": "dvc repro"}}, "read": {}}'
    table.write_text(whole[: draw.randrange(len(whole))])
    worlds.run_again(world, *worlds.FLOW)
    return f"{stage}, {table.name} cut"


def cut_record(world: World, draw: random.Random) -> str:
    """Leave dvc.lock as a kill in the middle of its writing would."""
    world.lay_out()
    record = world.work / "dvc.lock"
    whole = record.read_bytes()
    record.write_bytes(whole[: draw.randrange(len(whole))])
    kept = record.stat().st_size
    worlds.run_again(world, *worlds.FLOW)
    return f"{record.name} cut to {kept} of {len(whole)} bytes"


def cut_checkpoint(world: World, draw: random.Random) -> str:
    """Kill pretraining once it has written a checkpoint, and cut that short."""
    world.lay_out(without="pretrain")
    process = world.start("dvc", "repro", "--single-item", "pretrain")
    checkpoints = world.work / ".charter" / "checkpoints"
    until = time.monotonic() + 120
    while not list(checkpoints.rglob("step-*/*.safetensors")):
        if process.poll() is not None or time.monotonic() > until:
            raise WrongError("no checkpoint was ever there")
        time.sleep(0.005)
    world.kill()
    process.wait()
    path = draw.choice(sorted(checkpoints.rglob("step-*/*.safetensors")))
    size = path.stat().st_size
    os.truncate(path, draw.randrange(size))
    worlds.run_again(world)
    return f"{path.parent.name}/{path.name} cut from {size} bytes"


def jump_clock(world: World, draw: random.Random, stage: str, days: int) -> str:
    """Let the clock of DVC and its stage jump while they run; files bear the wrong time after."""
    world.lay_out(without=stage)
    variables = _jumping(world, draw.uniform(0.1, 0.9) * world.seconds[stage], days)
    world.run("dvc", "repro", "--single-item", stage, **variables)
    _shift_times(world.work / "build" / stage, days)
    worlds.run_again(world)
    return f"{stage}, by {days:+} days"


def jump_clock_in_publish(world: World, draw: random.Random, days: int) -> str:
    """Let the clock jump while a bundle is published."""
    world.lay_out()
    variables = _jumping(world, draw.uniform(0.1, 0.9) * world.seconds["publish"], days)
    world.run("pipeline", "publish", **variables)
    kills.publish_again(world)
    return f"by {days:+} days"


def _jumping(world: World, after_s: float, days: int) -> dict[str, str]:
    """Return variables under which the wall clock jumps: a library in front of libc's."""
    library = world.home / "clock.so"
    if not library.is_file():
        compiler = shutil.which("cc")
        if compiler is None:
            raise ImpossibleError("there is no C compiler to build the clock with")
        command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(CLOCK), "-ldl"]
        subprocess.run(command, check=True)
    at = time.clock_gettime(time.CLOCK_MONOTONIC) + after_s
    shift = {"CLOCK_JUMP_AT_S": f"{at:.0f}", "CLOCK_JUMP_BY_S": str(days * _DAY_S)}
    return {"LD_PRELOAD": str(library), **shift}


def _shift_times(folder: Path, days: int) -> None:
    for path in folder.rglob("*"):
        when = path.stat().st_mtime + days * _DAY_S
        os.utime(path, (when, when))
