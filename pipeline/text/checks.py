"""Which rows of a table fail which expectation: arrays in, arrays out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline.errors import InputError, nearest
from pipeline.params import ValidateParams
from pipeline.text import language, near, pii
from pipeline.text.normal import text_id
from pipeline.text.profile import Profile
from pipeline.text.words import I64, U64

TableName = Literal["corpus", "labelled"]
Mask = npt.NDArray[np.bool_]

# Expectations of a row, in the order in which they are checked. A row that is already set aside
# is not compared with others: a duplicate of a damaged row does not count as a duplicate.
OF_A_ROW = (
    "schema",
    "null_text",
    "empty_text",
    "overlong_text",
    "encoding_damage",
    "personal_data",
    "label_set",
    "conflicting_label",
    "exact_duplicate",
    "near_duplicate",
    "contamination",
)
OF_A_TABLE = ("label_balance", "language_mix", "group_rows")
_OF_LABELS = ("label_set", "conflicting_label", "label_balance", "group_rows")

_TAKEN = {"id", "text", "label", "rating", "predicted", "majority", "tfidf"}  # by later stages too
_TAKEN_START = "probability_"
_NEEDED = ("schema", "null_text", "empty_text", "label_set", "exact_duplicate")

_EMPTY_ID = np.uint64(int(text_id(""), 16))


@dataclass(frozen=True)
class Column:
    """A column of repeating strings: each value stored once, and a code for each row."""

    codes: npt.NDArray[np.int32]  # (rows,), indices of `values`
    values: tuple[str, ...]

    def counts(self, kept: Mask) -> dict[str, int]:
        """Return value -> rows kept, sorted by value; values with no row are left out."""
        counts = np.bincount(self.codes[kept], minlength=len(self.values))
        return dict(sorted((v, int(n)) for v, n in zip(self.values, counts, strict=True) if n))

    def strings(self) -> npt.NDArray[np.object_]:
        """Return the value of each row, (rows,)."""
        return np.array(self.values, np.object_)[self.codes]


@dataclass(frozen=True)
class Table:
    """A table of rows without their text."""

    name: TableName
    files: Column
    numbers: I64  # of the row in its file, from 1
    profile: Profile
    malformed: Mask  # a value is not of its column's type
    null: Mask  # the text is null
    labels: I64  # index of the label's name, -1 if unknown; in a corpus always -1
    columns: dict[str, Column]  # label and groups, or source
    leaks: I64  # a labelled row whose words the text contains, or -1
    rated: bool  # whether a row has a rating

    def place(self, row: int) -> str:
        """Name a row by its file and number."""
        return f"{self.files.values[self.files.codes[row]]} row {self.numbers[row]}"


@dataclass(frozen=True)
class Failures:
    """The rows that fail each expectation, and the row that each of them clashes with."""

    rows: dict[str, Mask]
    clashes: dict[str, I64]  # expectation -> row number in the table, -1 for none
    kept: Mask  # rows that no expectation sets aside


def refuse_params(params: ValidateParams) -> None:
    """Refuse unknown expectations, and severities that would let through rows unfit for training.

    An expectation that is left out of ``severity`` is not checked.

    Raises:
        InputError: naming the key.
    """
    known = (*OF_A_ROW, *OF_A_TABLE)
    for name, level in params.severity.items():
        if name not in known:
            raise InputError(f"validate.severity.{name}: unknown expectation{nearest(name, known)}")
        if name in OF_A_TABLE and level == "quarantine":
            raise InputError(
                f"validate.severity.{name}: concerns the whole table; set error or warn"
            )
        if name in _NEEDED and level == "warn":
            raise InputError(
                f"validate.severity.{name}: later stages rely on it; set error or quarantine"
            )
    for name in _NEEDED:
        if name not in params.severity:
            raise InputError(f"validate.severity.{name}: missing; add it, error or quarantine")
    for group in params.groups:
        if group in _TAKEN or group.startswith(_TAKEN_START):
            raise InputError(f"validate.groups: {group!r} has another meaning; name another column")
    if "language_mix" in params.severity and params.language not in language.KNOWN:
        raise InputError(
            f"validate.language: {params.language!r} is none of {', '.join(language.KNOWN)}; "
            "leave language_mix out of validate.severity"
        )


def expectations_of(table: str, severity: Mapping[str, str]) -> list[str]:
    """Return the expectations that ``severity`` names and that apply to the table, in order."""
    not_of_it = _OF_LABELS if table == "corpus" else ("contamination",)
    return [name for name in (*OF_A_ROW, *OF_A_TABLE) if name in severity and name not in not_of_it]


def find_failures(
    table: Table, signatures: near.SignatureStore, params: ValidateParams
) -> Failures:
    """Return the rows that fail each expectation of a row."""
    rows: dict[str, Mask] = {}
    clashes: dict[str, I64] = {}
    kept = np.ones(len(table.numbers), np.bool_)
    for name in expectations_of(table.name, params.severity):
        if name in OF_A_TABLE:
            continue
        clash = _clashes(name, table, signatures, params, kept)
        if clash is not None:
            clashes[name] = clash
        rows[name] = _own_failures(name, table, params) if clash is None else clash >= 0
        if params.severity[name] != "warn":
            kept = kept & ~rows[name]
    return Failures(rows, clashes, kept)


def _own_failures(name: str, table: Table, params: ValidateParams) -> Mask:
    profile = table.profile
    empty = (profile.ids == _EMPTY_ID) & ~table.null & ~table.malformed
    masks = {
        "schema": table.malformed,
        "null_text": table.null,
        "empty_text": empty,
        "overlong_text": profile.characters > params.max_chars,
        "encoding_damage": profile.damaged,
        "personal_data": profile.personal.any(axis=1),
        "label_set": table.labels < 0,
    }
    return masks[name]


def _clashes(
    name: str, table: Table, signatures: near.SignatureStore, params: ValidateParams, kept: Mask
) -> I64 | None:
    ids = table.profile.ids
    if name == "conflicting_label":
        return find_conflicts(ids, table.labels, kept)
    if name == "exact_duplicate":
        return find_duplicates(ids, kept)
    if name == "near_duplicate":
        compared = kept & (table.profile.words > 0)
        return near.find_near(signatures, compared, params.near_duplicate_jaccard)
    return np.where(kept, table.leaks, -1) if name == "contamination" else None


def find_duplicates(ids: U64, compared: Mask) -> I64:
    """Return for each compared row an earlier one of the same id, the first, or -1."""
    rows, first = _first_of_id(ids, compared)
    found = np.full(len(ids), -1, np.int64)
    found[rows] = np.where(first == rows, -1, first)
    return found


def find_conflicts(ids: U64, labels: I64, compared: Mask) -> I64:
    """Return for each compared row another of the same id and another label, or -1."""
    rows, first = _first_of_id(ids, compared)
    found = np.full(len(ids), -1, np.int64)
    clash = labels[rows] != labels[first]
    found[rows[clash]] = first[clash]
    # The first row of an id clashes with any later one that clashes with it.
    found[first[clash]] = rows[clash]
    # A row that agrees with the first, where a third does not, clashes with the third.
    disputed = (found[first] >= 0) & ~clash & (rows != first)
    found[rows[disputed]] = found[first[disputed]]
    return found


def _first_of_id(ids: U64, compared: Mask) -> tuple[I64, I64]:
    """Return the compared rows, and for each of them the first compared row of its id."""
    rows = np.flatnonzero(compared)
    _, first, inverse = np.unique(ids[rows], return_index=True, return_inverse=True)
    return rows, rows[first[inverse]]


def worst(name: str, table: Table, rows: Mask) -> int:
    """Return the row to show of those that fail: the first, or that with most personal data."""
    badness = table.profile.personal.sum(axis=1) if name == "personal_data" else 1
    return int(np.argmax(rows * badness))


def personal_data(table: Table) -> dict[str, int]:
    """Return the rows that hold each kind of personal data; kinds that none holds are left out."""
    counts = (table.profile.personal > 0).sum(axis=0)
    return {name: int(n) for name, n in zip(pii.NAMES, counts, strict=True) if n}


def personal_share(table: Table, kept: Mask) -> float:
    """Return the share of the rows kept, (n,) bool, that hold any personal data."""
    return float((table.profile.personal[kept].max(axis=1) > 0).mean())


def reason(name: str, table: Table, failures: Failures, row: int, others: Table | None) -> str:
    """Say in words why a row fails an expectation; ``others`` is the table of a leak's row."""
    clash = failures.clashes[name][row] if name in failures.clashes else -1
    other = others if others is not None and name == "contamination" else table
    place = f"{other.name}/{other.place(clash)}" if clash >= 0 else ""
    label, profile = table.columns.get("label"), table.profile
    reasons = {
        "schema": "a value is not of its column's type (text: string, rating: number)",
        "null_text": "text is null",
        "empty_text": "text is empty",
        "overlong_text": f"text has {profile.characters[row]} characters",
        "encoding_damage": "text was read in a wrong encoding",
        "personal_data": f"holds {profile.personal[row].sum()}: {profile.masked[row]}",
        "label_set": f"label {label.values[label.codes[row]]} is unknown" if label else "",
        "conflicting_label": f"same text as {place}, another label",
        "exact_duplicate": f"same text as {place}",
        "near_duplicate": f"nearly the same text as {place}",
        "contamination": f"holds the words of {place}",
    }
    return reasons[name]
