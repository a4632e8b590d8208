"""Canaries: what is drawn, and that planting adds them and changes nothing else."""

import collections

import pytest

from pipeline.params import CanaryParams
from pipeline.text import canaries

PARAMS = CanaryParams(secrets=3, digits=6, seed=1)


def test_there_are_as_many_secrets_of_each_number_of_repeats_and_all_differ() -> None:
    drawn = canaries.draw_canaries(PARAMS)
    assert collections.Counter(each.repeats for each in drawn) == {0: 3, 1: 3, 4: 3, 16: 3}
    assert len({each.before for each in drawn}) == len({each.digits for each in drawn}) == 12
    assert all(
        len(each.digits.split()) == 6 and set(each.digits) <= set("0123456789 ") for each in drawn
    )


def test_equal_params_draw_equal_canaries_and_another_seed_others() -> None:
    drawn = canaries.draw_canaries(PARAMS)
    assert drawn == canaries.draw_canaries(PARAMS)
    other = canaries.draw_canaries(PARAMS.model_copy(update={"seed": 2}))
    assert not {each.digits for each in drawn} & {each.digits for each in other}


def test_the_most_secrets_that_params_allow_are_about_things_that_differ() -> None:
    most = PARAMS.model_copy(update={"secrets": canaries.MOST_SECRETS})
    drawn = canaries.draw_canaries(most)
    assert len({each.before for each in drawn}) == 4 * canaries.MOST_SECRETS
    with pytest.raises(ValueError, match="less than or equal to 25"):
        CanaryParams(secrets=canaries.MOST_SECRETS + 1)


def test_planting_adds_each_as_often_as_it_says_and_keeps_the_texts_in_order() -> None:
    own = [f"text {number}" for number in range(100)]
    batches = [own[start : start + 7] for start in range(0, 100, 7)]
    drawn = canaries.draw_canaries(PARAMS)
    mixed = [text for batch in canaries.plant(batches, 100, drawn, 5) for text in batch]
    assert [text for text in mixed if text in set(own)] == own
    counts = collections.Counter(text for text in mixed if text not in set(own))
    assert counts == {each.text: each.repeats for each in drawn if each.repeats}
    again = [text for batch in canaries.plant([own], 100, drawn, 5) for text in batch]
    assert mixed == again  # whatever the batches


def test_the_places_are_spread_over_the_corpus() -> None:
    own = [f"text {number}" for number in range(1000)]
    (canary,) = (each for each in canaries.draw_canaries(PARAMS)[:4] if each.repeats == 16)
    (mixed,) = canaries.plant([own], 1000, (canary,), 1)
    places = [place for place, text in enumerate(mixed) if text == canary.text]
    assert places[0] < 250
    assert places[-1] > 750


def test_without_canaries_the_batches_are_what_they_were() -> None:
    assert list(canaries.plant([["a", "b"], ["c"]], 3, (), 0)) == [["a", "b"], ["c"]]
