"""Fairlearn's ways on a planted bias: the gap they bound, and that a seed fixes the answers."""

from typing import Any

import numpy as np
import pytest
from fairlearn.metrics import demographic_parity_difference
from sklearn.linear_model import LogisticRegression

from pipeline.measure.reductions import fit_reduction, fit_thresholds


def _rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features of which one tells the group; two in three positive women are labelled negative."""
    rng = np.random.default_rng(0)
    groups = rng.choice(["female", "male"], 1200)
    labels = rng.integers(0, 2, 1200)
    features = rng.normal(size=(1200, 4))
    features[:, 0] += 3 * labels
    features[:, 1] += 3 * (groups == "male")
    labels[(groups == "female") & (rng.random(1200) < 2 / 3)] = 0
    return features, labels, groups


def _gap(labels: np.ndarray, said: np.ndarray, groups: np.ndarray) -> float:
    return float(demographic_parity_difference(labels, said, sensitive_features=groups))


def test_reductions_bring_the_gap_near_their_bound_without_being_told_groups() -> None:
    features, labels, groups = _rows()
    plain = LogisticRegression().fit(features, labels).predict(features)
    fit = dict[str, Any](constraint="demographic_parity", l2=1e-3, seed=1)
    said = fit_reduction(features, labels, groups, **fit)(features)
    assert _gap(labels, plain, groups) > 0.25
    assert _gap(labels, said, groups) < 0.1
    np.testing.assert_array_equal(said, fit_reduction(features, labels, groups, **fit)(features))


def test_thresholds_by_group_close_the_gap_and_a_new_group_has_the_usual_one() -> None:
    features, labels, groups = _rows()
    probabilities = LogisticRegression().fit(features, labels).predict_proba(features)[:, 1]
    answer = fit_thresholds(probabilities, labels, groups, "demographic_parity", 1)
    said = answer(probabilities, groups)
    assert _gap(labels, probabilities > 0.5, groups) > 0.25
    assert _gap(labels, said, groups) < 0.05
    np.testing.assert_array_equal(said, answer(probabilities, groups))
    new = np.array(["other"] * len(groups))
    np.testing.assert_array_equal(answer(probabilities, new), probabilities > 0.5)


@pytest.mark.parametrize("constraint", ["equalized_odds", "demographic_parity"])
def test_predictions_are_labels(constraint: Any) -> None:
    features, labels, groups = _rows()
    fit = dict[str, Any](constraint=constraint, l2=0.0, seed=1)
    said = fit_reduction(features, labels, groups, **fit)(features[:50])
    assert said.dtype == np.int64
    assert set(said) <= {0, 1}
