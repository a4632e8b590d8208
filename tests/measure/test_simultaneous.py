"""By simulating worlds with and without a gap; the Monte-Carlo error of each share is counted.

A share of W worlds is judged by the far end of its 99% Wilson interval, so that a claim of "at most
6%" is not met by luck in the draw of the worlds.
"""

import itertools

import numpy as np
import pytest

from pipeline.measure import simultaneous
from pipeline.measure.intervals import Bootstrap, wilson
from pipeline.measure.simultaneous import Widest, simultaneous_gap

BOOTSTRAP = Bootstrap(confidence=0.95, resamples=300, seed=1)


def worlds(rates: list[float], support: list[int], count: int) -> list[Widest]:
    """Draw rows at the true rates again and again, and bound the widest gap of each draw."""
    rows, draw = np.array(support), np.random.default_rng(2)
    pairs = list(itertools.combinations(range(len(rows)), 2))
    hits = draw.binomial(rows, rates, size=(count, len(rows)))
    return [
        simultaneous_gap(each, rows, pairs, Bootstrap(0.95, 400, seed))
        for seed, each in enumerate(hits)
    ]


def at_most(events: list[bool]) -> float:
    """Return the upper end of the 99% interval of the events' share."""
    high = wilson(sum(events), len(events), 0.99).high
    assert high is not None
    return high


@pytest.mark.parametrize(
    ("rate", "support"),
    [
        (0.8, [400] * 5),
        (0.9, [50, 100, 500, 1000, 3000]),
        (0.97, [60] * 5),
        (0.5, [80] * 5),
    ],
)
def test_with_five_groups_alike_a_gap_is_claimed_in_six_percent_of_worlds_at_most(
    rate: float, support: list[int]
) -> None:
    """2,500 worlds: a share of 5% has a Monte-Carlo standard error of 0.44 points.

    By the lower bound, and by the p-value, which are two readings of the same draws.
    """
    found = worlds([rate] * 5, support, 2500)
    assert at_most([each.low > 0 for each in found]) <= 0.06
    assert at_most([each.p_value <= 0.05 for each in found]) <= 0.06


def test_where_groups_differ_both_bounds_hold() -> None:
    found = worlds([0.7, 0.8, 0.8, 0.8], [600] * 4, 1000)
    assert np.mean([each.low > 0.1 for each in found]) <= 0.05
    assert np.mean([each.high < 0.1 for each in found]) <= 0.05


@pytest.mark.parametrize(
    ("rate", "support"),
    [(0.8, [400] * 5), (0.9, [2000, 300, 150]), (0.3, [500, 500]), (0.85, [3000, 800, 140, 400])],
)
def test_the_least_detectable_gap_is_found_with_eighty_percent_power(
    rate: float, support: list[int]
) -> None:
    """The smallest group is moved by that gap; half of it is found far more seldom.

    600 worlds: 80% has a Monte-Carlo standard error of 1.6 points.
    """
    rows = np.array(support)
    pairs = list(itertools.combinations(range(len(rows)), 2))
    null = simultaneous_gap((rows * rate).astype(int), rows, pairs, Bootstrap(0.95, 4000, 1))
    hardest = simultaneous.hardest_pair(rows, pairs)
    gap = simultaneous.least_detectable(
        rate, (support[hardest[0]], support[hardest[1]]), null.critical, 0.8
    )
    assert gap is not None

    def power(moved_by: float) -> list[bool]:
        rates = [rate] * len(support)
        rates[int(rows.argmin())] += moved_by if rate < 0.5 else -moved_by
        return [each.low > 0 for each in worlds(rates, support, 600)]

    found = np.mean(power(gap))
    assert 0.76 <= found <= 0.97  # other pairs may share in finding it, so it may be above 0.8
    assert np.mean(power(gap / 2)) <= 0.6


def test_for_one_pair_the_stated_power_is_met_and_not_exceeded() -> None:
    """With two groups no other pair helps, so the share of worlds is the power itself."""
    rows, pair = np.array([900, 250]), [(0, 1)]
    null = simultaneous_gap((rows * 0.8).astype(int), rows, pair, Bootstrap(0.95, 4000, 1))
    gap = simultaneous.least_detectable(0.8, (900, 250), null.critical, 0.8)
    assert gap is not None
    found = [each.low > 0 for each in worlds([0.8, 0.8 - gap], [900, 250], 2000)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)


def test_no_gap_is_detectable_between_groups_of_a_few_rows() -> None:
    assert simultaneous.least_detectable(0.5, (4, 4), 3.0, 0.8) is None


def test_the_hardest_pair_is_of_the_smallest_groups() -> None:
    pairs = [(0, 1), (0, 2), (1, 2)]
    assert simultaneous.hardest_pair(np.array([90, 4000, 60]), pairs) == (0, 2)


def test_a_wider_gap_has_a_smaller_p_value_which_is_never_zero() -> None:
    rows, pair = np.array([200, 200]), [(0, 1)]
    found = [
        simultaneous_gap(np.array([100, hits]), rows, pair, BOOTSTRAP)
        for hits in (100, 115, 130, 200)
    ]
    values = [each.p_value for each in found]
    assert values == sorted(values, reverse=True)
    assert values[0] == 1.0
    assert values[-1] == 1 / 301


def test_a_rate_of_one_still_has_an_upper_bound_above_its_point() -> None:
    rows = np.array([50, 50])
    found = simultaneous_gap(rows, rows, [(0, 1)], BOOTSTRAP)
    assert (found.point, found.low) == (0, 0)
    assert 0.05 < found.high < 0.15


def test_near_a_rate_of_one_the_upper_bound_still_holds() -> None:
    """50 of 50 rows has no spread of its own: resampling alone misses this gap in 13 of 100."""
    found = worlds([1.0, 0.96], [50, 50], 500)
    assert np.mean([each.high < 0.04 for each in found]) <= 0.05
