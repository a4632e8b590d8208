"""What a crash may leave to DVC, and DVC to a person: its files cut short, its cache spoilt."""

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
    """Set dvc.lock aside where the block ends well: DVC writes it in place, a kill cuts it short.

    What it said is in DVC's run-cache. Where the block fails, dvc.lock is not at fault and stays.
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
    """Remove DVC's table of locks where a kill has cut it short: DVC would stop at it."""
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
    """Remove the folders' lists in DVC's cache that are not what their names say.

    DVC would restore the folder with other names in it, and record that in dvc.lock.
    """
    with Repo() as repo:
        cache = Path(repo.cache.local.path)
    for path in cache.glob("*/*.dir"):
        if _md5(path) != path.parent.name + path.stem:
            path.unlink()


def remove_damaged(name: str) -> tuple[str, ...]:
    """Remove a stage's outputs where they are not what dvc.lock says, and the objects they are of.

    DVC trusts an object of its cache that is read-only, as all of them are, and would pass on a bit
    that the disk has lost (dvc_data.hashfile.db.local, `check`).

    Returns:
        The paths of the objects removed: the stage has to be run again, as DVC then will.
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
    """Yield an output's objects, the files that they are in the workspace, and their MD5."""
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
