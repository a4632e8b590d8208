"""data/ as a folder that is whole or absent, with PROVENANCE.json saying where each file is from.

PROVENANCE.json is ``{"source": ..., "files": {path: facts}}``; facts always hold ``sha256``.
It holds no time and no host, so that equal inputs give equal bytes.
"""

import contextlib
import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pipeline import files, layout
from pipeline.errors import InputError

Facts = dict[str, Any]

MADE_BY_INGEST = ("packages", "hub")


def write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> Facts:
    """Write JSONL with sorted keys; return rows, words, first and last date, and SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count, words, dates = 0, 0, set()
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for row in rows:
            stream.write(json.dumps(row, sort_keys=True, ensure_ascii=False) + "\n")
            count += 1
            words += len((row["text"] or "").split())
            dates |= {row["date"]} if "date" in row else set()
    span = [min(dates), max(dates)] if dates else None
    return {"rows": count, "words": words, "dates": span, "sha256": files.sha256_file(path)}


def write(folder: Path, source: str, facts: dict[str, Facts], asked: Any = None) -> None:
    """Write ``folder``/PROVENANCE.json; ``asked`` is what the hub was asked for."""
    found = {"source": source, "files": facts} | ({"asked": asked} if asked else {})
    files.write_json(folder / layout.PROVENANCE.name, found)


def with_origins(facts: dict[str, Facts], known: dict[str, Any]) -> dict[str, Facts]:
    """Return the facts of each file, with those already known of files that are unchanged."""
    old = known.get("files", {})
    return {
        path: {**old[path], **fact} if old.get(path, {}).get("sha256") == fact["sha256"] else fact
        for path, fact in facts.items()
    }


def read(folder: Path) -> dict[str, Any]:
    """Return ``folder``/PROVENANCE.json, or ``{}`` where there is none.

    Raises:
        InputError: where the file is not provenance.
    """
    path = folder / layout.PROVENANCE.name
    if not path.is_file():
        return {}
    found = files.read_json(path)
    if not isinstance(found, dict) or not isinstance(found.get("files"), dict):
        raise InputError(f"{path}: not provenance that ingest wrote; move it away and run again")
    return found


def differences(folder: Path) -> list[str]:
    """Return the files below ``folder`` that PROVENANCE.json lacks or has otherwise, sorted."""
    known = {path: facts["sha256"] for path, facts in read(folder).get("files", {}).items()}
    present = files.sha256_tree(folder)
    present.pop(layout.PROVENANCE.name, None)
    return sorted(path for path, digest in present.items() if known.get(path) != digest)


def is_whole(folder: Path, provenance_sha256: str | None = None) -> bool:
    """Return whether ``folder`` holds exactly the files that its PROVENANCE.json lists.

    Where a SHA-256 is given, PROVENANCE.json must have it.
    """
    path = folder / layout.PROVENANCE.name
    if not path.is_file() or provenance_sha256 not in (None, files.sha256_file(path)):
        return False
    missing = [name for name in read(folder)["files"] if not (folder / name).is_file()]
    return not missing and not differences(folder)


def refuse_foreign(folder: Path) -> None:
    """Refuse to replace files that ingest did not make.

    Raises:
        InputError: naming the first file that is not ingest's.
    """
    if not folder.exists():
        return
    if not folder.is_dir() or folder.is_symlink():
        raise InputError(f"{folder}: is not a plain folder; move it away and run again")
    own = read(folder).get("source") in MADE_BY_INGEST
    foreign = differences(folder) if own else sorted(files.sha256_tree(folder))
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise InputError(
            f"{folder / foreign[0]}{more}: not made by ingest, so {folder}/ is not replaced; move "
            "it away, or set `ingest.source: local` in params.yaml to use what is there"
        )


@contextlib.contextmanager
def replacing_folder(folder: Path, work: Path) -> Iterator[Path]:
    """Yield an empty folder in ``work``; on success it becomes ``folder``, by two renames.

    At any moment ``folder`` is the old one, the new one, or (between the renames) absent; never a
    mixture. ``work`` must be on the disk of ``folder``.
    """
    new, old = work / "new", work / "old"
    for left_over in (new, old):
        shutil.rmtree(left_over, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        yield new
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    except BaseException:
        if old.exists() and not folder.exists():
            old.rename(folder)
        shutil.rmtree(new, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)
