"""That pictures are the same bytes twice, and hold what they are of."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from pipeline.measure import plots
from pipeline.measure.calibration import Bins
from pipeline.measure.intervals import undefined, wilson
from pipeline.reports import Detectable, Gap

HALF = np.array([0.0, 0.4, 1.0])
GAP = Gap(
    column="gender",
    metric="true_positive_rate",
    gap=wilson(3, 10, 0.95),
    widest=("f", "m"),
    p_value=0.3,
    detectable=Detectable(gap=0.1, power=0.8, n=9, note="a and b"),
    groups_compared=("f", "m"),
    groups_left_out={},
)
FIGURES = {
    "confusion": (lambda: plots.confusion([[5, 1], [2, 7]], ["no", "yes"]), ">7<"),
    "reliability": (lambda: plots.reliability(Bins(np.array([2, 2]), HALF[1:], HALF[1:])), "right"),
    "roc": (lambda: plots.roc({"yes": (HALF, HALF)}), "false positive rate"),
    "intervals": (lambda: plots.intervals({"film": wilson(7, 9, 0.95)}, "share"), "film (n=9)"),
    "gaps": (lambda: plots.gaps([GAP]), "gender: true positive rate (n=10)"),
}


@pytest.mark.parametrize("name", FIGURES)
def test_equal_figures_are_equal_bytes_without_a_date(name: str, tmp_path: Path) -> None:
    draw, words = FIGURES[name]
    for copy in ("a.svg", "b.svg"):
        plots.save(draw(), tmp_path / copy)
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert text == (tmp_path / "b.svg").read_text(encoding="utf-8")
    assert words in text
    assert "<dc:date>" not in text


def ticks(figure: Figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def test_an_undefined_gap_is_not_drawn_as_zero() -> None:
    hidden = GAP.model_copy(update={"gap": undefined(4, 0.95, "too few"), "metric": "accuracy"})
    assert ticks(plots.gaps([GAP, hidden])) == ["gender: true positive rate (n=10)"]
    assert ticks(plots.gaps([hidden])) == []


def test_many_labels_are_drawn_without_their_names() -> None:
    names = [f"label {k}" for k in range(30)]
    assert not plots.confusion(np.eye(30, dtype=int).tolist(), names).axes[0].texts
    assert plots.roc(dict.fromkeys(names, (HALF, HALF))).axes[0].get_legend() is None


def test_a_label_that_our_fonts_have_not_is_text_all_the_same(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plots.save(plots.confusion([[5, 1], [2, 7]], ["差", "很好"]), tmp_path / "a.svg")
    assert ">很好<" in (tmp_path / "a.svg").read_text(encoding="utf-8")
