"""The least effect that a test would have found, which tells what "no effect seen" is worth."""

import math

from scipy import stats

POWER = 0.8  # four times in five, the customary one (Cohen 1988)


def detectable(standard_error: float, confidence: float, freedom: float = math.inf) -> float:
    """Return the minimum detectable effect of Bloom (1995, Evaluation Review 19(5), 547 to 556).

    A true effect of this size is significant in the two-sided test with probability `POWER`:
    ``(t_{1 - alpha/2} + t_{power}) * standard_error``, with alpha ``1 - confidence``, and
    ``freedom`` degrees of freedom of the standard error.
    """
    multiplier = stats.t.ppf((1 + confidence) / 2, freedom) + stats.t.ppf(POWER, freedom)
    return float(multiplier * standard_error)


def detectable_share(n: int, confidence: float) -> float:
    """Return the least departure of a share of ``n`` from one half, as a share."""
    return detectable(0.5 / math.sqrt(n), confidence)
