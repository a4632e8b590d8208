"""Charts: what is drawn where, against arithmetic by hand."""

import itertools
from xml.etree import ElementTree

import page_cases
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.reports import Estimate
from pipeline.stages.page import charts


def parse_svg(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314  # our own


@settings(deadline=None)  # the machine's load is not at issue
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8))
def test_an_axis_covers_its_values_with_few_even_ticks(values: list[float]) -> None:
    ticks = charts.round_axis(values).ticks
    slack = 1e-6 * (ticks[-1] - ticks[0])  # far less than a pixel
    assert ticks[0] <= min(values) + slack
    assert ticks[-1] >= max(values) - slack
    assert 2 <= len(ticks) <= 7
    steps = [b - a for a, b in itertools.pairwise(ticks)]
    assert max(steps) - min(steps) <= slack


def test_a_strip_puts_dot_interval_and_limit_where_they_are() -> None:
    """Against percentages by hand on an axis from 0 to 2."""
    axis = charts.Axis((0.0, 1.0, 2.0))
    estimate = Estimate(point=0.5, low=0.25, high=1.0, n=10)
    drawn = parse_svg(charts.strip(estimate, axis, reference=1.5, limit=2.0))
    (dot,) = drawn.iter("circle")
    assert dot.get("cx") == "25.00%"
    lines = [(line.get("class"), line.get("x1"), line.get("x2")) for line in drawn.iter("line")]
    assert ("bar", "12.50%", "50.00%") in lines
    assert ("reference", "75.00%", "75.00%") in lines
    assert ("limit", "100.00%", "100.00%") in lines
    undefined = parse_svg(charts.strip(page_cases.UNDEFINED, axis))
    assert not list(undefined.iter("circle"))


def test_a_line_chart_falls_where_the_loss_falls() -> None:
    """Against the plot's frame: x from 36 to 348 over 0 to 100, y from 184 to 26 over 2 to 10."""
    line = charts.Line("held <out>", "heldout", ((0.0, 10.0), (50.0, 6.0), (100.0, 2.0)))
    level = charts.Level("even", "first", 10.0)
    chart = charts.line_chart([line], [level], title="a & <b>", x_name="x", y_name="y")
    drawn = parse_svg(chart)
    (path,) = drawn.iter("polyline")
    assert path.get("points") == "36.0,26.0 192.0,105.0 348.0,184.0"
    assert drawn.findtext("title") == "a & <b>"
    (flat,) = [each for each in drawn.iter("line") if "level" in str(each.get("class"))]
    assert flat.get("y1") == flat.get("y2") == "26.0"
