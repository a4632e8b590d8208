"""Two classifiers on the same rows: which is better, by how much, and how sure that is."""

import math

import numpy as np
from scipy import optimize, stats

from pipeline.measure.intervals import undefined
from pipeline.reports import Estimate, PairedTest

METHOD = "exact McNemar test; score interval of Tango (1998)"


def compare(
    rival: str, correct: np.ndarray, rival_correct: np.ndarray, confidence: float
) -> PairedTest:
    """Compare a model with ``rival`` by whether each was right, (n,) booleans of the same rows.

    The difference is of accuracies, model minus rival.
    """
    assert correct.shape == rival_correct.shape
    won = int((correct & ~rival_correct).sum())
    lost = int((~correct & rival_correct).sum())
    n = len(correct)
    if n == 0:
        none = undefined(0, confidence, "no rows")
        return PairedTest(rival=rival, difference=none, p_value=None, method=METHOD)
    low, high = tango_interval(won, lost, n, confidence)
    difference = Estimate(
        point=(won - lost) / n,
        low=low,
        high=high,
        n=n,
        confidence=confidence,
        note=f"{won} rows only the model had right, {lost} only {rival}",
    )
    return PairedTest(rival=rival, difference=difference, p_value=mcnemar(won, lost), method=METHOD)


def mcnemar(won: int, lost: int) -> float:
    """Return the exact two-sided p-value of McNemar (1947), from the rows where only one is right.

    Under equal accuracies ``won`` is binomial with n = ``won + lost`` and p = 1/2. With no such row
    nothing speaks against equality, and the p-value is 1.
    """
    if won + lost == 0:
        return 1.0
    return float(stats.binomtest(won, won + lost, 0.5).pvalue)


def tango_interval(won: int, lost: int, n: int, confidence: float) -> tuple[float, float]:
    """Return the score interval of a difference of paired proportions, Tango (1998).

    The bounds are the differences d at which the score statistic reaches the normal quantile; the
    nuisance probability ``q``, of a row that only the rival has right, is its maximum-likelihood
    value at d. Unlike Wald's interval it keeps its level with few discordant rows.
    """
    z = float(stats.norm.ppf((1 + confidence) / 2))

    def statistic(d: float) -> float:
        excess = won - lost - n * d
        b = (2 * n - won + lost) * d - won - lost
        c = -lost * d * (1 - d)
        q = (math.sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n)
        variance = n * (2 * q + d * (1 - d))
        if excess == 0:
            return 0.0
        return excess / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, excess)

    point = (won - lost) / n
    low = optimize.bisect(lambda d: statistic(d) - z, -1, point) if point > -1 else -1.0
    high = optimize.bisect(lambda d: statistic(d) + z, point, 1) if point < 1 else 1.0
    return float(low), float(high)
