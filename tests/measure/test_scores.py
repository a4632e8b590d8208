"""Against hand computation, scikit-learn, and by counting how often intervals hold the truth."""

import numpy as np
import pytest
from sklearn import metrics

from pipeline.measure import scores
from pipeline.measure.intervals import Bootstrap
from pipeline.measure.outcomes import Outcomes

BOOTSTRAP = Bootstrap(confidence=0.95, resamples=300, seed=1)
NAMES = ("bad", "fair", "good")


def random_outcomes(n: int, K: int, seed: int) -> Outcomes:
    draw = np.random.default_rng(seed)
    labels = draw.integers(K, size=n)
    table = draw.dirichlet(np.ones(K), size=n) + 0.7 * np.eye(K)[labels]
    table = np.round(table / table.sum(axis=1, keepdims=True), 2)  # with ties
    return Outcomes(labels, table, [f"label {k}" for k in range(K)])


def by_hand() -> Outcomes:
    """True 0 0 1 1 2, said 0 1 1 1 2: accuracy 4/5, F1 2/3, 4/5, 1."""
    labels, predicted = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 2])
    return Outcomes(labels, 0.7 * np.eye(3)[predicted] + 0.1, NAMES)


def test_every_score_of_a_small_case_equals_that_by_hand() -> None:
    groups = {"domain": np.array(["a", "a", "b", "b", "b"])}
    found = scores.score(by_hand(), groups, 5, BOOTSTRAP)
    assert (found.accuracy.point, found.accuracy.n) == (0.8, 5)
    assert found.macro_f1.point == pytest.approx((2 / 3 + 4 / 5 + 1) / 3)
    assert found.confusion == ((1, 1, 0), (0, 2, 0), (0, 0, 1))
    points = {name: {k: e.point for k, e in each.items()} for name, each in found.per_class.items()}
    assert points["bad"] == {"precision": 1, "recall": 0.5, "f1": pytest.approx(2 / 3)}
    assert points["fair"] == {"precision": pytest.approx(2 / 3), "recall": 1, "f1": 0.8}
    supports = [found.per_class["fair"][k].n for k in ("precision", "recall", "f1")]
    assert supports == [3, 2, 2]
    accuracies = {value: (e.point, e.n) for value, e in found.per_group["domain"].items()}
    assert accuracies == {"a": (0.5, 2), "b": (1, 3)}
    right, wrong = (
        0.2**2 + 2 * 0.1**2,
        0.8**2 + 0.9**2 + 0.1**2,
    )  # squared errors summed over the labels
    assert found.brier.point == pytest.approx((4 * right + wrong) / 5)


@pytest.mark.parametrize("K", [2, 3, 5])
def test_scores_equal_scikit_learns(K: int) -> None:
    outcomes = random_outcomes(200, K, seed=K)
    found = scores.score(outcomes, {}, 10, BOOTSTRAP)
    labels, table = outcomes.labels, outcomes.probabilities
    known_auc = (
        metrics.roc_auc_score(labels, table[:, 1])
        if K == 2
        else np.mean([metrics.roc_auc_score(labels == k, table[:, k]) for k in range(K)])
    )
    assert found.roc_auc.point == pytest.approx(known_auc)
    assert found.macro_f1.point == pytest.approx(
        metrics.f1_score(labels, outcomes.predicted, average="macro")
    )
    assert found.confusion == tuple(
        map(tuple, metrics.confusion_matrix(labels, outcomes.predicted).tolist())
    )


def test_weighted_area_is_scikit_learns_for_any_weights_and_ties() -> None:
    outcomes = random_outcomes(80, 2, seed=4)
    weights = np.random.default_rng(2).integers(4, size=(20, 80)).astype(float)
    positive, ranks = outcomes.labels == 1, outcomes.probabilities[:, 1]
    found = scores.weighted_auc(weights, ranks, positive)
    known = [metrics.roc_auc_score(positive, ranks, sample_weight=line) for line in weights]
    assert found == pytest.approx(known)


def test_curve_is_scikit_learns_and_its_area_is_the_area() -> None:
    outcomes = random_outcomes(150, 2, seed=8)
    positive, ranks = outcomes.labels == 1, outcomes.probabilities[:, 1]
    false_rates, true_rates = scores.roc_curve(ranks, positive)
    known = metrics.roc_curve(positive, ranks, drop_intermediate=False)
    assert false_rates == pytest.approx(known[0])
    assert true_rates == pytest.approx(known[1])
    area = scores.roc_auc(outcomes, BOOTSTRAP).point
    assert np.trapezoid(true_rates, false_rates) == pytest.approx(area)


def test_the_order_of_rows_changes_no_point() -> None:
    outcomes = random_outcomes(120, 3, seed=3)
    order = np.random.default_rng(0).permutation(120)
    shuffled = Outcomes(outcomes.labels[order], outcomes.probabilities[order], outcomes.names)
    first, second = (scores.score(o, {}, 10, BOOTSTRAP) for o in (outcomes, shuffled))
    for name in ("accuracy", "macro_f1", "roc_auc", "brier", "ece"):
        assert getattr(first, name).point == pytest.approx(getattr(second, name).point, abs=1e-12)
    assert first.confusion == second.confusion


def test_a_label_without_rows_is_undefined_and_named_and_never_zero() -> None:
    outcomes = by_hand()
    kept = outcomes.labels < 2
    without = Outcomes(outcomes.labels[kept], outcomes.probabilities[kept], NAMES)
    found = scores.score(without, {}, 5, BOOTSTRAP)
    absent = found.per_class["good"]
    assert [absent[name].point for name in ("precision", "recall", "f1")] == [None] * 3
    for figure in (found.macro_f1, found.roc_auc):
        assert figure.point is None
        assert "good" in figure.note
    assert found.accuracy.point == 0.75


def test_a_label_that_is_never_said_has_no_precision_but_an_f1_of_zero() -> None:
    labels = np.array([0, 0, 1])
    table = np.tile([0.6, 0.4], (3, 1))
    outcomes = Outcomes(labels, table, NAMES[:2])
    found = scores.score(outcomes, {}, 5, BOOTSTRAP).per_class["fair"]
    assert (found["precision"].point, found["precision"].note) == (None, "never predicted")
    assert (found["recall"].point, found["f1"].point) == (0, 0)


def test_one_label_only_has_no_area() -> None:
    table = np.array([[0.4, 0.6], [0.2, 0.8]])
    outcomes = Outcomes(np.array([1, 1]), table, NAMES[:2])
    assert scores.roc_auc(outcomes, BOOTSTRAP).point is None
    assert scores.roc_curves(outcomes, 10) == {}


def test_a_constant_score_has_an_area_of_one_half() -> None:
    table = np.tile([0.3, 0.7], (6, 1))
    labels = np.array([0, 1] * 3)
    found = scores.roc_auc(Outcomes(labels, table, NAMES[:2]), BOOTSTRAP)
    assert (found.point, found.low, found.high) == (0.5, 0.5, 0.5)


def test_intervals_of_area_and_macro_f1_hold_the_truth_as_often_as_they_say() -> None:
    """Scores N(0, 1) and N(1, 1): the area is Phi(1 / sqrt 2), and F1 at 0.5 is Phi(0.5)."""
    draw, held = np.random.default_rng(6), np.zeros(2)
    for seed in range(300):
        labels = np.repeat([0, 1], 75)
        x = draw.normal(size=150) + labels
        chance = 1 / (1 + np.exp(0.5 - x))
        table = np.stack([1 - chance, chance], axis=1)
        outcomes = Outcomes(labels, table, NAMES[:2])
        bootstrap = Bootstrap(0.95, 200, seed)
        area, f1 = scores.roc_auc(outcomes, bootstrap), scores.f1_scores(outcomes, bootstrap)[1]
        held += (area.low <= 0.76025 <= area.high, f1.low <= 0.69146 <= f1.high)
    assert (held / 300 >= 0.91).all()
    assert (held / 300 <= 0.98).all()


def test_the_answer_is_the_likeliest_label_and_the_first_of_equals() -> None:
    table = np.array([[0.6, 0.4], [0.3, 0.7], [0.5, 0.5]])
    assert Outcomes(np.array([0, 1, 1]), table, NAMES[:2]).predicted.tolist() == [0, 1, 0]
