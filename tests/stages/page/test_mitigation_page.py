"""The part of the page on ways to treat groups alike: what is drawn where, what is said."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import page_cases
import pytest
import report_factory
from page_cases import make_page, read_page, replaced
from report_factory import estimate

from pipeline import reports
from pipeline.encoder.mitigation import METHODS
from pipeline.reports import Mitigation
from pipeline.stages.page import charts, mitigation, untested


def _report() -> Mitigation:
    audit: Any = report_factory.make()["audit"]
    left_out = {"augment": "no training text holds a gendered word"}
    return audit.mitigation.model_copy(update={"left_out": left_out})


def test_a_dot_stands_where_its_changes_are_with_its_intervals() -> None:
    """Against the frame by hand: x from 36 to 348 over -2 to 2, y from 184 to 26 over -1 to 1."""
    spot = charts.Spot(7, "best", estimate(-1.0, 1.0), estimate(0.5, 0.5))
    other = charts.Spot(8, "other", estimate(1.0, 1.0), estimate(-0.5, 0.5))
    drawn = ElementTree.fromstring(  # noqa: S314  # our own
        charts.scatter([spot, other], title="a & b", x_name="x", y_name="y")
    )
    dot = next(each for each in drawn.iter("circle") if each.get("class") == "spot best")
    assert (dot.get("cx"), dot.get("cy")) == ("114.0", "65.5")
    ends = ("x1", "y1", "x2", "y2")
    crosses = [
        tuple(each.get(end) for end in ends)
        for each in drawn.iter("line")
        if each.get("class") == "cross"
    ]
    assert ("36.0", "65.5", "192.0", "65.5") in crosses
    assert ("114.0", "105.0", "114.0", "26.0") in crosses


def test_every_way_is_explained_and_what_it_needs_is_said() -> None:
    assert set(METHODS) | {"reductions", "thresholds"} == set(mitigation.WAYS)
    view = mitigation.view(_report())
    none, resample, leace, thresholds, augment = (row[0] for row in view.ways.rows)
    assert none == "None: nothing is done."
    assert "LEACE" in leace
    assert "must be told each text's group" in thresholds
    assert "drawn at random" in thresholds
    assert "must be told" not in resample
    assert augment == "Augment, not evaluated: no training text holds a gendered word."
    assert view.legend == ("1 resample", "2 leace", "3 thresholds")


def test_figures_that_are_not_measured_are_not_drawn() -> None:
    ways = tuple(
        way
        if way.gap_change is None
        else way.model_copy(update={"gap_change": page_cases.UNDEFINED})
        for way in _report().methods
    )
    view = mitigation.view(_report().model_copy(update={"methods": ways}))
    assert view.picture is None
    assert "not measured" in view.ways.rows[1][3]


@pytest.mark.usefixtures("_workplace")
def test_the_page_says_why_nothing_was_compared() -> None:
    nothing = reports.Mitigation(
        column=None, constraint="equalized_odds", shipped="none", note="no column is named"
    )
    make_page(lambda made: replaced(made, "audit", mitigation=nothing))
    assert "Not compared: no column is named." in read_page()


def test_what_was_not_compared_is_among_what_could_not_be_tested() -> None:
    """A way that was left out, and once, not once a way, a gap that has too few rows."""
    made: Any = report_factory.make()
    gapless = tuple(
        way.model_copy(update={"gaps": {**way.gaps, "accuracy": page_cases.UNDEFINED}})
        for way in _report().methods
    )
    changed = _report().model_copy(update={"methods": gapless})
    audit = made["audit"].model_copy(update={"mitigation": changed})
    rows = [row for row in untested.table(made["evaluate"], audit).rows if "mitigation" in row[0]]
    assert rows == [
        ("audits: mitigation, augment", "no training text holds a gendered word"),
        ("audits: mitigation, gap of accuracy", "fewer than 50 rows"),
    ]


@pytest.mark.usefixtures("_workplace")
def test_the_page_names_the_shipped_and_the_best_way() -> None:
    make_page()
    page = read_page()
    assert "<strong>leace</strong>" in page
    assert "1 of 3 ways qualify" in page


@pytest.fixture
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
