"""Tables profiled batch by batch, so that memory grows with the rows and not with their text."""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import InputError
from pipeline.params import ValidateParams
from pipeline.text import near, overlap
from pipeline.text.checks import Column, Table, TableName
from pipeline.text.normal import text_id
from pipeline.text.profile import Profile, profile_texts

Row = dict[str, Any]
Columns = dict[str, list[Any]]
NumberedRows = tuple[str, Sequence[int], Sequence[Row]]  # file, number of each row, rows

UNKNOWN_GROUP = "unknown"  # for a null or "" in a group column


def profile_labelled(
    batches: Iterable[NumberedRows], params: ValidateParams, signatures: near.SignatureStore
) -> Table:
    """Return the table of labelled rows: their labels and the groups that ``params`` names.

    Their signatures, in the rows' order, are added to ``signatures``.
    """
    table = _Gathered(params, signatures)
    for file, numbers, rows in batches:
        labels = [parse_label(row["label"], params.labels) for row in rows]
        names = [
            params.labels[label] if label >= 0 else _unknown(row["label"], params.labels)
            for label, row in zip(labels, rows, strict=True)
        ]
        columns = {"label": names} | {group: group_values(rows, group) for group in params.groups}
        table.add(file, numbers, rows, labels, columns)
    return table.finish("labelled")


def profile_corpus(
    batches: Iterable[NumberedRows],
    params: ValidateParams,
    signatures: near.SignatureStore,
    index: dict[int, overlap.Runs],
) -> Table:
    """Return the table of documents; ``index`` holds the labelled words to look for in them.

    Their signatures, in the rows' order, are added to ``signatures``.
    """
    table = _Gathered(params, signatures, index)
    for file, numbers, rows in batches:
        sources = [source_of(row, file) for row in rows]
        table.add(file, numbers, rows, [-1] * len(rows), {"source": sources})
    return table.finish("corpus")


def kept_columns(table: Table, file: str, rows: Sequence[Row], params: ValidateParams) -> Columns:
    """Return the columns that later stages read: of some rows of one file, all kept."""
    texts = [row["text"] for row in rows]
    columns: Columns = {"id": [text_id(text) for text in texts], "text": texts}
    if table.name == "corpus":
        return columns | {"source": [source_of(row, file) for row in rows]}
    columns["label"] = [parse_label(row["label"], params.labels) for row in rows]
    columns |= {group: group_values(rows, group) for group in params.groups}
    if table.rated:
        columns["rating"] = [parse_rating(row["rating"]) for row in rows]
    return columns


def text_of(row: Row) -> str:
    """Return the row's text; empty if it is null or not a string."""
    text = row["text"]
    return text if isinstance(text, str) else ""


def source_of(row: Row, file: str) -> str:
    """Return the document's source: its field, or else its file's name without the extension."""
    return str(row.get("source") or PurePosixPath(file).name.partition(".")[0])


def group_values(rows: Sequence[Row], group: str) -> list[str]:
    """Return a group column as strings; null, NaN and "" are a group of their own."""
    return [UNKNOWN_GROUP if _is_missing(row[group]) else str(row[group]) for row in rows]


def _is_missing(value: Any) -> bool:
    return value in (None, "") or (isinstance(value, float) and math.isnan(value))


def parse_label(value: Any, names: Sequence[str]) -> int:
    """Return the index of a label, given as its name or as its index; -1 for any other value.

    Where names are numbers, such as stars from 1 to 5, a number is the name that it is written as:
    whether a file has it in quotes changes nothing.
    """
    whole = isinstance(value, float) and value.is_integer()
    name = str(int(value) if whole else value)
    if name in names and isinstance(value, str | int | float) and not isinstance(value, bool):
        return names.index(name)
    if isinstance(value, str) and value.isdecimal() and len(value) < 10:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return -1
    return int(value) if value in range(len(names)) else -1


def _unknown(value: Any, names: Sequence[str]) -> str:
    """Return a label that is none of the names as it is shown, which is none of them either."""
    shown = repr(value)
    return f"{shown} of type {type(value).__name__}" if shown in names else shown


def parse_rating(value: Any) -> float | None:
    """Return a rating, or None where there is none.

    Raises:
        ValueError: where the value is not a number.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{value!r} is not a number")
    number = float(value)
    return number if math.isfinite(number) else None


def is_malformed(row: Row) -> bool:
    """Return whether the text is not a string, or the rating not a number."""
    if not isinstance(row["text"], str | None):
        return True
    try:
        parse_rating(row.get("rating"))
    except ValueError:
        return True
    return False


class _Codes:
    """A column gathered batch by batch, each value kept once."""

    def __init__(self) -> None:
        self._index: dict[str, int] = {}
        self._codes: list[npt.NDArray[np.int32]] = []

    def add(self, values: Iterable[str]) -> None:
        codes = [self._index.setdefault(value, len(self._index)) for value in values]
        self._codes.append(np.array(codes, np.int32))

    def column(self) -> Column:
        return Column(np.concatenate(self._codes), tuple(self._index))


class _Gathered:
    """A table gathered batch by batch."""

    def __init__(
        self,
        params: ValidateParams,
        signatures: near.SignatureStore,
        index: dict[int, overlap.Runs] | None = None,
    ) -> None:
        self._max_chars = params.max_chars
        self._signatures = signatures
        self._index = index or {}
        self._columns: dict[str, _Codes] = {}
        self._parts: list[dict[str, Any]] = []
        self._rated = False

    def add(
        self,
        file: str,
        numbers: Sequence[int],
        rows: Sequence[Row],
        labels: Sequence[int],
        columns: dict[str, list[str]],
    ) -> None:
        profile, words = profile_texts([text_of(row) for row in rows], self._max_chars)
        self._signatures.add(near.minhash(words))
        for name, values in {"": [file] * len(rows), **columns}.items():
            self._columns.setdefault(name, _Codes()).add(values)
        self._rated = self._rated or any(row.get("rating") is not None for row in rows)
        self._parts.append(
            {
                **vars(profile),
                "numbers": np.array(numbers, np.int64),
                "malformed": np.array([is_malformed(row) for row in rows], np.bool_),
                "null": np.array([row["text"] is None for row in rows], np.bool_),
                "labels": np.array(labels, np.int64),
                "leaks": overlap.find_runs(words, self._index),
            }
        )

    def finish(self, name: TableName) -> Table:
        if not self._parts:
            raise InputError(f"data/{name}: its files hold no row")
        columns = {column: codes.column() for column, codes in self._columns.items()}
        of_text = [field.name for field in dataclasses.fields(Profile)]
        return Table(
            name=name,
            files=columns.pop(""),
            profile=Profile(**{array: self._join(array) for array in of_text}),
            columns=columns,
            rated=self._rated,
            **{a: self._join(a) for a in ("numbers", "malformed", "null", "labels", "leaks")},
        )

    def _join(self, array: str) -> npt.NDArray[Any]:
        """Join the batches' parts of one array, and free the parts to limit memory."""
        return np.concatenate([part.pop(array) for part in self._parts])
