"""Against an example worked by hand, the definition in closed-test form, and simulated families."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.policy.multiplicity import holm


def test_holm_equals_examples_worked_by_hand() -> None:
    """Ascending 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1: 0.02, 0.03, 0.06, then 0.04 raised."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.4, 0.6]) == pytest.approx((0.8, 0.8))
    assert holm([]) == ()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_it_is_the_closed_test_by_bonferroni(p_values: list[float]) -> None:
    """Brute force: an hypothesis goes when every subset of the family that holds it does.

    A subset's p-value by Bonferroni is its size times its smallest; the adjusted p-value of an
    hypothesis is the largest over the subsets that it is in (Marcus et al. 1976).
    """
    family = range(len(p_values))
    subsets = [s for k in family for s in itertools.combinations(family, k + 1)]
    for each, found in enumerate(holm(p_values)):
        worst = max(len(s) * min(p_values[i] for i in s) for s in subsets if each in s)
        assert found == pytest.approx(min(1, worst))


def test_a_test_that_could_not_be_made_stays_so_and_helps_no_other() -> None:
    assert holm([0.01, None, 0.02]) == pytest.approx((0.03, None, 0.04))
    assert holm([None]) == (None,)


@pytest.mark.parametrize("p", [-0.01, 1.01, float("nan")])
def test_what_is_no_p_value_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="is no p-value"):
        holm([0.5, p])


def test_a_family_without_effects_raises_a_false_alarm_in_six_percent_at_most() -> None:
    """10,000 families of eight: 5% has a Monte-Carlo standard error of 0.22 points."""
    families = np.random.default_rng(1).random((10_000, 8))
    alarms = np.mean([min(holm(family)) <= 0.05 for family in families.tolist()])
    assert 0.04 <= alarms <= 0.06
