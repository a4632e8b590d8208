"""Probes against scikit-learn's score, and where a line finds nothing and a bent one does."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from pipeline.measure import probes
from pipeline.measure.intervals import Bootstrap

BOOTSTRAP = Bootstrap(0.95, 300, 1)


def _rows(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Groups with one mean and different spreads: their cross-covariance with features is 0."""
    rng = np.random.default_rng(seed)
    groups = rng.choice(["a", "b"], 3000, p=[0.2, 0.8])
    spread = np.where(groups == "a", 3.0, 0.7)[:, None]
    return rng.normal(size=(3000, 6)) * spread, groups


def test_what_no_line_finds_a_nonlinear_probe_finds_still() -> None:
    """A line cannot tell spreads apart but by where it cuts, which is worth next to nothing."""
    (train, groups), (test, others) = _rows(0), _rows(1)
    found = {}
    for kind in probes.KINDS:
        probe = probes.fit_probe(kind, train, groups, seed=1)
        score = probes.score_probe(probe, test, others, BOOTSTRAP)
        expected = balanced_accuracy_score(others, probe.predict(test))
        assert score.point == pytest.approx(expected)
        assert score.low <= score.point <= score.high
        found[kind] = score
    assert found["linear"].high < 0.6
    assert found["nonlinear"].low > 0.8


def test_a_rare_group_weighs_as_much_as_a_frequent_one() -> None:
    """A probe that says the frequent group always is no better than guessing."""

    class Constant:
        def predict(self, features: np.ndarray) -> np.ndarray:
            return np.full(len(features), "b")

    test, groups = _rows(1)
    score = probes.score_probe(Constant(), test, groups, BOOTSTRAP)
    assert score.point == pytest.approx(0.5)
