"""Figures of a whole table, measured on the rows that are kept, and what is expected of them."""

from dataclasses import dataclass

import numpy as np

from pipeline.params import ValidateParams
from pipeline.text import language
from pipeline.text.checks import Mask, Table


@dataclass(frozen=True)
class Aggregate:
    """A figure for each label, language or group, which is expected to be at least ``low``."""

    figures: dict[str, float | None]  # None where the figure is undefined
    low: float
    checked: int  # rows, labels or groups that the figures rest on
    unexpected: int
    detail: str  # in words


def measure(name: str, table: Table, kept: Mask, params: ValidateParams) -> Aggregate:
    """Measure label_balance, language_mix or group_rows."""
    functions = {"label_balance": _labels, "language_mix": _languages, "group_rows": _groups}
    return functions[name](table, kept, params)


def _labels(table: Table, kept: Mask, params: ValidateParams) -> Aggregate:
    counts = table.columns["label"].counts(kept)
    shares = {label: counts.get(label, 0) / int(kept.sum()) for label in params.labels}
    low = params.min_label_share
    found = ", ".join(f"{label} {share:.1%}" for label, share in shares.items())
    return Aggregate(
        figures=dict(shares),
        low=low,
        checked=len(shares),
        unexpected=sum(share < low for share in shares.values()),
        detail=f"{found}; each is expected to be at least {low:.1%}",
    )


def _languages(table: Table, kept: Mask, params: ValidateParams) -> Aggregate:
    codes, counts = np.unique(table.profile.languages[kept], return_counts=True)
    rows = {language.name(int(code)): int(n) for code, n in zip(codes, counts, strict=True)}
    unclear = rows.pop(language.name(language.UNDETERMINED), 0)
    clear, right = sum(rows.values()), rows.pop(params.language, 0)
    share = right / clear if clear else None
    others = ", ".join(f"{name} {n}" for name, n in sorted(rows.items())) or "none"
    detail = f"{right} of the {clear} rows whose language is clear are {params.language}"
    return Aggregate(
        figures={params.language: share},
        low=params.min_language_share,
        checked=clear,
        unexpected=clear - right,
        detail=f"{detail} (at least {params.min_language_share:.1%} expected); others: {others}; "
        f"unclear: {unclear}",
    )


def _groups(table: Table, kept: Mask, params: ValidateParams) -> Aggregate:
    rows = {
        f"{group}={value}": count
        for group in params.groups
        for value, count in table.columns[group].counts(kept).items()
    }
    few = [f"{name} {count}" for name, count in rows.items() if count < params.min_group_rows]
    return Aggregate(
        figures=dict(rows),
        low=params.min_group_rows,
        checked=len(rows),
        unexpected=len(few),
        detail=f"groups of fewer than {params.min_group_rows} rows: {', '.join(few) or 'none'}",
    )
