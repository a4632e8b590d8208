"""What a killed process may leave: locks, half-written files, damaged objects of DVC's cache."""

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

from pipeline import files, layout
from pipeline.doctor.finding import Finding
from pipeline.errors import InputError

_RECORD = Path("dvc.lock")
_DVC = Path(".dvc")
_RWLOCK = _DVC / "tmp" / "rwlock"
_CACHE = _DVC / "cache" / "files" / "md5"
_SHOWN = 3


def check_locks() -> Iterator[Finding]:
    """Say which locks are held, and by whom; a lock file that nobody holds is free."""
    paths = [*layout.STATE.rglob("*.lock"), *(_DVC / "tmp").glob("*lock")]
    held = {path: holder for path in sorted(paths) if (holder := _holder(path))}
    for path, holder in held.items():
        found = f"{path} is held by {holder}"
        yield Finding.warn("lock", found, "wait for that process, or end it")
    if not held:
        yield Finding.ok("locks", f"none of {len(paths)} is held")


def _holder(path: Path) -> str:
    """Return who holds the lock on a file; empty if nobody does."""
    with path.open("rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            inode = os.fstat(stream.fileno()).st_ino
            return _holder_of_inode(inode)
    return ""


def _holder_of_inode(inode: int) -> str:
    """Find a holder in /proc/locks: ``1: FLOCK ADVISORY WRITE PID MAJOR:MINOR:INODE 0 EOF``."""
    table = Path("/proc/locks")
    for line in table.read_text().splitlines() if table.is_file() else ():
        fields = line.split()
        if "FLOCK" in fields and fields[-3].endswith(f":{inode}") and "->" not in fields:
            return f"process {fields[-4]} ({_command(int(fields[-4]))})"
    return "a process on another host or in another container"


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return "ended"
    return " ".join(words).strip()[:80]


def check_dvc_lock() -> Iterator[Finding]:
    """Read DVC's table of locks; DVC itself removes the entries of dead processes."""
    if not _RWLOCK.is_file():
        yield Finding.ok("dvc locks", "none")
        return
    try:
        table = json.loads(_RWLOCK.read_text())
        writers = list(table.get("write", {}).values())
        readers = [each for holders in table.get("read", {}).values() for each in holders]
        pids = {int(entry["pid"]) for entry in (*writers, *readers)}
    except (ValueError, KeyError, TypeError, AttributeError):
        yield Finding.wrong("dvc locks", f"{_RWLOCK} cannot be read", f"run `rm {_RWLOCK}`")
        return
    alive = sorted(pid for pid in pids if files.is_alive(pid))
    if alive:
        found = ", ".join(f"process {pid} ({_command(pid)})" for pid in alive)
        yield Finding.warn("dvc locks", f"held by {found}", "wait for it, or end it")
    else:
        dead = f"{len(pids)} of dead processes, which DVC will remove" if pids else "none"
        yield Finding.ok("dvc locks", dead)


def check_record() -> Iterator[Finding]:
    """Read dvc.lock, which DVC writes in place, so that a kill can cut it short."""
    if not _RECORD.is_file():
        yield Finding.ok("dvc record", "no stage has run yet")
        return
    try:
        stages = files.read_yaml(_RECORD)["stages"]
        entries = [e for stage in stages.values() for e in stage.get("deps", []) + stage["outs"]]
        whole = all(entry["path"] and "hash" in entry for entry in entries)
    except (InputError, KeyError, TypeError, AttributeError):
        whole = False
    if whole:
        yield Finding.ok("dvc record", f"{_RECORD} has {len(stages)} stages")
    else:
        advice = f"run `rm {_RECORD}`, then `dvc repro`: DVC's run-cache has its content"
        yield Finding.wrong("dvc record", f"{_RECORD} cannot be read", advice)


def check_halves() -> Iterator[Finding]:
    """Look for files that were being written when their process was killed."""
    roots = (layout.BUILD, layout.STATE, layout.DATA)
    found = [path for root in roots for path in sorted(root.rglob(".*.tmp")) if _is_left(path)]
    found += sorted(layout.CHECKPOINTS.rglob(".unfinished"))
    if found:
        some = ", ".join(map(str, found[:_SHOWN]))
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        advice = "nothing reads them; the next run replaces them, or you can delete them"
        yield Finding.warn("half-written", f"{some}{more}", advice)
    else:
        yield Finding.ok("half-written", "no file")


def _is_left(path: Path) -> bool:
    pid = path.name.split(".")[-2]
    return not (pid.isdigit() and files.is_alive(int(pid)))


def check_cache() -> Iterator[Finding]:
    """Hash every object of DVC's cache, since DVC trusts all that are read-only."""
    if not _CACHE.is_dir():
        yield Finding.ok("dvc cache", "empty, or kept elsewhere")
        return
    objects = [path for path in _CACHE.rglob("*") if path.is_file()]
    damaged = [path for path in objects if files.md5_file(path) != object_name(path)]
    for path in damaged:
        advice = f"run `rm -f {path}`, then `dvc pull` or `dvc repro`"
        yield Finding.wrong("dvc cache", f"{path} does not have the MD5 in its name", advice)
    if not damaged:
        yield Finding.ok("dvc cache", f"{len(objects)} objects, all undamaged")


def object_name(path: Path) -> str:
    """Return the MD5 in the name of a cache object."""
    return (path.parent.name + path.name).removesuffix(".dir")
