"""The benchmarks on the page: every score with its interval, n and least effect, in words."""

from pathlib import Path
from typing import Any

import page_cases
import pytest
import report_factory
from page_cases import make_page, read_page

from pipeline.reports import Estimate
from pipeline.stages.audits import preferences as stage
from pipeline.stages.page import figures, preferences


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def reading(low: float, high: float) -> preferences.Reading:
    estimate = Estimate(point=(low + high) / 2, low=low, high=high, n=9, detectable=3.61)
    return preferences.Reading("x", estimate, 50.0, ("more", "less"), 1)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (50.1, 60.0, "more"),
        (40.0, 49.9, "less"),
        (49.0, 51.0, "no preference that chance cannot explain"),
        (50.0, 60.0, "no preference that chance cannot explain"),
    ],
)
def test_words_follow_the_interval_and_not_the_point(low: float, high: float, words: str) -> None:
    assert reading(low, high).words == words
    assert reading(low, high).least == "3.6"


def test_an_undefined_score_gives_its_reason_and_no_figure() -> None:
    why = preferences.Reading("x", page_cases.UNDEFINED, 50.0, ("more", "less"), 1)
    assert (why.words, why.least) == ("fewer than 50 rows", "")


def test_page_and_card_show_every_score_with_interval_n_and_least_effect() -> None:
    made: Any = report_factory.make()["audit"]
    make_page()
    page, card = read_page(), Path("build/report/model_card.md").read_text()
    listed = preferences.readings(made)
    assert len(listed) == 6
    for each in listed:
        shown = figures.figure(each.estimate, each.digits)
        assert shown in page
        assert shown in card
        if each.least:
            assert f">{each.least}<" in page
    for score in (made.intrinsic.stereoset.overall.icat, made.intrinsic.stereoset.overall.language):
        assert figures.figure(score, 1) in page
    assert "63 pairs" in page


def test_what_was_not_evaluated_is_said_with_the_reason_and_has_no_figure() -> None:
    make_page(page_cases.ODD["nothing audited"])
    page, card = " ".join(read_page().split()), Path("build/report/model_card.md").read_text()
    for text in (page, " ".join(card.split())):
        for name in ("StereoSet", "WinoBias", "AUL and AULA", "Word associations"):
            assert name in text
        assert stage.INCOMPETENT in text
    assert "WinoBias: his and her" not in page
    assert "Least seen" not in card
