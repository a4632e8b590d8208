"""What could not be tested, and why: every undefined figure and every group left out."""

from collections.abc import Iterator
from typing import Any

from pipeline.reports import (
    AuditReport,
    Estimate,
    EvaluateReport,
    GroupScore,
    Mitigation,
    Report,
)
from pipeline.stages.page import figures, names, shapes
from pipeline.stages.page.language import reported, say


def undefined(report: Report) -> Iterator[tuple[str, str]]:
    """Yield the place and the reason of each figure of a report that has no point."""
    yield from _walk(report, ())


def _walk(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(value, Estimate):
        if value.point is None:
            yield (
                _place(path),
                say(
                    "%(reason)s (n = %(n)s)",
                    reason=reported(value.note or "no reason given"),
                    n=figures.count(value.n),
                ),
            )
        return
    if isinstance(value, GroupScore) and not value.rows:
        yield _place(path), say("no test rows, so nothing was measured (n = 0)")
        return
    if isinstance(value, Mitigation):
        yield from _mitigation(value)
        return
    for name, item in _items(value):
        yield from _walk(item, (*path, name) if name else path)


def _place(path: tuple[str, ...]) -> str:
    return say(", ").join(path)


def _mitigation(report: Mitigation) -> Iterator[tuple[str, str]]:
    """Yield what was not compared; a gap that no method has is listed once for all methods."""
    if report.note:
        yield say("mitigation"), reported(report.note)
    yield from (
        (say("mitigation, %(method)s", method=method), reported(why))
        for method, why in report.left_out.items()
    )
    for score in report.methods[:1]:
        for metric, gap in score.gaps.items():
            if gap.point is None:
                name = names.plain(metric, first=False)
                yield say("mitigation, gap of %(metric)s", metric=name), reported(gap.note)


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the named parts of a report, a mapping or a tuple; others have none."""
    if isinstance(value, Report):
        for field in type(value).model_fields:
            yield names.plain(field, first=False), getattr(value, field)
    elif isinstance(value, dict):
        yield from ((names.group(name), item) for name, item in value.items())
    elif isinstance(value, tuple):
        for item in value:
            yield _identity(item), item


def _identity(item: Any) -> str:
    """Return what distinguishes an item of a tuple from the others."""
    keys = ("name", "column", "metric", "value", "label")
    words = [names.plain(getattr(item, key, ""), first=False) for key in keys]
    return " ".join(word for word in words if word)


def left_out(report: AuditReport) -> list[tuple[str, str]]:
    """Return each group that gaps leave out, and why; one line for gaps of the same reason."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for gap in report.gaps:
        for value, reason in gap.groups_left_out.items():
            metrics = found.setdefault((gap.column, value, reason), [])
            metrics.append(names.plain(gap.metric, first=False))
    return [
        (
            say(
                "%(column)s %(value)s: gap of %(metrics)s",
                column=names.plain(column, first=False),
                value=names.group(value),
                metrics=figures.listing(metrics),
            ),
            reported(reason),
        )
        for (column, value, reason), metrics in found.items()
    ]


def table(evaluate: EvaluateReport, audit: AuditReport) -> shapes.Table | None:
    """Everything that was not measured; None where all of it was."""
    rows = [
        *((say("scores: %(place)s", place=at), reason) for at, reason in undefined(evaluate)),
        *((say("audits: %(place)s", place=at), reason) for at, reason in undefined(audit)),
        *left_out(audit),
    ]
    if not rows:
        return None
    columns = (say("Figure"), say("Why"))
    return shapes.Table(say("Figures that could not be measured"), columns, tuple(rows))
