"""The columns whose groups are compared: of the data, from term lists, and their intersections."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline import reports
from pipeline.errors import InputError, nearest
from pipeline.params import AuditParams
from pipeline.reports import SplitReport
from pipeline.stages.audits.tested import Tested
from pipeline.text import identity

FROM_DATA = "a column of the data"
FROM_TERMS = "which terms a text holds, by the word lists of pipeline/text/identity.py"


@dataclass(frozen=True)
class Column:
    """A column of groups."""

    values: tuple[str, ...]  # every declared one, even if no test row has it
    of_rows: np.ndarray  # (n,) the test rows' values
    source: str  # where the values come from, in words


def read_columns(params: AuditParams, tested: Tested) -> dict[str, Column]:
    """Return the columns of ``audit.groups``, then an intersection each of ``audit.intersections``.

    A column that the data lacks is derived if there is a term list for it.

    Raises:
        InputError: naming a column that is neither in the data nor derived.
    """
    found = {name: _column("groups", name, tested) for name in params.groups}
    for names in params.intersections:
        crossed = {name: _column("intersections", name, tested) for name in names}
        found[" x ".join(names)] = _intersect(crossed)
    return found


def _column(key: str, name: str, tested: Tested) -> Column:
    if name in tested.groups:
        return Column(_declared(name, tested.groups[name]), tested.groups[name], FROM_DATA)
    if name in identity.COLUMNS:
        return Column(identity.COLUMNS[name], identity.derive(name, tested.texts), FROM_TERMS)
    known = {*tested.groups, *identity.COLUMNS}
    there = ", ".join(sorted(tested.groups)) or "none"
    raise InputError(
        f"audit.{key}: no column {name!r}{nearest(name, known)}; the labelled rows have {there}, "
        f"and {', '.join(identity.COLUMNS)} can be derived from the texts"
    )


def _declared(name: str, of_rows: np.ndarray) -> tuple[str, ...]:
    """Return the values in any part of the data, so that those without test rows are noticed."""
    split = reports.read(SplitReport)
    parts = (split.train.groups, split.validation.groups, split.test.groups)
    seen = {*of_rows.tolist()}.union(*(part.get(name, {}) for part in parts))
    return tuple(sorted(seen))


def _intersect(columns: Mapping[str, Column]) -> Column:
    """Return the intersections of two or more columns: every combination, even without rows."""
    combined = itertools.product(*(column.values for column in columns.values()))
    of_rows = zip(*(column.of_rows.tolist() for column in columns.values()), strict=True)
    return Column(
        tuple(" x ".join(values) for values in combined),
        np.array([" x ".join(values) for values in of_rows]),
        f"every combination of the values of {' and '.join(columns)}",
    )
