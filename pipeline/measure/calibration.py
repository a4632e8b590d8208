"""Whether a probability means what it says: reliability bins, ECE and Brier score."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from pipeline.measure.intervals import Bootstrap, resample_weights
from pipeline.reports import Estimate


@dataclass(frozen=True)
class Bins:
    """Rows binned by confidence: one entry per bin, the least confident first."""

    rows: np.ndarray  # (bins,)
    confidence: np.ndarray  # (bins,) mean probability of the likeliest label
    accuracy: np.ndarray  # (bins,) share of rows in which that label is the true one


def brier_losses(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return each row's squared error (n,), whose mean is the Brier score.

    Brier (1950) sums over the labels, 0 to 2; with two labels both terms are equal and one is
    kept, 0 to 1. This is scikit-learn's ``scale_by_half="auto"``.
    """
    n, K = probabilities.shape
    errors = probabilities.copy()  # (n, K)
    errors[np.arange(n), labels] -= 1.0
    return (errors**2).sum(axis=1) / (2 if K == 2 else 1)


def reliability(labels: np.ndarray, probabilities: np.ndarray, bins: int) -> Bins:
    """Return the reliability diagram of the likeliest label, in bins of equal mass."""
    confidence, correct = _likeliest(labels, probabilities)
    member = _equal_mass(confidence, bins)
    rows = np.bincount(member)
    return Bins(
        rows=rows,
        confidence=np.bincount(member, weights=confidence) / rows,
        accuracy=np.bincount(member, weights=correct) / rows,
    )


def calibration_error(
    labels: np.ndarray, probabilities: np.ndarray, bins: int, bootstrap: Bootstrap
) -> Estimate:
    r"""Return the expected calibration error with an interval that is honest near 0.

    With ``g = confidence - correct`` (Guo et al. 2017, eq. 3; bins of equal mass as in Roelofs et
    al. 2022, whose bias is smaller than that of equal width)::

        ECE = sum_b |G_b|,   G_b = mean over rows of 1[row in b] g

    The estimate is biased upwards and an ordinary bootstrap of it twice so. Instead, from
    ``| |G*_b| - |G_b| | <= |G*_b - G_b|``: the lower bound subtracts the upper quantile of
    ``sum_b |G*_b - G_b|`` over resamples. From ``|G_b| >= s_b G_b`` for any signs s: the error
    above the estimate is at most that of a sum of signed means, whose variance is at most
    ``mean(g^2) / n``. The edges of the bins are held fixed.
    """
    confidence, correct = _likeliest(labels, probabilities)
    gaps = confidence - correct
    n = len(gaps)
    member = _equal_mass(confidence, bins)
    by_bin = np.eye(member.max() + 1)[member] * gaps[:, None]  # (n, bins)
    means = by_bin.mean(axis=0)  # (bins,)
    draws = [np.abs(w @ by_bin / n - means).sum(axis=1) for w in resample_weights(n, bootstrap)]
    upper_tail = (1 + bootstrap.confidence) / 2
    point = float(np.abs(means).sum())
    below = float(np.quantile(np.concatenate(draws), upper_tail))
    above = stats.norm.ppf(upper_tail) * math.sqrt(float((gaps**2).mean()) / n)
    return Estimate(
        point=point,
        low=max(0.0, point - below),
        high=min(1.0, point + above),
        n=n,
        confidence=bootstrap.confidence,
        note=f"{len(means)} bins of equal mass; centred bootstrap below, normal bound above",
    )


def _likeliest(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the top label's probability (n,) and whether it is the true label (n,) as 0 or 1."""
    top = probabilities.argmax(axis=1)
    return probabilities.max(axis=1), (top == labels).astype(np.float64)


def _equal_mass(values: np.ndarray, bins: int) -> np.ndarray:
    """Return the bin (n,) of each value; equal values share a bin, so there may be fewer bins."""
    edges = np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1])
    _, member = np.unique(np.searchsorted(edges, values, side="left"), return_inverse=True)
    return member
