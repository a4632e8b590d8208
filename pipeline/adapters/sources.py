"""The user's files, read in batches: JSONL, CSV, Parquet and plain text; all but Parquet also .gz.

A row is named by its file and its number from 1: of the line (JSONL), of a document's first line
(text), or of the record below the header (CSV, Parquet).
"""

import csv
import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow

from pipeline import files
from pipeline.adapters import parquet
from pipeline.errors import InputError, nearest

Row = dict[str, Any]

_BATCH_ROWS = 5_000
_BATCH_CHARS = 2_000_000  # a batch ends at either limit
_KINDS = (".jsonl", ".csv", ".parquet", ".txt")
_MAX_FIELD_CHARS = 1 << 30  # of a CSV field; the csv module's own limit is 131,072


@dataclass(frozen=True)
class Batch:
    """Some rows of one file, in its order."""

    file: str  # relative to the folder read
    numbers: list[int]  # one a row
    rows: list[Row]
    read_bytes: int  # of this file, so far


def list_files(folder: Path) -> list[Path]:
    """Return the data files below ``folder``, sorted by name.

    Hidden files and folders are passed over. If ``folder`` is itself a file, that is the only one.

    Raises:
        InputError: where the folder is absent or empty, or holds a file of another kind, or what
            is no file, such as a link to a folder, which DVC would not record.
    """
    if not folder.exists():
        raise InputError(f"{folder}: no such folder; make it, or run `python -m pipeline ingest`")
    below = sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    paths = [folder] if folder.is_file() else [p for p in below if not _is_hidden(p, folder)]
    if not paths:
        raise InputError(f"{folder}: holds no file; put {', '.join(_KINDS)} there")
    for path in paths:
        files.check_name(path)
        if not path.is_file():
            raise InputError(
                f"{path}: is no file; a link to a folder, or to nothing, is not followed: "
                "put the files themselves there"
            )
        if _kind(path) not in _KINDS:
            raise InputError(
                f"{path}: not one of {', '.join(_KINDS)} (all but Parquet also .gz); "
                "convert it or move it away"
            )
    return paths


def read(folder: Path, required: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Batch]:
    """Yield the rows of every file of ``folder`` in batches, files sorted by name.

    A ``required`` column must be in the header (CSV, Parquet) or in the first row (JSONL); of the
    others only the ``optional`` ones are read. Plain text has one column, ``text``: documents are
    separated by blank lines or, in a file that has none, by line ends.

    Raises:
        InputError: naming the file and the row, where something cannot be read.
    """
    for path in list_files(folder):
        with path.open("rb") as stream:
            rows = _rows(path, stream, required, optional)
            name = path.name if path == folder else path.relative_to(folder).as_posix()
            yield from _batches(name, rows, stream)


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _kind(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix != ".gz":
        return suffix
    packed = path.with_suffix("").suffix.lower()
    return "" if packed == ".parquet" else packed


def _batches(name: str, rows: Iterable[tuple[int, Row]], stream: IO[bytes]) -> Iterator[Batch]:
    numbers: list[int] = []
    batch: list[Row] = []
    chars = 0
    for number, row in rows:
        numbers.append(number)
        batch.append(row)
        chars += len(row["text"]) if isinstance(row["text"], str) else 0
        if len(batch) == _BATCH_ROWS or chars >= _BATCH_CHARS:
            yield Batch(name, numbers, batch, stream.tell())
            numbers, batch, chars = [], [], 0
    if batch:
        yield Batch(name, numbers, batch, stream.tell())


def _rows(
    path: Path, stream: IO[bytes], required: Sequence[str], optional: Sequence[str]
) -> Iterator[tuple[int, Row]]:
    if _kind(path) == ".parquet":
        yield from _parquet_rows(path, stream, required, optional)
        return
    if _kind(path) == ".txt":
        _require(path, ["text"], required)
        yield from _text_rows(path, stream)
        return
    read_kind = _jsonl_rows if _kind(path) == ".jsonl" else _csv_rows
    for number, row in read_kind(path, stream, required):
        yield number, {name: row.get(name) for name in (*required, *optional)}


def _require(path: Path, columns: Sequence[str], required: Iterable[str]) -> None:
    for name in required:
        if list(columns).count(name) > 1:
            raise InputError(f"{path}: has the column {name!r} twice; remove one")
        if name not in columns:
            found = ", ".join(repr(column) for column in columns) or "none"
            raise InputError(
                f"{path}: no column {name!r}{nearest(name, columns)}; its columns are {found}"
            )


def _lines(path: Path, stream: IO[bytes]) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of every line, with its line end."""
    packed = path.suffix.lower() == ".gz"
    if packed and path.stat().st_size == 0:  # which gzip would accept
        raise InputError(f"{path}: is empty, not a whole gzip file; copy it again")
    lines = gzip.GzipFile(fileobj=stream) if packed else stream
    number = 0
    try:
        for number, line in enumerate(lines, 1):
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} line {number}: byte {error.start} is not UTF-8; save the file as UTF-8"
        ) from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"{path}: not a whole gzip file after line {number} ({error}); copy it again"
        ) from error


def _jsonl_rows(
    path: Path, stream: IO[bytes], required: Sequence[str]
) -> Iterator[tuple[int, Row]]:
    first = True
    for number, line in _lines(path, stream):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=_unique)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path} line {number}: not JSON ({error}); correct it") from error
        if not isinstance(row, dict):
            kind = type(row).__name__
            raise InputError(f"{path} line {number}: is a JSON {kind}, not an object {{...}}")
        if first:
            _require(path, list(row), required)
            first = False
        yield number, {key: _without_surrogates(value) for key, value in row.items()}


def _unique(pairs: list[tuple[str, Any]]) -> Row:
    row = dict(pairs)
    if len(row) != len(pairs):
        raise ValueError("a key occurs twice")
    return row


def _without_surrogates(value: Any) -> Any:
    """Replace half of an escaped surrogate pair, which UTF-8 cannot encode, by U+FFFD."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _csv_rows(path: Path, stream: IO[bytes], required: Sequence[str]) -> Iterator[tuple[int, Row]]:
    csv.field_size_limit(_MAX_FIELD_CHARS)
    reader = csv.reader((line for _, line in _lines(path, stream)), strict=True)
    try:
        header = next(reader, [])
        _require(path, header, required)
        for number, fields in enumerate((fields for fields in reader if fields), 1):
            if len(fields) != len(header):
                raise InputError(
                    f"{path} row {number} (line {reader.line_num}): {len(fields)} fields under a "
                    f"header of {len(header)}; quote text that holds a comma"
                )
            yield number, dict(zip(header, fields, strict=True))
    except csv.Error as error:
        raise InputError(f"{path} line {reader.line_num}: not CSV ({error})") from error


def _parquet_rows(
    path: Path, stream: IO[bytes], required: Sequence[str], optional: Sequence[str]
) -> Iterator[tuple[int, Row]]:
    number = 0
    try:
        table = parquet.opened(stream)
        _require(path, table.schema_arrow.names, required)
        columns = [name for name in (*required, *optional) if name in table.schema_arrow.names]
        absent = {name: None for name in (*required, *optional) if name not in columns}
        for batch in table.iter_batches(batch_size=_BATCH_ROWS, columns=columns):
            for row in batch.to_pylist():
                number += 1
                yield number, {**row, **absent}
    except (pyarrow.ArrowException, ValueError, LookupError, OverflowError, OSError) as error:
        # of these the latter are of times that Python has not, by their year or zone
        raise InputError(
            f"{path}: not readable as Parquet after row {number} ({error}); write it again"
        ) from error


def _text_rows(path: Path, stream: IO[bytes]) -> Iterator[tuple[int, Row]]:
    parted_by_blank = any(not line.strip() for _, line in _lines(path, stream))
    stream.seek(0)
    start, held = 1, ""
    for number, line in _lines(path, stream):
        if line.strip() and parted_by_blank:
            start = start if held else number
            held += line
        elif line.strip():
            yield number, {"text": line.strip()}
        elif held:
            yield start, {"text": held.strip()}
            held = ""
    if held:
        yield start, {"text": held.strip()}
