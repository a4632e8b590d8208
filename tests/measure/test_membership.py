"""Against scipy's densities row by row, every threshold, a closed form, and no leak at all."""

import numpy as np
import pytest
from scipy import stats

from pipeline.measure.intervals import Bootstrap
from pipeline.measure.membership import (
    FALSE_POSITIVE_RATE,
    confidence,
    draw_halves,
    judge_membership,
    likelihood_ratios,
    true_positive_rate,
)

BOOTSTRAP = Bootstrap(0.95, 200, 1)


def test_each_row_is_learnt_by_half_of_the_shadows_and_not_the_same_half() -> None:
    learnt = draw_halves(8, 500, seed=1)
    assert (learnt.sum(axis=0) == 4).all()
    assert len(np.unique(learnt, axis=1).T) == 70  # all choices of 4 of 8
    assert learnt.mean(axis=1) == pytest.approx(np.full(8, 0.5), abs=0.1)


def test_phi_is_the_log_odds_of_the_rows_own_label() -> None:
    logits, labels = np.random.default_rng(0).normal(size=(3, 20, 4)), np.arange(20) % 4
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    own = p[:, np.arange(20), labels]
    np.testing.assert_allclose(confidence(logits, labels), np.log(own / (1 - own)), rtol=1e-9)
    far = np.array([[200.0, -200.0], [-200.0, 200.0]], np.float32)
    assert confidence(far, np.array([0, 0])).tolist() == [400.0, -400.0]


def test_the_ratio_is_that_of_two_normal_densities() -> None:
    draw = np.random.default_rng(1)
    learnt, shadows, target = draw_halves(6, 9, 1), draw.normal(size=(6, 9)), draw.normal(size=9)
    of_in = [shadows[learnt[:, row], row] for row in range(9)]
    of_out = [shadows[~learnt[:, row], row] for row in range(9)]
    spread = [
        np.sqrt(np.mean([np.var(row, ddof=1) for row in of])) for of in (of_in, of_out)
    ]  # equally many models a row: the pooled variance is the mean one
    expected = [
        stats.norm.logpdf(target[row], of_in[row].mean(), spread[0])
        - stats.norm.logpdf(target[row], of_out[row].mean(), spread[1])
        for row in range(9)
    ]
    np.testing.assert_allclose(likelihood_ratios(target, shadows, learnt), expected, rtol=1e-9)


@pytest.mark.parametrize("ties", [False, True])
def test_the_rate_is_the_best_of_all_thresholds_that_take_one_other_in_a_hundred(
    ties: bool,
) -> None:
    draw = np.random.default_rng(2)
    ratios, member = draw.normal(size=700), np.arange(700) < 300
    ratios[member] += 1
    ratios = np.round(ratios) if ties else ratios
    rates = [
        (ratios[member] >= at).mean()
        for at in [*ratios, np.inf]
        if (ratios[~member] >= at).mean() <= FALSE_POSITIVE_RATE
    ]
    found = true_positive_rate(ratios, member, BOOTSTRAP)
    assert found.point == pytest.approx(max(rates))
    assert found.n == 300


def simulate(rows: int, gap: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A target and 64 shadows: phi is a row's own level, plus ``gap`` if learnt, plus noise."""
    draw = np.random.default_rng(seed)
    level, member = draw.normal(scale=5, size=rows), np.arange(rows) % 2 == 0
    learnt = draw_halves(64, rows, seed)
    shadows = level + gap * learnt + draw.normal(size=(64, rows))
    target = level + gap * member + draw.normal(size=rows)
    return likelihood_ratios(target, shadows, learnt), member, learnt


def test_a_known_leak_is_found_as_often_as_the_closed_form_says() -> None:
    """Of two normal distributions ``gap`` apart: Phi(gap - z_0.99), whatever the rows' levels."""
    ratios, member, learnt = simulate(20_000, gap=2.0, seed=3)
    found = judge_membership(ratios, member, learnt, BOOTSTRAP)
    expected = stats.norm.cdf(2.0 - stats.norm.ppf(0.99))
    assert found.true_positive_rate.point == pytest.approx(expected, abs=0.03)
    assert found.auc.point == pytest.approx(stats.norm.cdf(2 / np.sqrt(2)), abs=0.01)
    assert (found.members, found.others, found.shadow_heads) == (10_000, 10_000, 64)
    assert found.shadow_rows == 10_000


def test_without_a_leak_the_rate_is_one_in_a_hundred_and_seldom_said_to_be_more() -> None:
    """The shadows know a difference; the target learnt no row. False alarms are at most 6%.

    The threshold is the sixth of 500 others, above which 6 in 501 of any rows are expected.
    """
    rates = [true_positive_rate(*_null(seed), BOOTSTRAP) for seed in range(200)]
    assert np.mean([rate.point for rate in rates]) == pytest.approx(6 / 501, abs=0.001)
    assert np.mean([rate.low > FALSE_POSITIVE_RATE for rate in rates]) <= 0.06


def _null(seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    learnt = draw_halves(16, 1000, seed)
    shadows = learnt + draw.normal(size=(16, 1000))
    return likelihood_ratios(draw.normal(size=1000), shadows, learnt), np.arange(1000) % 2 == 0


def test_too_few_rows_for_one_in_a_hundred_is_undefined_and_not_zero() -> None:
    rate = true_positive_rate(np.arange(150.0), np.arange(150) < 51, BOOTSTRAP)
    assert (rate.point, rate.n) == (None, 51)
    assert "fewer than 100" in rate.note
