"""Changes of gaps against fairlearn's gaps, the rule against cases by hand and against noise."""

from typing import Any

import numpy as np
import pytest
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference
from report_factory import estimate

from pipeline.measure.intervals import Bootstrap
from pipeline.measure.mitigation import Frame, choose_best, gap_changes, judged_groups
from pipeline.measure.outcomes import Outcomes
from pipeline.reports import Estimate, MitigationScore

FAIRLEARN = {
    "equalized_odds": equalized_odds_difference,
    "demographic_parity": demographic_parity_difference,
}
NAMES = ("negative", "positive")


def _frame(groups: np.ndarray, constraint: Any = "equalized_odds", min_rows: int = 5) -> Frame:
    return Frame("gender", groups, np.unique(groups).tolist(), constraint, min_rows)


def _answers(labels: np.ndarray, right: np.ndarray, rng: np.random.Generator) -> Outcomes:
    """Answers that are right with a probability a row."""
    said = np.where(rng.random(len(labels)) < right, labels, 1 - labels)
    return Outcomes(labels, np.eye(2)[said], NAMES)


@pytest.mark.parametrize("constraint", ["equalized_odds", "demographic_parity"])
def test_a_change_of_a_gap_is_the_difference_of_fairlearns_gaps(constraint: str) -> None:
    rng = np.random.default_rng(0)
    labels, groups = rng.integers(0, 2, 400), rng.choice(["a", "b", "c"], 400)
    unfair = _answers(labels, np.where(groups == "a", 0.6, 0.9), rng)
    fair = _answers(labels, np.full(400, 0.85), rng)
    first, change = gap_changes([unfair, fair], _frame(groups, constraint), Bootstrap(0.95, 500, 1))
    gaps = [
        FAIRLEARN[constraint](labels, each.predicted, sensitive_features=groups)
        for each in (unfair, fair)
    ]
    assert first is None
    assert change.point == pytest.approx(gaps[1] - gaps[0])
    assert change.low < change.point < change.high
    assert change.n == 400


def test_small_groups_are_left_out_and_one_that_is_left_alone_has_no_gap() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 100)
    groups = np.array(["a"] * 48 + ["b"] * 48 + ["c"] * 4)
    said = _answers(labels, np.full(100, 0.9), rng)
    assert judged_groups(said, _frame(groups)) == ("a", "b")
    _, change = gap_changes([said, said], _frame(groups, min_rows=60), Bootstrap(0.95, 100, 1))
    assert (change.point, change.note) == (None, "fewer than two groups of 60 rows")


def test_of_ways_that_change_nothing_one_is_named_at_most_as_often_as_stated() -> None:
    """Two hundred null simulations of two equal ways, at 5 percent in one direction of two."""
    named = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        labels, groups = rng.integers(0, 2, 300), rng.choice(["a", "b"], 300)
        pair = [_answers(labels, np.full(300, 0.8), rng) for _ in range(2)]
        _, change = gap_changes(pair, _frame(groups), Bootstrap(0.95, 200, seed))
        named += change.high < 0
    assert named / 200 <= 0.05


def _score(method: str, accuracy: float, change: float | None, **needs: bool) -> MitigationScore:
    undefined = Estimate(point=None, low=None, high=None, n=0, note="too few")
    return MitigationScore(
        method=method,
        group_at_use=needs.get("group_at_use", False),
        random_answers=False,
        accuracy=estimate(0.1),
        accuracy_change=None,
        gaps={},
        gap_change=estimate(-0.9),  # of test rows: the rule must not look
        validation_accuracy=estimate(accuracy),
        validation_gap_change=undefined if change is None else estimate(change, 0.02),
    )


@pytest.mark.parametrize(
    ("scores", "allowed", "best"),
    [
        ([("a", 0.8, -0.05), ("b", 0.8, -0.10)], False, "b"),  # the smallest gap
        ([("a", 0.8, -0.05), ("b", 0.78, -0.10)], False, "a"),  # b costs too much accuracy
        ([("a", 0.8, -0.01), ("b", 0.8, 0.10)], False, "none"),  # a's interval holds 0
        ([("a", 0.8, None)], False, "none"),  # what is not measured is not better
    ],
)
def test_the_rule_names_the_smallest_gap_that_is_no_luck_and_not_too_dear(
    scores: list[Any], allowed: bool, best: str
) -> None:
    listed = [_score("none", 0.8, None), *(_score(*each) for each in scores)]
    choice = choose_best(listed, 0.01, allowed)
    assert choice.best == best
    assert ("so none is named" in choice.rule) is (best == "none")


def test_a_way_that_needs_the_group_is_named_only_where_it_is_allowed() -> None:
    scores = [_score("none", 0.8, None), _score("thresholds", 0.8, -0.1, group_at_use=True)]
    assert choose_best(scores, 0.01, group_at_use=False).best == "none"
    assert choose_best(scores, 0.01, group_at_use=True).best == "thresholds"
