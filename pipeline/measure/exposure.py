"""Exposure: how far a model ranks a planted secret above others that it could have been.

Carlini et al. 2019, "The Secret Sharer", section 4. The rank of a secret
that was not learnt is uniform, so its exposure is nearly exponential with mean log2(e) = 1.44 bits,
and ``ln 2`` times the sum of n of them is nearly Gamma(n). Intervals and p-values rest on that.
"""

import math

import numpy as np
from scipy import special

from pipeline.measure.intervals import undefined
from pipeline.measure.power import POWER
from pipeline.reports import Estimate

CHANCE_BITS = 1 / math.log(2)  # mean exposure of a secret that was not learnt


def exposure(own: float, others: np.ndarray) -> float:
    """Return ``log2 |R| - log2 rank`` of a secret among its candidates, in bits.

    By sampling, as in section 4.3: the candidates R are the secret, of score ``own``, and those
    drawn, of scores (C,). Rank 1 is the likeliest; a tie counts against the secret. It is at most
    log2(C + 1), whatever the number of all secrets.
    """
    rank = 1 + int((others >= own).sum())
    return math.log2(len(others) + 1) - math.log2(rank)


def mean_exposure(bits: np.ndarray, confidence: float, most: float = math.inf) -> Estimate:
    """Return the mean of n exposures with its interval: their sum over both tails of Gamma(n).

    It is exact for exponential exposures, whatever their mean. If all are high they vary less and
    the interval is wider than need be, so it ends at ``most``, the bits of a secret that is ranked
    first. ``detectable`` is the mean that `p_value` would find below
    ``(1 - confidence) / 2`` with 80% power.
    """
    n, tail = len(bits), (1 - confidence) / 2
    if n == 0:
        return undefined(0, confidence, "no secret")
    total, above = float(bits.sum()), float(special.gammainccinv(n, tail))
    return Estimate(
        point=total / n,
        low=total / above,
        high=min(most, total / float(special.gammaincinv(n, tail))),
        n=n,
        confidence=confidence,
        detectable=above / float(special.gammaincinv(n, 1 - POWER)) * CHANCE_BITS,
        note="interval by the gamma distribution, over secrets",
    )


def p_value(bits: np.ndarray) -> float | None:
    """Return the probability of so high a mean of bits (n,) by chance; None if there are none."""
    if len(bits) == 0:
        return None
    return float(special.gammaincc(len(bits), math.log(2) * bits.sum()))
