"""Rounding of features: what is recorded of it, and where it is refused."""

import numpy as np
import pytest
from scipy.spatial.distance import cosine

from pipeline.encoder.rounding import MAX_DIFFERENCE, MIN_COSINE, check_rounding
from pipeline.errors import InputError


def test_the_largest_difference_and_the_least_cosine_are_those_of_scipy() -> None:
    draw = np.random.default_rng(0)
    exact = draw.normal(size=(5, 64)).astype(np.float32)
    rounded = exact + draw.uniform(-0.05, 0.05, exact.shape).astype(np.float32)
    rounding = check_rounding(exact, rounded)
    cosines = [1 - cosine(*pair) for pair in zip(exact, rounded, strict=True)]
    assert rounding.texts == 5
    assert rounding.difference == pytest.approx(max(abs(exact - rounded).ravel()))
    assert rounding.cosine == pytest.approx(min(cosines), abs=1e-6)


@pytest.mark.parametrize("by", [1.5 * MAX_DIFFERENCE, -1.5 * MAX_DIFFERENCE, float("nan")])
def test_one_entry_too_far_or_no_number_is_refused(by: float) -> None:
    exact = np.random.default_rng(0).normal(size=(64, 384)).astype(np.float32)
    rounded = exact.copy()
    rounded[7, 11] += by
    with pytest.raises(InputError, match=r"^features\.precision: .* set it to float32"):
        check_rounding(exact, rounded)


def test_many_small_differences_that_turn_a_feature_are_refused() -> None:
    """Each entry stays within its limit, and the cosine is 1 / sqrt(1 + 0.09^2)."""
    exact = np.ones((3, 256), np.float32)
    rounded = exact + 0.9 * MAX_DIFFERENCE * np.tile([1, -1], 128).astype(np.float32)
    assert 1 / np.sqrt(1 + (0.9 * MAX_DIFFERENCE) ** 2) < MIN_COSINE
    with pytest.raises(InputError, match=r"to a cosine of 0\.996"):
        check_rounding(exact, rounded)
