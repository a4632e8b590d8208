"""Repairs of what a crash can damage and DVC itself does not repair: its files and its cache."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dvc import rwlock
from dvc.dvcfile import LOCK_FILE
from dvc.lock import make_lock
from dvc.repo import Repo
from prefect.logging import get_logger

from pipeline import files, layout


@contextlib.contextmanager
def without_record() -> Iterator[None]:
    """Run the block without dvc.lock, and leave it aside if the block succeeds.

    DVC writes dvc.lock in place, so a kill can cut it short; what it said is also in the run-cache.
    If the block fails too, dvc.lock was not the cause and is put back.
    """
    record, aside = Path(LOCK_FILE), layout.STATE / f"{LOCK_FILE}.cut"
    aside.parent.mkdir(exist_ok=True)
    record.replace(aside)
    try:
        yield
    except BaseException:
        aside.replace(record)
        raise
    get_logger(__name__).warning(
        "%s cannot be read; it is %s now, and DVC looks for every stage in its run-cache",
        record,
        aside,
    )


def remove_cut_locks(repo: Repo) -> None:
    """Remove DVC's table of locks if a kill has cut it short: DVC would fail to read it."""
    path = Path(repo.tmp_dir) / rwlock.RWLOCK_FILE
    guard = path.with_name(rwlock.RWLOCK_LOCK)
    with make_lock(str(guard), tmp_dir=repo.tmp_dir, wait=True):
        try:
            json.loads(path.read_text())
        except FileNotFoundError:
            return
        except ValueError:
            path.unlink()


def remove_damaged_lists() -> None:
    """Remove the lists of folders in DVC's cache whose content does not have the MD5 of their name.

    From a damaged list DVC would restore the folder with wrong file names, and record that.
    """
    with Repo() as repo:
        cache = Path(repo.cache.local.path)
    for path in cache.glob("*/*.dir"):
        if _md5(path) != path.parent.name + path.stem:
            path.unlink()


def remove_damaged(name: str) -> tuple[str, ...]:
    """Remove a stage's outputs that differ from dvc.lock, and the cache objects they came from.

    DVC trusts every read-only object of its cache, as all of them are, and so would pass on bits
    that the disk has flipped (dvc_data.hashfile.db.local, `check`).

    Returns:
        The paths of the objects removed. If there are any the stage must be run again.
    """
    with Repo() as repo:
        (stage,) = repo.stage.collect(name)
        cache = Path(repo.cache.local.path)
        removed = [path for out in stage.outs for path in _mend(out, cache)]
    return tuple(map(str, removed))


def _mend(out: Any, cache: Path) -> list[Path]:
    objects = list(_objects(out.hash_info.value, Path(out.fs_path), cache))
    wrong = {object_ for object_, file, md5 in objects if _md5(file) != md5}
    damaged = [object_ for object_, _, md5 in objects if object_ in wrong and _md5(object_) != md5]
    if wrong:
        out.remove()
    for path in damaged:
        path.unlink(missing_ok=True)
    return damaged


def _objects(oid: str, output: Path, cache: Path) -> Iterator[tuple[Path, Path, str]]:
    """Yield each cache object of an output, its file in the workspace, and its MD5."""
    object_ = cache / oid[:2] / oid[2:]
    if not oid.endswith(".dir"):
        yield object_, output, oid
        return
    listed = oid.removesuffix(".dir")
    yield object_, object_, listed
    if _md5(object_) != listed:
        return
    for entry in json.loads(object_.read_text()):
        md5 = entry["md5"]
        yield cache / md5[:2] / md5[2:], output / entry["relpath"], md5


def _md5(path: Path) -> str:
    """Return a file's MD5, empty where there is none."""
    return files.md5_file(path) if path.is_file() else ""
