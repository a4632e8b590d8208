"""Exposure against hand computation, and its intervals against simulated secrets."""

import numpy as np
import pytest
from scipy import stats

from pipeline.measure import exposure
from pipeline.measure.exposure import CHANCE_BITS


def test_the_exposure_is_the_bits_by_which_the_rank_falls() -> None:
    """By hand: first of 8 is 3 bits, third of 8 is 3 - log2 3, last is none."""
    others = np.array([-1.0, -2.0, -3.0, -4.0, -5.0, -6.0, -7.0])
    assert exposure.exposure(-0.5, others) == 3.0
    assert exposure.exposure(-2.5, others) == pytest.approx(3 - 1.5849625)
    assert exposure.exposure(-9.0, others) == 0.0


def test_a_tie_counts_against_the_secret() -> None:
    """A model that says the same of all secrets has exposed none of them."""
    assert exposure.exposure(0.0, np.zeros(15)) == 0.0


def test_the_mean_of_unlearnt_secrets_is_that_of_uniform_ranks() -> None:
    """E[log2(N / rank)] over ranks 1 to N, by the sum; it tends to log2 e = 1.44 bits."""
    draw, ranks = np.random.default_rng(1), np.arange(1, 252)
    expected = np.log2(251 / ranks).mean()
    found = [exposure.exposure(draw.normal(), draw.normal(size=250)) for _ in range(4000)]
    assert np.mean(found) == pytest.approx(expected, abs=0.08)
    assert expected == pytest.approx(CHANCE_BITS, abs=0.03)
    assert pytest.approx(1.442695) == CHANCE_BITS


def unlearnt(draw: np.random.Generator, secrets: int) -> np.ndarray:
    return np.log2(251 / draw.integers(1, 252, secrets))


def test_the_interval_holds_the_truth_and_chance_is_seldom_called_memory() -> None:
    """2,000 runs in which nothing was learnt: 95% hold, and p is below 5% in at most 6%."""
    draw = np.random.default_rng(2)
    runs = [unlearnt(draw, 8) for _ in range(2000)]
    truth = np.log2(251 / np.arange(1, 252)).mean()
    estimates = [exposure.mean_exposure(bits, 0.95) for bits in runs]
    held = [(e.low or 0) <= truth <= (e.high or 0) for e in estimates]
    assert np.mean(held) >= 0.94
    assert np.mean([(exposure.p_value(bits) or 0) < 0.05 for bits in runs]) <= 0.06
    assert estimates[0].n == 8


def test_the_least_mean_that_is_seen_is_seen_four_times_in_five() -> None:
    draw, least = np.random.default_rng(3), exposure.mean_exposure(np.ones(8), 0.95).detectable
    assert least is not None
    seen = [(exposure.p_value(draw.exponential(least, 8)) or 1) < 0.025 for _ in range(4000)]
    assert np.mean(seen) == pytest.approx(0.8, abs=0.02)


def test_the_p_value_is_that_of_fishers_method() -> None:
    """The ranks' shares are p-values: -2 ln of their product is chi-squared with 2n degrees."""
    shares = np.array([0.5, 0.02, 0.3])
    expected = stats.combine_pvalues(shares, method="fisher").pvalue
    assert exposure.p_value(-np.log2(shares)) == pytest.approx(expected)


def test_an_interval_ends_at_the_bits_of_a_secret_that_is_ranked_first() -> None:
    """Eight secrets of 5.4 bits among 50, where the gamma distribution alone says 12.5."""
    bits = np.full(8, 5.4)
    assert (exposure.mean_exposure(bits, 0.95).high or 0) > 12
    assert exposure.mean_exposure(bits, 0.95, np.log2(50)).high == np.log2(50)


def test_no_secret_is_undefined_and_not_unexposed() -> None:
    none = exposure.mean_exposure(np.zeros(0), 0.95)
    assert (none.point, none.high, none.n) == (None, None, 0)
    assert exposure.p_value(np.zeros(0)) is None
