"""Against hand computation, fairlearn, and by simulating worlds with and without a gap."""

import itertools

import numpy as np
import pytest
from fairlearn.metrics import (
    MetricFrame,
    false_positive_rate,
    selection_rate,
    true_positive_rate,
)
from sklearn.metrics import accuracy_score

from pipeline.measure import fairness
from pipeline.measure.intervals import Bootstrap
from pipeline.measure.outcomes import Outcomes

BOOTSTRAP = Bootstrap(confidence=0.95, resamples=300, seed=1)
FAIRLEARN = {
    "accuracy": accuracy_score,
    "selection_rate": selection_rate,
    "true_positive_rate": true_positive_rate,
    "false_positive_rate": false_positive_rate,
}


def outcomes(labels: np.ndarray, predicted: np.ndarray, K: int = 2) -> Outcomes:
    return Outcomes(labels, np.eye(K)[predicted], [f"label {k}" for k in range(K)])


def world(n: int, seed: int, K: int = 2) -> tuple[Outcomes, np.ndarray]:
    draw = np.random.default_rng(seed)
    labels, groups = draw.integers(K, size=n), draw.choice(["a", "b", "c"], size=n)
    predicted = np.where(draw.random(n) < 0.7, labels, draw.integers(K, size=n))
    return outcomes(labels, predicted, K), groups


def test_rates_by_hand_and_a_declared_group_without_rows_stays() -> None:
    labels, predicted = np.array([1, 1, 0, 0, 1]), np.array([1, 0, 1, 0, 1])
    groups = np.array(["f", "f", "f", "f", "m"])
    f, m, x = fairness.group_scores(outcomes(labels, predicted), groups, ["f", "m", "x"], 0.95)
    assert (f.rows, f.positives, f.accuracy.point, f.selection_rate.point) == (4, 2, 0.5, 0.5)
    assert (f.true_positive_rate.point, f.true_positive_rate.n) == (0.5, 2)
    assert (f.false_positive_rate.point, f.false_positive_rate.n) == (0.5, 2)
    assert (m.true_positive_rate.point, m.false_positive_rate.point) == (1, None)
    assert (x.value, x.rows, x.accuracy.point, x.true_positive_rate.point) == ("x", 0, None, None)


@pytest.mark.parametrize("seed", range(3))
def test_points_are_fairlearns(seed: int) -> None:
    answers, groups = world(300, seed)
    found = fairness.gaps(answers, "g", groups, "abc", min_rows=1, bootstrap=BOOTSTRAP)
    for gap in found:
        frame = MetricFrame(
            metrics=FAIRLEARN[gap.metric],
            y_true=answers.labels,
            y_pred=answers.predicted,
            sensitive_features=groups,
        )
        assert gap.gap.point == pytest.approx(frame.difference(method="between_groups"))
        assert set(gap.widest) == {frame.by_group.idxmin(), frame.by_group.idxmax()}


def test_beyond_two_labels_a_gap_is_the_widest_of_one_against_the_rest() -> None:
    answers, groups = world(400, 5, K=3)
    gap = fairness.gaps(answers, "g", groups, "abc", min_rows=1, bootstrap=BOOTSTRAP)[2]
    by_label = {
        k: MetricFrame(
            metrics=true_positive_rate,
            y_true=answers.labels == k,
            y_pred=answers.predicted == k,
            sensitive_features=groups,
        ).difference(method="between_groups")
        for k in range(3)
    }
    widest = max(by_label, key=lambda k: by_label[k])
    assert (gap.label, gap.gap.point) == (f"label {widest}", pytest.approx(by_label[widest]))
    entries = fairness.group_scores(answers, groups, "abc", 0.95)
    assert [(e.value, e.label) for e in entries] == [
        (value, f"label {k}") for value in "abc" for k in range(3)
    ]


def test_small_and_empty_groups_are_named_and_never_counted_as_equal() -> None:
    """Group c has rows enough, but hardly a negative one: its false positive rate is left out."""
    answers, groups = world(300, 1)
    groups = np.where((groups == "c") & (answers.labels == 0), "a", groups)
    groups[:4] = "d"
    found = {
        gap.metric: gap
        for gap in fairness.gaps(answers, "g", groups, "abcde", min_rows=10, bootstrap=BOOTSTRAP)
    }
    assert set(found["accuracy"].groups_left_out) == {"d", "e"}
    assert found["accuracy"].groups_left_out["d"] == "4 of the 10 rows needed"
    assert found["accuracy"].groups_left_out["e"] == "0 of the 10 rows needed"
    assert set(found["false_positive_rate"].groups_left_out) == {"c", "d", "e"}
    rows = np.isin(groups, ["a", "b"]) & (answers.labels == 0)
    assert found["false_positive_rate"].gap.n == rows.sum()


def test_fewer_than_two_groups_leave_the_gap_undefined() -> None:
    answers, groups = world(100, 2)
    for gap in fairness.gaps(answers, "g", groups, "abc", min_rows=1000, bootstrap=BOOTSTRAP):
        assert (gap.gap.point, gap.gap.low, gap.gap.high) == (None, None, None)
        assert (gap.widest, set(gap.groups_left_out)) == (("", ""), {"a", "b", "c"})


def test_the_order_of_rows_changes_nothing() -> None:
    answers, groups = world(200, 3)
    order = np.random.default_rng(0).permutation(200)
    shuffled = outcomes(answers.labels[order], answers.predicted[order])
    kwargs = {"min_rows": 5, "bootstrap": BOOTSTRAP}
    assert fairness.gaps(answers, "g", groups, "abc", **kwargs) == fairness.gaps(
        shuffled, "g", groups[order], "abc", **kwargs
    )


def shares(rates: list[float], support: list[int], worlds: int, gap: float) -> tuple[float, float]:
    """Return how often the lower bound is above, and the upper bound below, the true gap."""
    rows, draw = np.array(support), np.random.default_rng(2)
    pairs = list(itertools.combinations(range(len(rows)), 2))
    above = below = 0
    for seed in range(worlds):
        hits = draw.binomial(rows, rates)
        found = fairness.simultaneous_gap(hits, rows, pairs, Bootstrap(0.95, 400, seed))
        above += found.low > gap
        below += found.high < gap
    return above / worlds, below / worlds


@pytest.mark.parametrize(
    ("rate", "support"),
    [(0.8, [400] * 5), (0.9, [50, 500, 3000]), (0.97, [60, 60]), (0.5, [80] * 4)],
)
def test_where_no_group_differs_a_gap_is_claimed_in_six_percent_at_most(
    rate: float, support: list[int]
) -> None:
    false_alarms, _ = shares([rate] * len(support), support, worlds=1000, gap=0)
    assert false_alarms <= 0.06


def test_where_groups_differ_both_bounds_hold_and_the_gap_is_found() -> None:
    above, below = shares([0.7, 0.8, 0.8, 0.8], [600] * 4, worlds=500, gap=0.1)
    assert above <= 0.05
    assert below <= 0.05
    found, _ = shares([0.7, 0.8, 0.8, 0.8], [600] * 4, worlds=200, gap=0)
    assert found >= 0.8


def test_a_rate_of_one_still_has_an_upper_bound_above_its_point() -> None:
    rows = np.array([50, 50])
    found = fairness.simultaneous_gap(rows, rows, [(0, 1)], BOOTSTRAP)
    assert (found.point, found.low) == (0, 0)
    assert 0.05 < found.high < 0.15


def test_near_a_rate_of_one_the_upper_bound_still_holds() -> None:
    """50 of 50 rows has no spread of its own: resampling alone misses this gap in 13 of 100."""
    _, below = shares([1.0, 0.96], [50, 50], worlds=500, gap=0.04)
    assert below <= 0.05
