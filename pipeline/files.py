"""Files that are written whole or not at all, read with good errors, locked, and digested."""

import contextlib
import fcntl
import glob
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import InputError

DIGESTS = "digests.json"  # path below a bundle -> SHA-256, of every file but those of `_UNLISTED`
SIGNATURE = "model.sig"  # over all the others, made when the bundle is published
_UNLISTED = frozenset({DIGESTS, SIGNATURE, "report.json"})
_CHUNK_BYTES = 1 << 20
_MAX_VALUES = 100_000  # of a YAML file; policy.yaml has some hundreds


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it is fsynced and renamed to ``path``.

    On an exception the temporary file is removed and ``path`` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    _remove_left(path)
    try:
        yield temporary
        _fsync(temporary)
        temporary.replace(path)
        _fsync(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _remove_left(path: Path) -> None:
    """Remove temporary files for this path that killed processes have left."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        pid = left.name.split(".")[-2]
        if pid.isdigit() and not is_alive(int(pid)):
            left.unlink(missing_ok=True)


def is_alive(pid: int) -> bool:
    """Return whether a process runs on this machine; a zombie does not."""
    try:
        os.kill(pid, 0)
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's, or there is no /proc
        return True


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 ``text`` to ``path`` whole or not at all."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys, so that equal values are equal bytes. NaN is refused."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


@contextlib.contextmanager
def locked(path: Path, say: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Hold the lock on the file ``path``, waiting while another process holds it.

    ``say`` is called if there is a wait. A process that is killed releases its locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{path}: waiting for the process that holds it")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def held(path: Path, doing: str) -> Iterator[None]:
    """Hold the lock on the file ``path``, or refuse at once if another process holds it.

    ``doing`` names in the refusal what both want to do.

    Raises:
        InputError: naming the process that holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            holder = stream.read().strip() or "unknown"
            raise InputError(
                f"{doing}: process {holder} is already running it here; wait for it"
            ) from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield


def read_json(path: Path) -> Any:
    """Read JSON; an unreadable file raises `InputError` with its name, line and column."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        at = f"{path}:{error.lineno}:{error.colno}"
        raise InputError(f"{at}: not JSON ({error.msg}); make the file again") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8; save it as UTF-8") from error


class _UniqueKeys(yaml.SafeLoader):
    """YAML that refuses duplicate keys, of which PyYAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key.value!r} stands twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; one that is unreadable raises `InputError` with its line and column."""
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)  # noqa: S506
    except FileNotFoundError:
        raise InputError(f"{path}: not found; run in the repository's root") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8; save it as UTF-8") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise InputError(f"{at}: not YAML ({error.problem})") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML ({error})") from error
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        # PyYAML raises these where a value does not fit its tag or form
        raise InputError(f"{path}: not YAML ({type(error).__name__}: {error})") from error
    if not isinstance(raw, dict):
        raise InputError(f"{path}: must be a mapping of sections, not {type(raw).__name__}")
    _refuse_expansion(raw, path)
    return raw


def _refuse_expansion(raw: Any, path: Path) -> None:
    """Refuse aliases (`*name`) that multiply the values, or that refer to themselves."""
    waiting, values = [raw], 0
    while waiting:
        value = waiting.pop()
        values += 1
        if values > _MAX_VALUES:
            raise InputError(f"{path}: its aliases make more than {_MAX_VALUES} values of it")
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def md5_file(path: Path) -> str:
    """Hex MD5 of a file's bytes: the name that DVC gives it, not a protection."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def check_name(path: Path) -> None:
    """Refuse a path that no file of ours can hold, as it is not UTF-8.

    Raises:
        InputError: naming it.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise InputError(f"{str(path)!a}: this name is not UTF-8; rename the file") from None


def sha256_tree(folder: Path) -> dict[str, str]:
    """Hex SHA-256 of every file below ``folder``, by POSIX path relative to it, sorted.

    Raises:
        InputError: naming a file whose name is not UTF-8.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        check_name(path)
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in files}


def sha256_digests(digests: dict[str, str]) -> str:
    """One hex SHA-256 over a mapping of names to digests: the digest of a tree."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def check_digests(folder: Path, digests: dict[str, str]) -> None:
    """Check that ``folder`` holds the files of ``digests``, unchanged; others may lie beside them.

    Raises:
        InputError: naming the first file that is missing, changed, a link, or outside ``folder``.
    """
    root = folder.resolve()
    for name, digest in sorted(digests.items()):
        path = folder / name
        real = path.resolve()
        if not real.is_relative_to(root) or real.relative_to(root).as_posix() != name:
            raise InputError(f"{path}: leads out of {folder} or is a link; do not use this folder")
        if not path.is_file():
            raise InputError(f"{path}: missing; fetch the folder again")
        if sha256_file(path) != digest:
            raise InputError(f"{path}: changed since {DIGESTS} was written; fetch the folder again")


def verify_files(folder: Path) -> dict[str, str]:
    """Check that a bundle has exactly the files of its ``digests.json``; return those digests.

    Raises:
        InputError: naming the first file that is missing, changed, or not listed.
    """
    if not (folder / DIGESTS).is_file():
        raise InputError(f"{folder / DIGESTS}: not found; run `dvc repro bundle`")
    digests = read_json(folder / DIGESTS)
    if not isinstance(digests, dict) or not all(isinstance(v, str) for v in digests.values()):
        raise InputError(f"{folder / DIGESTS}: must map each file to its SHA-256")
    check_tree(folder, digests, _UNLISTED)
    return digests


def check_tree(
    folder: Path, digests: dict[str, str], unlisted: frozenset[str] = frozenset()
) -> None:
    """Check that ``folder`` holds the files of ``digests``, and no other but the ``unlisted``.

    Raises:
        InputError: naming the first file that is missing, changed, or not listed.
    """
    check_digests(folder, digests)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        listed = path.is_dir() or name in digests or name in unlisted
        if path.is_symlink() or not listed:
            raise InputError(f"{path}: is not in {DIGESTS}; remove it or fetch the folder again")
