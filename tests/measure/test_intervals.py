"""Against SciPy, against theory, and by counting how often intervals hold the truth."""

import numpy as np
import pytest
from scipy import stats

from pipeline.measure import intervals
from pipeline.measure.intervals import Bootstrap

QUICK = Bootstrap(confidence=0.95, resamples=400, seed=1)


@pytest.mark.parametrize(("successes", "n"), [(8, 10), (0, 20), (20, 20), (1, 1), (310, 4000)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_wilson_intervals_equal_scipys(successes: int, n: int, confidence: float) -> None:
    found = intervals.wilson(successes, n, confidence)
    known = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    assert (found.point, found.n) == (successes / n, n)
    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=1e-12)


def test_wilson_holds_the_truth_as_often_as_it_says() -> None:
    n, truth = 60, 0.85
    chances = stats.binom.pmf(np.arange(n + 1), n, truth)
    found = [intervals.wilson(k, n, 0.95) for k in range(n + 1)]
    coverage = sum(p for p, e in zip(chances, found, strict=True) if e.low <= truth <= e.high)
    assert 0.93 <= coverage <= 0.98


def test_no_rows_is_undefined_and_not_zero() -> None:
    for found in (intervals.wilson(0, 0, 0.95), intervals.bootstrap_mean(np.empty(0), QUICK)):
        assert (found.point, found.low, found.high, found.n) == (None, None, None, 0)
        assert found.note == "no rows"


def test_the_mean_of_one_row_has_no_interval_rather_than_one_without_width() -> None:
    found = intervals.bootstrap_mean(np.array([0.3]), QUICK)
    assert (found.point, found.low, found.high) == (0.3, None, None)


def test_weights_are_multinomial_counts_and_repeatable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "_CHUNK_CELLS", 70)  # several chunks, the last one short
    chunks = list(intervals.resample_weights(10, Bootstrap(0.95, 1000, 3)))
    weights = np.concatenate(chunks)
    assert len(chunks) > 100
    assert weights.shape == (1000, 10)
    assert (weights.sum(axis=1) == 10).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(10), abs=0.15)
    assert weights.var() == pytest.approx(0.9, abs=0.05)  # n p (1 - p), p = 1/10
    again = np.concatenate(list(intervals.resample_weights(10, Bootstrap(0.95, 1000, 3))))
    assert (weights == again).all()


def test_bootstrap_of_a_mean_agrees_with_its_standard_error() -> None:
    values = np.random.default_rng(0).normal(size=400)
    found = intervals.bootstrap_mean(values, Bootstrap(0.95, 4000, 1))
    half = 1.96 * values.std() / 20
    assert found.point == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx(
        (values.mean() - half, values.mean() + half), abs=0.01
    )


def test_bootstrap_of_a_mean_holds_the_truth_as_often_as_it_says() -> None:
    draw = np.random.default_rng(5)
    held = 0
    for seed in range(400):
        found = intervals.bootstrap_mean(draw.exponential(size=100), Bootstrap(0.95, 200, seed))
        held += found.low <= 1 <= found.high
    assert 0.90 <= held / 400 <= 0.97  # a percentile interval of a skewed mean is a little short


def test_undefined_resamples_take_away_the_interval_once_they_could_fill_a_tail() -> None:
    draws = np.linspace(0, 1, 1000)
    draws[:25] = np.nan
    assert intervals.percentile(0.5, draws, 9, 0.95).low is not None
    draws[25] = np.nan
    found = intervals.percentile(0.5, draws, 9, 0.95)
    assert (found.point, found.low, found.high) == (0.5, None, None)
    assert "undefined" in found.note
