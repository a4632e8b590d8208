"""What a page is made of: tables, dot-and-interval tables, charts. No HTML but a chart's SVG."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pipeline.reports import Estimate
from pipeline.stages.page import charts, figures
from pipeline.stages.page.language import reported


@dataclass(frozen=True)
class Table:
    """Rows below a heading; a row's first cell is its heading."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int] = frozenset()  # indices of the columns that hold numbers

    @property
    def stacks(self) -> bool:
        """Whether a narrow screen has no room for the columns, and shows each row as a list."""
        return len(self.columns) > 4 or len(self.numeric) < len(self.columns) - 1


@dataclass(frozen=True)
class Mark:
    """A figure to draw in a row of `Intervals`."""

    label: str
    estimate: Estimate
    kind: str = "model"  # of the dot: model, rival, floor
    limit: float | None = None  # a rule's threshold on this figure


@dataclass(frozen=True)
class IntervalRow:
    """A figure in words and as a strip."""

    label: str
    strip: Markup
    figure: str
    note: str  # why it is undefined


@dataclass(frozen=True)
class Intervals:
    """A dot-and-interval chart that is a table: groups of rows over one axis."""

    caption: str
    groups: tuple[tuple[str, tuple[IntervalRow, ...]], ...]  # heading (may be empty), rows
    scale: Markup
    reference: str  # what the reference line means; empty where there is none
    limit: str  # what the limit line means; empty where there is none


@dataclass(frozen=True)
class Chart:
    """A line chart with its legend: swatch and name."""

    caption: str
    svg: Markup
    legend: tuple[tuple[Markup, str], ...]


def intervals(
    caption: str,
    groups: Iterable[tuple[str, Sequence[Mark]]],
    *,
    reference: tuple[float, str] | None = None,
    limit_name: str = "",
    include: Sequence[float] = (),
    digits: int = 3,
) -> Intervals:
    """Draw groups of marks over one axis, which covers the reference, limits and ``include``."""
    listed = [(heading, tuple(marks)) for heading, marks in groups]
    marks = [mark for _, group in listed for mark in group]
    limits = [mark.limit for mark in marks if mark.limit is not None]
    at = None if reference is None else reference[0]
    extra = [*include, *limits, *([] if at is None else [at])]
    axis = charts.estimate_axis([mark.estimate for mark in marks], extra)
    return Intervals(
        caption,
        tuple(
            (heading, tuple(_row(mark, axis, at, digits) for mark in group))
            for heading, group in listed
        ),
        charts.scale(axis),
        "" if reference is None else reference[1],
        limit_name if limits else "",
    )


def _row(mark: Mark, axis: charts.Axis, reference: float | None, digits: int) -> IntervalRow:
    drawn = charts.strip(mark.estimate, axis, mark.kind, reference, mark.limit)
    note = reported(mark.estimate.note) if mark.estimate.point is None else ""
    return IntervalRow(mark.label, drawn, figures.figure(mark.estimate, digits), note)


def chart(
    caption: str,
    lines: Sequence[charts.Line],
    levels: Sequence[charts.Level] = (),
    *,
    title: str,
    axes: tuple[str, str],
    marked: tuple[float, str] | None = None,
) -> Chart:
    """Draw a line chart and its legend; ``axes`` are the names of x and y."""
    svg = charts.line_chart(
        lines,
        levels,
        title=title,
        x_name=axes[0],
        y_name=axes[1],
        marked_x=None if marked is None else marked[0],
    )
    legend = [(charts.swatch(f"line {line.kind}"), line.name) for line in lines]
    legend += [(charts.swatch(f"level {level.kind}"), level.name) for level in levels]
    if marked is not None:
        legend.append((charts.swatch("mark"), marked[1]))
    return Chart(caption, svg, tuple(legend))
