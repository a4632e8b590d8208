"""Against hand computation, fairlearn and scikit-learn."""

from typing import Any

import numpy as np
import pytest
from fairlearn.metrics import (
    MetricFrame,
    false_positive_rate,
    selection_rate,
    true_positive_rate,
)
from sklearn.metrics import accuracy_score, brier_score_loss

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


def group_scores(answers: Outcomes, groups: np.ndarray, values: Any, min_rows: int = 1) -> Any:
    return fairness.group_scores(
        answers, groups, values, min_rows=min_rows, bins=5, bootstrap=BOOTSTRAP
    )


def test_rates_by_hand_and_a_declared_group_without_rows_stays() -> None:
    labels, predicted = np.array([1, 1, 0, 0, 1]), np.array([1, 0, 1, 0, 1])
    groups = np.array(["f", "f", "f", "f", "m"])
    f, m, x = group_scores(outcomes(labels, predicted), groups, ["f", "m", "x"])
    assert (f.rows, f.positives, f.accuracy.point, f.selection_rate.point) == (4, 2, 0.5, 0.5)
    assert (f.true_positive_rate.point, f.true_positive_rate.n) == (0.5, 2)
    assert (f.false_positive_rate.point, f.false_positive_rate.n) == (0.5, 2)
    assert (m.true_positive_rate.point, m.false_positive_rate.point) == (1, None)
    assert (x.value, x.rows, x.positives) == ("x", 0, 0)
    figures = [x.accuracy, x.selection_rate, x.true_positive_rate, x.false_positive_rate]
    figures += [x.subgroup_auc, x.ece, x.brier]
    assert all((e.point, e.low, e.high) == (None, None, None) and e.note for e in figures)


@pytest.mark.parametrize("seed", range(3))
def test_gaps_equal_fairlearns(seed: int) -> None:
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
    entries = group_scores(answers, groups, "abc")
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
    assert found["accuracy"].groups_compared == ("a", "b", "c")
    assert found["false_positive_rate"].groups_compared == ("a", "b")
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
        assert gap.groups_compared == ()


def test_the_order_of_rows_changes_nothing() -> None:
    answers, groups = world(200, 3)
    order = np.random.default_rng(0).permutation(200)
    shuffled = outcomes(answers.labels[order], answers.predicted[order])
    kwargs = {"min_rows": 5, "bootstrap": BOOTSTRAP}
    assert fairness.gaps(answers, "g", groups, "abc", **kwargs) == fairness.gaps(
        shuffled, "g", groups[order], "abc", **kwargs
    )


@pytest.mark.parametrize("seed", range(2))
def test_every_groups_rates_are_fairlearns_and_its_calibration_is_of_its_rows(seed: int) -> None:
    """Two columns crossed, as MetricFrame crosses sensitive features."""
    answers, groups = world(400, seed)
    other = np.random.default_rng(seed + 10).choice(["x", "y"], size=400)
    crossed = np.array([f"{a} x {b}" for a, b in zip(groups, other, strict=True)])
    frame = MetricFrame(
        metrics={**FAIRLEARN, "brier": brier_score_loss},
        y_true=answers.labels,
        y_pred=answers.predicted,
        sensitive_features={"g": groups, "o": other},
    )
    scores = group_scores(answers, crossed, sorted(set(crossed)))
    assert len(scores) == len(frame.by_group) == 6
    for score in scores:
        expected = frame.by_group.loc[tuple(score.value.split(" x "))]
        for metric in (*FAIRLEARN, "brier"):
            assert getattr(score, metric).point == pytest.approx(expected[metric])
        assert score.rows == (crossed == score.value).sum()
        alone = outcomes(
            *(each[crossed == score.value] for each in (answers.labels, answers.predicted))
        )
        assert score.ece.point == pytest.approx(1 - alone.correct.mean())  # all are sure


def test_calibration_of_few_rows_is_undefined_and_says_so() -> None:
    answers, groups = world(60, 4)
    for score in group_scores(answers, groups, "abc", min_rows=50):
        for each in (score.ece, score.brier):
            assert (each.point, each.n, each.note) == (None, score.rows, "fewer than 50 rows")
