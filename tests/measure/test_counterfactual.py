"""Against hand computation."""

import numpy as np
import pytest

from pipeline.measure import counterfactual
from pipeline.measure.counterfactual import Answers
from pipeline.measure.intervals import Bootstrap

BOOTSTRAP = Bootstrap(0.95, 300, 1)


def two(*chances: float) -> Answers:
    table = np.array([[1 - chance, chance] for chance in chances])
    return Answers([f"text {i}" for i in range(len(chances))], table)


def test_flips_and_changes_by_hand() -> None:
    found = counterfactual.compare("swap", two(0.9, 0.6, 0.2), two(0.8, 0.4, 0.3), BOOTSTRAP)
    assert found.texts == 3
    assert found.flip_rate.point == pytest.approx(1 / 3)
    assert found.mean_change.point == pytest.approx((-0.1 - 0.2 + 0.1) / 3)
    assert found.mean_absolute_change.point == pytest.approx((0.1 + 0.2 + 0.1) / 3)
    assert found.examples[0] == ("text 1", "text 1", pytest.approx(0.6), pytest.approx(0.4))


def test_beyond_two_labels_the_first_answer_is_followed_and_all_labels_count() -> None:
    before = Answers(["t"], np.array([[0.2, 0.5, 0.3]]))
    after = Answers(["u"], np.array([[0.4, 0.2, 0.4]]))
    found = counterfactual.compare("swap", before, after, BOOTSTRAP)
    assert found.mean_change.point == pytest.approx(-0.3)
    assert found.mean_absolute_change.point == pytest.approx((0.2 + 0.3 + 0.1) / 2)
    assert found.examples == (("t", "u", 0.5, 0.2),)


def test_no_texts_is_undefined() -> None:
    none = Answers([], np.empty((0, 2)))
    found = counterfactual.compare("swap", none, none, BOOTSTRAP)
    assert (found.texts, found.flip_rate.point, found.mean_change.point) == (0, None, None)


def test_answers_are_picked_by_text() -> None:
    answers = two(0.1, 0.2, 0.3)
    picked = answers.of(["text 2", "text 0"])
    assert picked.texts == ["text 2", "text 0"]
    assert picked.probabilities[:, 1] == pytest.approx([0.3, 0.1])
