"""The threshold against brute force over all cuts with scikit-learn's F1, and against noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from pipeline.encoder.threshold import best_cut, choose_shift, macro_f1

ROWS = st.lists(st.tuples(st.integers(-6, 6), st.integers(0, 1)), min_size=1, max_size=40)


def _f1(margins: np.ndarray, labels: np.ndarray) -> float:
    return float(f1_score(labels, margins > 0, average="macro", labels=np.unique(labels)))


def _logits(margins: np.ndarray) -> np.ndarray:
    return np.stack([-margins / 2, margins / 2], axis=1)


@settings(deadline=None)
@given(ROWS)
def test_macro_f1_is_scikit_learns(rows: list[tuple[int, int]]) -> None:
    margins, labels = (np.array(column) for column in zip(*rows, strict=True))
    said = margins > 0
    present = np.union1d(labels, said.astype(int))
    expected = f1_score(labels, said, average="macro", labels=present)
    assert macro_f1(margins, labels) == pytest.approx(expected)


@settings(deadline=None)
@given(ROWS)
def test_no_cut_is_better_than_the_best_cut(rows: list[tuple[int, int]]) -> None:
    margins, labels = (np.array(column, float) for column in zip(*rows, strict=True))
    cut = best_cut(margins, labels)
    cuts = np.unique(margins)[:-1] + 0.5  # margins are whole numbers
    scores = [_f1(margins - each, labels) for each in cuts if len(np.unique(labels)) == 2]
    if scores:
        assert _f1(margins - cut, labels) == pytest.approx(max(scores))
        assert not np.isin(cut, margins)


def test_a_rare_label_that_is_never_said_gets_a_shift() -> None:
    """All margins are negative, and the rare rows have the greatest: argmax never says 1."""
    labels = (np.arange(200) % 9 == 0).astype(int)
    margins = -3 + 2 * labels + np.random.default_rng(0).normal(size=200) * 0.3
    shift = choose_shift(_logits(margins), labels)
    shifted = _logits(margins) + np.array([0.0, shift])
    assert 1 < shift < 3
    assert f1_score(labels, shifted.argmax(1)) > 0.95 > f1_score(labels, margins > 0)


def test_a_threshold_that_is_right_already_is_rarely_moved_by_noise() -> None:
    """Rows whose probability is right: 0.5 is best, and what looks better is the sample's noise.

    Without the folds' consent nearly every one of these samples moves it.
    """
    rng = np.random.default_rng(0)
    moved = always = 0
    for _ in range(100):
        margins = rng.normal(size=300) * 2
        labels = (rng.random(300) < 1 / (1 + np.exp(-margins))).astype(int)
        moved += choose_shift(_logits(margins), labels) != 0
        always += macro_f1(margins - best_cut(margins, labels), labels) > macro_f1(margins, labels)
    assert always > 90
    assert moved < 8


@pytest.mark.parametrize("labels", [[0] * 20, [0, 0, 0, 0, 1] * 4, [1]])
def test_folds_without_both_labels_choose_nothing(labels: list[int]) -> None:
    margins = np.linspace(-1, 1, len(labels))
    assert choose_shift(_logits(margins), np.array(labels)) == 0


def test_equal_margins_leave_the_threshold_where_it_is() -> None:
    assert best_cut(np.ones(4), np.array([0, 1, 0, 1])) == 0
