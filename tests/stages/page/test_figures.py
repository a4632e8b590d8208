"""Figures as text: rounded, never without interval and n."""

import pytest

from pipeline.reports import Estimate
from pipeline.stages.page import figures


@pytest.mark.parametrize(
    ("estimate", "digits", "text"),
    [
        (
            Estimate(point=0.79412, low=0.7809, high=0.8061, n=4167),
            3,
            "0.794 [0.781, 0.806], n = 4,167",
        ),
        (Estimate(point=54.31, low=51.77, high=56.83, n=1508), 1, "54.3 [51.8, 56.8], n = 1,508"),
        (Estimate(point=-0.0004, low=-0.0104, high=0.0004, n=9), 3, "0.000 [-0.010, 0.000], n = 9"),
        (Estimate(point=None, low=None, high=None, n=7), 3, "not measured, n = 7"),
        (Estimate(point=0.03, low=None, high=0.08, n=70), 3, "0.030, at most 0.080, n = 70"),
        (Estimate(point=0.03, low=None, high=None, n=70), 3, "0.030, no interval, n = 70"),
    ],
)
def test_a_figure_is_rounded_and_keeps_interval_and_n(
    estimate: Estimate, digits: int, text: str
) -> None:
    """Against rounding by hand."""
    assert figures.figure(estimate, digits) == text


@pytest.mark.parametrize(
    ("p", "text"), [(None, "not measured"), (0.0, "below 0.001"), (0.0194, "0.019"), (1.0, "1.000")]
)
def test_a_p_value_is_never_zero(p: float | None, text: str) -> None:
    assert figures.p_value(p) == text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("the rows are too few", "The rows are too few."),
        ("validate.personal_share is 1", "validate.personal_share is 1."),
        ("none. Why?", "None. Why?"),
    ],
)
def test_a_sentence_begins_with_a_capital_but_a_fields_name_is_left(
    text: str, sentence: str
) -> None:
    assert figures.sentence(text) == sentence
