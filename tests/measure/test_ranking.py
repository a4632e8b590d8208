"""Against scikit-learn, hand computation, and by counting how often intervals hold the truth."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from pipeline.measure import ranking


def test_the_three_aucs_are_scikit_learns_on_the_rows_that_borkan_names() -> None:
    """Subgroup: its rows. BPSN: others' positives and its negatives. BNSP: the reverse."""
    draw = np.random.default_rng(3)
    positive, member = draw.random(300) < 0.4, draw.random(300) < 0.3
    scores = np.round(draw.normal(size=300) + positive + 0.5 * member, 1)  # with ties
    found = ranking.group_aucs(scores, positive, member, 0.95)
    rows = {
        "subgroup_auc": member,
        "bpsn_auc": (member & ~positive) | (~member & positive),
        "bnsp_auc": (member & positive) | (~member & ~positive),
    }
    for name, kept in rows.items():
        assert found[name].point == pytest.approx(roc_auc_score(positive[kept], scores[kept]))
        assert found[name].n == min((kept & positive).sum(), (kept & ~positive).sum())


def test_a_groups_high_scores_show_as_low_bpsn_and_high_bnsp() -> None:
    """By hand: every negative of the group scores above every positive of the others."""
    scores = np.array([0.8, 0.9, 0.2, 0.6])
    positive = np.array([False, True, False, True])
    member = np.array([True, True, False, False])
    found = ranking.group_aucs(scores, positive, member, 0.95)
    assert (found["subgroup_auc"].point, found["bpsn_auc"].point) == (1, 0)
    assert found["bnsp_auc"].point == 1


def test_without_positives_or_negatives_it_is_undefined_and_says_which() -> None:
    scores, member = np.array([0.1, 0.2]), np.array([True, True])
    found = ranking.group_aucs(scores, np.array([True, True]), member, 0.95)
    assert [(e.point, e.low, e.high) for e in found.values()] == [(None, None, None)] * 3
    assert found["subgroup_auc"].note == "no negative rows to compare"
    assert found["bpsn_auc"].note == "no positive and negative rows to compare"
    assert found["bnsp_auc"].note == "no negative rows to compare"


def test_a_perfect_order_of_few_rows_has_an_interval_all_the_same() -> None:
    found = ranking.auc(np.array([2.0, 3.0, 4.0]), np.array([0.0, 1.0]), 0.95)
    assert (found.point, found.high) == (1, 1)
    assert found.low is not None
    assert 0.2 < found.low < 0.7
    mirrored = ranking.auc(np.array([0.0, 1.0]), np.array([2.0, 3.0, 4.0]), 0.95)
    assert (mirrored.point, mirrored.low) == (0, 0)
    assert mirrored.high == pytest.approx(1 - found.low)


@pytest.mark.parametrize(("truth", "m", "n"), [(0.75, 40, 60), (0.9, 20, 200), (0.97, 80, 30)])
def test_the_interval_holds_the_truth_as_often_as_it_says(truth: float, m: int, n: int) -> None:
    """Normal scores a distance apart: AUC = Phi(distance / sqrt(2)).

    800 worlds: 95% has a Monte-Carlo standard error of 0.8 points. Near 1 it is cautious.
    """
    draw = np.random.default_rng(1)
    distance = stats.norm.ppf(truth) * np.sqrt(2)
    held = 0
    for _ in range(800):
        found = ranking.auc(draw.normal(distance, 1, m), draw.normal(0, 1, n), 0.95)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
    assert 0.93 <= held / 800 <= 0.995
