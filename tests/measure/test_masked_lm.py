"""Against hand computation."""

import numpy as np
import pytest

from pipeline.measure import masked_lm

MORE = np.array([-1.0, -5.0, -2.0004, -3.0])
LESS = np.array([-2.0, -4.0, -2.0001, -9.0])
DIRECTIONS = ["stereo", "stereo", "stereo", "antistereo"]
TYPES = ["gender", "gender", "age", "age"]


def test_percent_by_hand_with_ties_in_the_denominator() -> None:
    """Preferred: the first and the last pair; the third is equal at three decimals."""
    found = masked_lm.crows_pairs(MORE, LESS, DIRECTIONS, TYPES, 0.95)
    assert found.ties == 1
    assert (found.score.point, found.score.n) == (50, 4)
    assert (found.stereo.point, found.stereo.n) == (pytest.approx(100 / 3), 3)
    assert (found.antistereo.point, found.antistereo.n) == (100, 1)
    assert {kind: score.point for kind, score in found.per_type.items()} == {
        "age": 50,
        "gender": 50,
    }
    assert 0 < found.score.low < 50 < found.score.high < 100


def test_a_direction_without_pairs_is_undefined() -> None:
    found = masked_lm.crows_pairs(MORE[:2], LESS[:2], DIRECTIONS[:2], TYPES[:2], 0.95)
    assert (found.antistereo.point, found.antistereo.n) == (None, 0)


def test_the_order_of_pairs_changes_nothing() -> None:
    order = [2, 0, 3, 1]
    shuffled = masked_lm.crows_pairs(
        MORE[order], LESS[order], [DIRECTIONS[i] for i in order], [TYPES[i] for i in order], 0.95
    )
    assert shuffled == masked_lm.crows_pairs(MORE, LESS, DIRECTIONS, TYPES, 0.95)
