"""Against scipy on the occupations' means, by hand, and a model that leans to one pronoun."""

import numpy as np
import pytest
from scipy import stats

from pipeline.measure import pronouns

OCCUPATIONS = ["smith", "smith", "guard", "nurse", "nurse", "clerk", "cook"]
MALE = np.array([True, True, True, False, False, False, False])
TASKS = ["type1", "type2", "type1", "type1", "type2", "type1", "type2"]
ODDS = np.array([2.0, 4.0, 1.0, -1.0, 1.0, -2.0, 3.0])


def score(odds: np.ndarray = ODDS) -> pronouns.PronounScore:
    return pronouns.pronouns(odds, OCCUPATIONS, MALE, TASKS, left_out=5, confidence=0.95)


def test_an_occupation_counts_once_by_its_mean() -> None:
    """Means by hand: smith 3, guard 1; nurse 0, clerk -2, cook 3. Gap 2 - 1/3."""
    found = score()
    assert found.gap.point == pytest.approx(2 - 1 / 3)
    assert found.lean.point == pytest.approx(1.0)
    assert (found.gap.n, found.sentences, found.left_out) == (5, 7, 5)
    test = stats.ttest_ind([3, 1], [0, -2, 3], equal_var=False).confidence_interval(0.95)
    assert (found.gap.low, found.gap.high) == pytest.approx((test.low, test.high))


def test_a_liking_for_one_pronoun_falls_out_of_the_gap_and_not_of_the_lean() -> None:
    before, after = score(), score(ODDS + 3)
    assert after.gap.point == pytest.approx(before.gap.point)
    assert after.lean.point == pytest.approx(before.lean.point + 3)


def test_a_task_has_its_own_sentences_and_too_few_occupations_no_gap() -> None:
    """Type 1 has smith 2, guard 1; nurse -1, clerk -2. Type 2 has one occupation of men."""
    found = score().per_task
    assert found["type1"].point == pytest.approx(1.5 + 1.5)
    assert (found["type2"].point, found["type2"].n) == (None, 3)
    assert found["type2"].note == "fewer than two occupations of a group"


def test_the_least_effect_is_found_four_times_in_five() -> None:
    """Simulated: 20 and 20 occupations with deviation 1, apart by what is said to be found."""
    draw, runs, found = np.random.default_rng(6), 1500, 0
    names = np.array([f"o{i:02}" for i in range(40)])
    male = np.arange(40) < 20
    least = pronouns.gap(np.tile([-1.0, 1.0], 20) * np.sqrt(19 / 20), names, male, 0.95).detectable
    for _ in range(runs):
        apart = draw.normal(0, 1, 40) + least * male
        found += pronouns.gap(apart, names, male, 0.95).low > 0  # type: ignore[operator]
    assert found / runs == pytest.approx(0.8, abs=0.04)


def test_occupations_that_are_all_alike_have_no_interval_and_so_no_figure() -> None:
    found = score(np.zeros(7))
    assert (found.gap.point, found.lean.point) == (None, None)
    assert "one value" in found.gap.note
