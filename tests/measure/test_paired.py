"""Against SciPy, a brute-force likelihood, and by counting how often the interval holds."""

import itertools

import numpy as np
import pytest
from scipy import optimize, stats

from pipeline.measure import paired


def booleans(both: int, won: int, lost: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    cells = [(1, 1)] * both + [(1, 0)] * won + [(0, 1)] * lost + [(0, 0)] * neither
    table = np.array(cells, dtype=bool)
    return table[:, 0], table[:, 1]


def test_counts_only_the_rows_in_which_one_of_two_is_right() -> None:
    found = paired.compare("tfidf", *booleans(36, 12, 2, 0), confidence=0.95)
    assert found.difference.point == pytest.approx(0.2)
    assert (found.difference.low, found.difference.high) == paired.tango_interval(12, 2, 50, 0.95)
    assert (found.rival, found.difference.n) == ("tfidf", 50)
    assert found.p_value == pytest.approx(2 * sum(stats.binom.pmf([0, 1, 2], 14, 0.5)))


@pytest.mark.parametrize(("won", "lost", "n"), [(9, 2, 100), (3, 1, 25), (0, 4, 30), (80, 60, 900)])
def test_bounds_are_where_the_restricted_likelihood_puts_them(won: int, lost: int, n: int) -> None:
    def statistic(d: float) -> float:
        def minus_likelihood(q: float) -> float:
            tables = ((won, q + d), (lost, q), (n - won - lost, 1 - 2 * q - d))
            return -sum(count * np.log(chance) for count, chance in tables if count)

        bounds = (max(0.0, -d) + 1e-13, (1 - d) / 2 - 1e-13)
        q = optimize.minimize_scalar(
            minus_likelihood, bounds=bounds, method="bounded", options={"xatol": 1e-13}
        ).x
        return (won - lost - n * d) / np.sqrt(n * (2 * q + d * (1 - d)))

    low, high = paired.tango_interval(won, lost, n, 0.95)
    assert statistic(low) == pytest.approx(stats.norm.ppf(0.975), abs=1e-3)
    assert statistic(high) == pytest.approx(stats.norm.ppf(0.025), abs=1e-3)


def test_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Summed over the outcomes of 120 rows that matter, not simulated."""
    outcomes = stats.multinomial(120, [0.06, 0.03, 0.91])
    held = 0.0
    for won, lost in itertools.product(range(21), range(14)):
        low, high = paired.tango_interval(won, lost, 120, 0.95)
        if low <= 0.03 <= high:
            held += outcomes.pmf([won, lost, 120 - won - lost])
    assert 0.94 <= held <= 0.97


@pytest.mark.parametrize(("won", "lost"), [(9, 2), (0, 1), (40, 40), (0, 12)])
def test_p_value_is_the_exact_binomial(won: int, lost: int) -> None:
    tail = stats.binom.cdf(min(won, lost), won + lost, 0.5)
    assert paired.mcnemar(won, lost) == pytest.approx(min(1.0, 2 * tail))


def test_exchanged_rivals_give_the_mirrored_interval() -> None:
    low, high = paired.tango_interval(9, 2, 100, 0.95)
    assert paired.tango_interval(2, 9, 100, 0.95) == pytest.approx((-high, -low))


@pytest.mark.parametrize(("won", "lost"), [(0, 0), (30, 0), (0, 30)])
def test_extremes_have_an_interval_that_is_not_a_point(won: int, lost: int) -> None:
    low, high = paired.tango_interval(won, lost, 30, 0.95)
    assert -1 <= low < high <= 1
    assert low <= (won - lost) / 30 <= high


def test_equal_answers_are_no_evidence() -> None:
    found = paired.compare("majority", *booleans(5, 0, 0, 5), confidence=0.95)
    assert (found.difference.point, found.p_value) == (0, 1)


def test_no_rows_is_undefined() -> None:
    none = np.empty(0, dtype=bool)
    found = paired.compare("majority", none, none, 0.95)
    assert (found.difference.point, found.p_value) == (None, None)
