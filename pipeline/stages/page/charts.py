"""Charts as inline SVG: numbers in, markup out. Colours are classes of templates/style.css.

A strip is one row of a dot-and-interval chart. Its x-coordinates are percentages, so that it
takes the width of its table cell while lines, dots and text keep their size.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pipeline.reports import Estimate
from pipeline.stages.page import figures
from pipeline.stages.page.language import say

_MANTISSAS = (1.0, 2.0, 2.5, 5.0, 10.0)
_MAX_DOTS = 24  # with more points than this only the line is drawn

# The sizes of a line chart, in units that are pixels on a phone.
_WIDTH, _HEIGHT = 360, 224
_LEFT, _RIGHT, _TOP, _BOTTOM = 36, 348, 26, 184


@dataclass(frozen=True)
class Axis:
    """A linear scale with round ticks; the first and the last are its ends."""

    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Return where ``value`` lies between the ends, 0 to 1; beyond them, at the end."""
        low, high = self.ticks[0], self.ticks[-1]
        return min(max((value - low) / (high - low), 0.0), 1.0)


@dataclass(frozen=True)
class Line:
    """A series of (x, y), drawn in the style ``kind``: train or heldout."""

    name: str
    kind: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Level:
    """A horizontal line to compare with, drawn in the style ``kind``: first or second."""

    name: str
    kind: str
    value: float


@dataclass(frozen=True)
class Spot:
    """A numbered point whose coordinates, both defined, have intervals; kind: best or other."""

    number: int
    kind: str
    x: Estimate
    y: Estimate


def round_axis(values: Iterable[float], steps: int = 4) -> Axis:
    """Return an axis of about ``steps`` round steps that covers the values."""
    known = list(values)
    low, high = min(known), max(known)
    if high - low < 1e-6 * max(1.0, abs(high)):  # the page shows no smaller difference
        low, high = low - 0.5, high + 0.5
    step = _round_step((high - low) / steps)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return Axis(tuple(round(index * step, 10) for index in range(first, last + 1)))


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return power * next(m for m in _MANTISSAS if m >= rough / power - 1e-9)


def estimate_axis(estimates: Iterable[Estimate], include: Sequence[float] = ()) -> Axis:
    """Return an axis that covers every point and bound, and the values to include."""
    bounds = [v for e in estimates for v in (e.point, e.low, e.high) if v is not None]
    return round_axis([*bounds, *include] or [0.0, 1.0])


def strip(
    estimate: Estimate,
    axis: Axis,
    kind: str = "model",
    reference: float | None = None,
    limit: float | None = None,
) -> Markup:
    """Return a dot with its interval, over the lines of a reference and of a limit."""
    marks = [_rule("grid", axis.share(tick)) for tick in axis.ticks]
    if reference is not None:
        marks.append(_rule("reference", axis.share(reference)))
    if limit is not None:
        marks.append(_rule("limit", axis.share(limit)))
    if estimate.low is not None and estimate.high is not None:
        marks.append(_bar(axis.share(estimate.low), axis.share(estimate.high)))
    if estimate.point is not None:
        marks.append(
            Markup('<circle cx="{:.2f}%" cy="11" r="3.5"/>').format(
                100 * axis.share(estimate.point)
            )
        )
    title = say(
        "%(figure)s, on a scale from %(low)s to %(high)s",
        figure=figures.figure(estimate),
        low=f"{axis.ticks[0]:g}",
        high=f"{axis.ticks[-1]:g}",
    )
    return Markup(
        '<svg class="strip {}" role="img" height="22" width="100%"><title>{}</title>{}</svg>'
    ).format(kind, title, Markup("").join(marks))


def _rule(kind: str, share: float) -> Markup:
    x = 100 * share
    return Markup('<line class="{}" x1="{:.2f}%" x2="{:.2f}%" y1="0" y2="22"/>').format(kind, x, x)


def _bar(low: float, high: float) -> Markup:
    """Return the interval; its ends are upright, so that they show beside the dot."""
    ends = [(low, high, 11, 11), (low, low, 6, 16), (high, high, 6, 16)]
    return Markup("").join(
        Markup('<line class="bar" x1="{:.2f}%" x2="{:.2f}%" y1="{}" y2="{}"/>').format(
            100 * x1, 100 * x2, y1, y2
        )
        for x1, x2, y1, y2 in ends
    )


def scale(axis: Axis) -> Markup:
    """Return the ticks' values, to stand below strips of the same axis."""
    last = len(axis.ticks) - 1
    anchors = {0: "start", last: "end"}
    labels = [
        Markup('<text x="{:.2f}%" y="12" text-anchor="{}">{}</text>').format(
            100 * axis.share(tick), anchors.get(index, "middle"), f"{tick:g}"
        )
        for index, tick in enumerate(axis.ticks)
    ]
    return Markup('<svg class="scale" height="16" width="100%" aria-hidden="true">{}</svg>').format(
        Markup("").join(labels)
    )


def line_chart(
    lines: Sequence[Line],
    levels: Sequence[Level] = (),
    *,
    title: str,
    x_name: str,
    y_name: str,
    marked_x: float | None = None,
) -> Markup:
    """Return the lines and levels over shared axes; ``marked_x`` is a vertical line."""
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points] + [level.value for level in levels]
    across, up = round_axis([0.0, *xs]), round_axis(ys)
    parts = [_y_ticks(up), _x_ticks(across), _axis_names(x_name, y_name)]
    if marked_x is not None:
        x = _x(across, marked_x)
        parts.append(_segment("mark", x, _TOP, x, _BOTTOM))
    parts += [_level(level, up) for level in levels]
    parts += [_line(line, across, up) for line in lines]
    return Markup(
        '<svg class="chart" role="img" viewBox="0 0 {} {}"><title>{}</title>{}</svg>'
    ).format(_WIDTH, _HEIGHT, title, Markup("").join(parts))


def _x(axis: Axis, value: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * axis.share(value)


def _y(axis: Axis, value: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * axis.share(value)


def _segment(kind: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(
        kind, x1, y1, x2, y2
    )


def _text(x: float, y: float, anchor: str, text: str) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        x, y, anchor, text
    )


def _y_ticks(axis: Axis) -> Markup:
    heights = [(tick, _y(axis, tick)) for tick in axis.ticks]
    return Markup("").join(
        _segment("grid", _LEFT, y, _RIGHT, y) + _text(_LEFT - 6, y + 4, "end", f"{tick:g}")
        for tick, y in heights
    )


def _x_ticks(axis: Axis) -> Markup:
    return Markup("").join(
        _text(_x(axis, tick), _BOTTOM + 16, "middle", _short(tick)) for tick in axis.ticks
    )


def _short(value: float) -> str:
    """Return a tick's value in thousands or millions where it is long."""
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{suffix}"
    return f"{value:g}"


def _axis_names(x_name: str, y_name: str) -> Markup:
    return _text(0, 12, "start", y_name) + _text(_RIGHT, _HEIGHT - 6, "end", x_name)


def _level(level: Level, axis: Axis) -> Markup:
    y = _y(axis, level.value)
    return _segment(f"level {level.kind}", _LEFT, y, _RIGHT, y)


def _line(line: Line, across: Axis, up: Axis) -> Markup:
    places = [(_x(across, x), _y(up, y)) for x, y in line.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    drawn = Markup('<polyline class="line {}" points="{}"/>').format(line.kind, path)
    if len(places) > _MAX_DOTS:
        return drawn
    return drawn + Markup("").join(
        Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="2.5"/>').format(line.kind, x, y)
        for x, y in places
    )


def scatter(spots: Sequence[Spot], *, title: str, x_name: str, y_name: str) -> Markup:
    """Return numbered dots with their intervals, over lines through 0 on both axes."""
    across = estimate_axis([spot.x for spot in spots], [0.0])
    up = estimate_axis([spot.y for spot in spots], [0.0])
    x, y = _x(across, 0.0), _y(up, 0.0)
    parts = [_y_ticks(up), _x_ticks(across), _axis_names(x_name, y_name)]
    parts += [_segment("mark", x, _TOP, x, _BOTTOM), _segment("mark", _LEFT, y, _RIGHT, y)]
    parts += [_cross(spot, across, up) for spot in spots]
    parts += [_numbered(spot, across, up) for spot in spots]  # drawn last, above every cross
    return Markup(
        '<svg class="chart" role="img" viewBox="0 0 {} {}"><title>{}</title>{}</svg>'
    ).format(_WIDTH, _HEIGHT, title, Markup("").join(parts))


def _cross(spot: Spot, across: Axis, up: Axis) -> Markup:
    x, y = _x(across, spot.x.point or 0.0), _y(up, spot.y.point or 0.0)
    bars = Markup("")
    if spot.x.low is not None and spot.x.high is not None:
        bars += _segment("cross", _x(across, spot.x.low), y, _x(across, spot.x.high), y)
    if spot.y.low is not None and spot.y.high is not None:
        bars += _segment("cross", x, _y(up, spot.y.low), x, _y(up, spot.y.high))
    return bars


def _numbered(spot: Spot, across: Axis, up: Axis) -> Markup:
    x, y = _x(across, spot.x.point or 0.0), _y(up, spot.y.point or 0.0)
    return Markup('<circle class="spot {}" cx="{:.1f}" cy="{:.1f}" r="8"/>').format(
        spot.kind, x, y
    ) + Markup('<text class="spot {}" x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>').format(
        spot.kind, x, y + 4, spot.number
    )


def swatch(kind: str) -> Markup:
    """Return the short piece of line that a legend shows."""
    return Markup(
        '<svg class="swatch" width="26" height="10" aria-hidden="true">'
        '<line class="{}" x1="1" x2="25" y1="5" y2="5"/></svg>'
    ).format(kind)
