"""Estimates with intervals: Wilson's for proportions, the bootstrap for other figures."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from pipeline.reports import Estimate

_CHUNK_CELLS = 1 << 22  # resamples times rows held at once: 32 MiB of float64


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made: at a two-sided ``confidence``, from resamples drawn by ``seed``."""

    confidence: float
    resamples: int
    seed: int


def undefined(n: int, confidence: float, why: str) -> Estimate:
    """Return the estimate of a figure that does not exist, with the reason."""
    return Estimate(point=None, low=None, high=None, n=n, confidence=confidence, note=why)


def wilson(successes: int, n: int, confidence: float) -> Estimate:
    """Return the proportion ``successes / n`` with the score interval of Wilson (1927).

    The bounds solve ``(phat - p)^2 = z^2 p (1 - p) / n`` for p. Undefined where n is 0.
    """
    if n == 0:
        return undefined(0, confidence, "no rows")
    z = stats.norm.ppf((1 + confidence) / 2)
    share = successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    return Estimate(
        point=share,
        low=max(0.0, centre - half) if successes else 0.0,
        high=min(1.0, centre + half) if successes < n else 1.0,
        n=n,
        confidence=confidence,
        note="Wilson interval",
    )


def resample_weights(rows: int, bootstrap: Bootstrap) -> Iterator[np.ndarray]:
    """Yield the bootstrap (Efron 1979) as counts (chunk, rows): how often each row was drawn.

    A statistic that takes row weights is thus computed for many resamples at once. All chunks
    together have ``bootstrap.resamples`` lines; equal arguments give equal counts.
    """
    draw = np.random.default_rng(bootstrap.seed)
    chunk = max(1, _CHUNK_CELLS // rows)
    for start in range(0, bootstrap.resamples, chunk):
        size = min(chunk, bootstrap.resamples - start)
        picks = draw.integers(rows, size=(size, rows)) + rows * np.arange(size)[:, None]
        counts = np.bincount(picks.ravel(), minlength=size * rows)
        yield counts.reshape(size, rows).astype(np.float64)


def percentile(point: float, draws: np.ndarray, n: int, confidence: float) -> Estimate:
    """Return ``point`` with the percentile interval of ``draws`` (resamples,).

    A draw is NaN if its resample left the figure undefined (a class was not drawn). If more draws
    than a tail holds are undefined no interval is given: they could all lie in that tail.
    """
    tail = (1 - confidence) / 2
    if np.isnan(draws).mean() > tail:
        why = "no interval: undefined in too many resamples (a class with very few rows)"
        return Estimate(point=point, low=None, high=None, n=n, confidence=confidence, note=why)
    low, high = np.nanquantile(draws, [tail, 1 - tail])
    note = f"percentile bootstrap, {len(draws)} resamples"
    return Estimate(
        point=point, low=float(low), high=float(high), n=n, confidence=confidence, note=note
    )


def bootstrap_mean(values: np.ndarray, bootstrap: Bootstrap) -> Estimate:
    """Return the mean of ``values`` (n,) with its percentile bootstrap interval."""
    n = len(values)
    if n == 0:
        return undefined(0, bootstrap.confidence, "no rows")
    if n == 1:  # each resample is that row, and the interval would have no width
        why = "no interval: one row"
        point = float(values[0])
        return Estimate(
            point=point, low=None, high=None, n=1, confidence=bootstrap.confidence, note=why
        )
    draws = np.concatenate([weights @ values / n for weights in resample_weights(n, bootstrap)])
    return percentile(float(values.mean()), draws, n, bootstrap.confidence)
