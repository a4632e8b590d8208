"""Against hand computation."""

import numpy as np
import pytest

from pipeline.measure.behaviour import judge_behaviour
from pipeline.measure.counterfactual import Answers
from pipeline.measure.intervals import Bootstrap

BOOTSTRAP = Bootstrap(0.95, 300, 1)


def answers(*chances: float) -> Answers:
    table = np.array([[1 - chance, chance] for chance in chances])
    return Answers([f"text {i}" for i in range(len(chances))], table)


def test_invariance_fails_where_the_label_changes() -> None:
    found = judge_behaviour(
        "typos", "invariance", answers(0.9, 0.6, 0.2, 0.7), answers(0.6, 0.4, 0.9, 0.7), BOOTSTRAP
    )
    assert (found.texts, found.failure_rate.point, found.failure_rate.n) == (4, 0.5, 4)
    assert found.mean_change.point == pytest.approx((-0.3 - 0.2 - 0.7 + 0) / 4)
    assert [example[0] for example in found.examples] == ["text 2", "text 1"]
    assert found.examples[0][2:] == pytest.approx((0.8, 0.1))  # of the label given before


def test_direction_fails_where_the_label_given_before_does_not_lose() -> None:
    """Text 1 gains, text 3 stays; text 2, of label 0, loses as it should."""
    found = judge_behaviour(
        "negation", "direction", answers(0.9, 0.6, 0.2, 0.7), answers(0.2, 0.8, 0.4, 0.7), BOOTSTRAP
    )
    assert found.failure_rate.point == 0.5
    assert [example[0] for example in found.examples] == ["text 1", "text 3"]
    assert found.mean_change.point == pytest.approx((-0.7 + 0.2 - 0.2 + 0) / 4)


def test_a_change_that_applies_to_no_text_is_undefined_and_no_pass() -> None:
    none = Answers([], np.empty((0, 2)))
    found = judge_behaviour("typos", "invariance", none, none, BOOTSTRAP)
    assert (found.texts, found.failure_rate.point, found.mean_change.point) == (0, None, None)
    assert found.failure_rate.note == "no rows"
