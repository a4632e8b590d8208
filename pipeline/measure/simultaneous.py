"""Bounds that hold for all pairs of rates at once, and the least gap that they would show."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from pipeline.measure.intervals import Bootstrap


@dataclass(frozen=True)
class Widest:
    """The largest difference between the rates of two cells, with its bounds."""

    point: float
    low: float
    high: float
    pair: tuple[int, int]
    p_value: float  # of no pair differing, simultaneous over the pairs
    critical: float  # quantile of t* by which the bounds were made


def simultaneous_gap(
    hits: np.ndarray, support: np.ndarray, pairs: Sequence[tuple[int, int]], bootstrap: Bootstrap
) -> Widest:
    """Bound the largest difference of the rates ``hits / support`` (C,) over all pairs at once.

    A bootstrap of the maximum itself is biased: noise alone makes some pair differ, so its interval
    excludes 0 even if nothing differs. Here differences are centred and studentised before the
    maximum is taken (Hall and Wilson 1991; Romano and Wolf 2005)::

        t* = max over pairs |(p*_i - p*_j) - (p_i - p_j)| / se*_ij
        |p_i - p_j| +- quantile(t*) se_ij   holds for all pairs together

    so the largest lower and the largest upper bound are bounds of the largest true difference. The
    p-value is the share of t* at or above the largest ``|p_i - p_j| / se_ij``, itself counted in
    (Davison and Hinkley 1997, eq. 4.11). Rates inside the bounds have one success and one failure
    added (Agresti and Caffo 2000).
    """
    n = support + 2
    shrunk = (hits + 1) / n  # (C,)
    spread = shrunk * (1 - shrunk) / n
    first, second = np.array(pairs).T  # (P,) each
    errors = np.sqrt(spread[first] + spread[second])
    centre = np.abs(shrunk[first] - shrunk[second])
    drawn = _draw_largest_t(support, shrunk, pairs, bootstrap)  # (2, R)
    critical = float(np.quantile(drawn, bootstrap.confidence, axis=1).max())
    beyond = (drawn >= (centre / errors).max()).sum(axis=1).max()
    rates = hits / support.clip(1)
    differences = np.abs(rates[first] - rates[second])
    widest = int(differences.argmax())
    point = float(differences[widest])
    return Widest(
        point=point,
        low=min(point, max(0.0, float((centre - critical * errors).max()))),
        high=max(point, min(1.0, float((centre + critical * errors).max()))),
        pair=pairs[widest],
        p_value=float((1 + beyond) / (1 + bootstrap.resamples)),
        critical=critical,
    )


def _draw_largest_t(
    support: np.ndarray,
    shrunk: np.ndarray,
    pairs: Sequence[tuple[int, int]],
    bootstrap: Bootstrap,
) -> np.ndarray:
    """Return t* (2, R), drawn in two ways, of which the more cautious is to be used.

    Resampled rows within each group and denominator are binomial counts. These show skew, which
    normal draws do not, but have almost no spread if a rate is near 0 or 1 (50 of 50 rows), where
    normal draws do. Cells are drawn independently, which is cautious if labels share rows.
    """
    draw, n = np.random.default_rng(bootstrap.seed), support + 2
    shape = (bootstrap.resamples, len(n))
    drawn = (draw.binomial(support, shrunk, size=shape) + 1) / n  # (R, C)
    resampled = _largest_t(drawn - shrunk, drawn * (1 - drawn) / n, pairs)
    spread = np.broadcast_to(shrunk * (1 - shrunk) / n, shape)
    normal = _largest_t(draw.normal(size=shape) * np.sqrt(spread), spread, pairs)
    return np.stack([resampled, normal])


def _largest_t(
    moved: np.ndarray, spread: np.ndarray, pairs: Sequence[tuple[int, int]]
) -> np.ndarray:
    """Return the largest studentised difference (R,) of two of the draws (R, C)."""
    largest = np.zeros(len(moved))
    for i, j in pairs:
        error = np.sqrt(spread[:, i] + spread[:, j])
        np.maximum(largest, np.abs(moved[:, i] - moved[:, j]) / error, out=largest)
    return largest


def hardest_pair(support: np.ndarray, pairs: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return the pair of cells whose difference is the least certain: the smallest groups."""
    first, second = np.array(pairs).T
    return pairs[int((1 / support[first] + 1 / support[second]).argmax())]


def least_detectable(
    rate: float, rows: tuple[int, int], critical: float, power: float
) -> float | None:
    """Return the least true difference of two rates whose lower bound exceeds 0 with ``power``.

    Solves ``E|p_i - p_j| = (critical + z_power) se_ij`` (Cohen 1988, section 6.5, with the
    simultaneous quantile for the normal one): the larger group at ``rate``, the smaller one moved
    towards one half, where its spread is the largest. None where no difference would do.
    """
    small, large = sorted(rows)
    toward = -1 if rate >= 0.5 else 1
    needed = critical + float(stats.norm.ppf(power))

    def surplus(gap: float) -> float:
        p, q = ((r * n + 1) / (n + 2) for r, n in ((rate, large), (rate + toward * gap, small)))
        error = math.sqrt(p * (1 - p) / (large + 2) + q * (1 - q) / (small + 2))
        return abs(p - q) - needed * error

    most = max(rate, 1 - rate)
    if surplus(most) < 0:
        return None
    return float(optimize.brentq(surplus, 0.0, most))
