"""The closed form against simulated tests, which find an effect of that size four times in five."""

import numpy as np
import pytest

from pipeline.measure import association, power
from pipeline.measure.intervals import wilson

RUNS = 4000
TOLERANCE = 0.025  # four standard errors of a share of 0.8 in so many runs


@pytest.mark.parametrize("n", [100, 800, 1508])
def test_a_share_so_far_from_half_is_found_four_times_in_five(n: int) -> None:
    """Against Wilson intervals of binomial draws: how many leave one half outside."""
    least = power.detectable_share(n, 0.95)
    counts = np.random.default_rng(n).binomial(n, 0.5 + least, RUNS)
    bounds = {count: wilson(count, n, 0.95).low for count in np.unique(counts).tolist()}
    found = np.mean([bounds[count] > 0.5 for count in counts.tolist()])  # type: ignore[operator]
    # A count is whole, so that the test's level is not exactly 5%: a little more slack for few.
    assert found == pytest.approx(0.8, abs=TOLERANCE + 1 / np.sqrt(n) / 2)


def test_the_multiplier_equals_blooms() -> None:
    """Bloom (1995): 2.8 for a two-sided test at 0.05; more where the error is itself estimated."""
    assert power.detectable(1.0, 0.95) == pytest.approx(1.95996 + 0.84162, abs=1e-4)
    assert power.detectable(1.0, 0.95, freedom=10) == pytest.approx(2.22814 + 0.87906, abs=1e-4)


@pytest.mark.parametrize(("m", "n"), [(8, 8), (25, 25)])
def test_an_association_so_large_is_found_four_times_in_five(m: int, n: int) -> None:
    """Against t tests of normal associations, which the permutation test follows closely."""
    draw = np.random.default_rng(m)
    shift = power.detectable(np.sqrt(1 / m + 1 / n), 0.95, m + n - 2)
    first, second = draw.normal(shift, 1, (RUNS, m)), draw.normal(0, 1, (RUNS, n))
    found = [
        association.estimate_effect(x, y, 0.95).low > 0  # type: ignore[operator]
        for x, y in zip(first[:RUNS], second[:RUNS], strict=True)
    ]
    assert np.mean(found) == pytest.approx(0.8, abs=TOLERANCE)
