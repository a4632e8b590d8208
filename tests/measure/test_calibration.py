"""Against hand computation, scikit-learn, and by counting how often the interval holds."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from pipeline.measure import calibration
from pipeline.measure.intervals import Bootstrap


def test_calibration_error_of_two_bins_equals_that_by_hand() -> None:
    """Confidences .6 .6 | .9 .9, right in 1 of 2 and 2 of 2: (|.1| * 2 + |-.1| * 2) / 4 = .1."""
    chance = np.array([0.6, 0.6, 0.1, 0.9])
    table = np.stack([1 - chance, chance], axis=1)
    labels = np.array([1, 0, 0, 1])
    found = calibration.calibration_error(labels, table, 2, Bootstrap(0.95, 200, 1))
    assert found.point == pytest.approx(0.1)
    bins = calibration.reliability(labels, table, 2)
    assert bins.rows.tolist() == [2, 2]
    assert bins.confidence == pytest.approx([0.6, 0.9])
    assert bins.accuracy == pytest.approx([0.5, 1.0])


def test_bins_have_equal_mass_and_equal_values_stay_together() -> None:
    draw = np.random.default_rng(0)
    table = draw.dirichlet(np.ones(3), size=1500)
    bins = calibration.reliability(np.zeros(1500, dtype=np.int64), table, 15)
    assert set(bins.rows.tolist()) <= {99, 100, 101}
    constant = np.tile([0.3, 0.7], (40, 1))
    assert calibration.reliability(np.ones(40, dtype=np.int64), constant, 15).rows.tolist() == [40]


def test_brier_is_scikit_learns() -> None:
    draw = np.random.default_rng(0)
    for K in (2, 3):
        table, labels = draw.dirichlet(np.ones(K), size=50), draw.integers(K, size=50)
        mine = calibration.brier_losses(labels, table).mean()
        known = brier_score_loss(labels, table if K > 2 else table[:, 1], labels=range(K))
        assert mine == pytest.approx(known)


def shares(slope: float, rows: int, worlds: int) -> tuple[float, float, float]:
    """Return how often the truth is below and above the interval, and the mean lower bound.

    The share of rows right is 0.5 + slope * (confidence - 0.5), so that the error is the mean of
    (1 - slope) (confidence - 0.5).
    """
    draw, truth = np.random.default_rng(1), (1 - slope) / 4
    below = above = 0
    lows = []
    for seed in range(worlds):
        confidence = draw.uniform(0.5, 1, size=rows)
        labels = (draw.random(rows) < 0.5 + slope * (confidence - 0.5)).astype(np.int64)
        table = np.stack([1 - confidence, confidence], axis=1)
        found = calibration.calibration_error(labels, table, 10, Bootstrap(0.95, 100, seed))
        below += truth < found.low
        above += truth > found.high
        lows.append(found.low)
    return below / worlds, above / worlds, float(np.mean(lows))


@pytest.mark.parametrize(("slope", "rows"), [(1.0, 600), (0.9, 600), (0.2, 2000)])
def test_interval_holds_the_truth_whether_calibrated_or_not(slope: float, rows: int) -> None:
    """An ordinary bootstrap has the truth below its interval nearly always where the slope is 1."""
    below, above, _ = shares(slope, rows, worlds=200)
    assert below <= 0.05
    assert above <= 0.05


def test_a_calibration_error_that_is_large_is_told_from_none() -> None:
    assert shares(0.2, 2000, worlds=20)[2] > 0.13  # the truth is 0.2
