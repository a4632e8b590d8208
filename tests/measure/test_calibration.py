"""Against hand computation, scikit-learn, and by counting how often the interval holds."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from pipeline.measure import calibration
from pipeline.measure.intervals import Bootstrap


def test_two_bins_by_hand() -> None:
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


@pytest.mark.parametrize("slope", [1.0, 0.9, 0.7])
def test_interval_holds_the_truth_whether_calibrated_or_not(slope: float) -> None:
    """The share of rows right is 0.5 + slope * (confidence - 0.5); an ordinary bootstrap of the
    error has the truth below its interval nearly always where the slope is 1."""
    draw = np.random.default_rng(1)

    def rows(n: int) -> tuple[np.ndarray, np.ndarray]:
        confidence = draw.uniform(0.5, 1, size=n)
        right = draw.random(n) < 0.5 + slope * (confidence - 0.5)
        return right.astype(np.int64), np.stack([1 - confidence, confidence], axis=1)

    truth = (1 - slope) / 4  # the mean of (1 - slope)(confidence - 0.5)
    held = 0
    for seed in range(200):
        found = calibration.calibration_error(*rows(600), 10, Bootstrap(0.95, 100, seed))
        held += found.low <= truth <= found.high
    assert held / 200 >= 0.93
