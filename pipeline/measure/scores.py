"""The scores of a classifier on test rows, each with its support and interval."""

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.measure import calibration
from pipeline.measure.intervals import (
    Bootstrap,
    bootstrap_mean,
    percentile,
    resample_weights,
    undefined,
    wilson,
)
from pipeline.measure.outcomes import Outcomes
from pipeline.reports import Estimate, Scores


def score(
    outcomes: Outcomes, groups: Mapping[str, np.ndarray], bins: int, bootstrap: Bootstrap
) -> Scores:
    """Score a classifier's answers.

    Args:
        outcomes: labels and answers of n rows.
        groups: column name -> values (n,), for the accuracy of each value.
        bins: of the calibration error.
        bootstrap: how intervals are made where there is no formula.
    """
    labels, probabilities = outcomes.labels, outcomes.probabilities
    f1, macro_f1 = f1_scores(outcomes, bootstrap)
    return Scores(
        accuracy=_share(outcomes.correct, bootstrap.confidence),
        macro_f1=macro_f1,
        roc_auc=roc_auc(outcomes, bootstrap),
        brier=bootstrap_mean(calibration.brier_losses(labels, probabilities), bootstrap),
        ece=calibration.calibration_error(labels, probabilities, bins, bootstrap),
        per_class=_per_class(outcomes, f1, bootstrap.confidence),
        per_group={
            column: _per_value(outcomes.correct, values, bootstrap.confidence)
            for column, values in groups.items()
        },
        confusion=confusion(labels, outcomes.predicted, len(outcomes.names)),
    )


def confusion(labels: np.ndarray, predicted: np.ndarray, K: int) -> tuple[tuple[int, ...], ...]:
    """Return counts (K, K): a line a true label, a column a predicted one."""
    counts = np.bincount(labels * K + predicted, minlength=K * K).reshape(K, K)
    return tuple(tuple(int(count) for count in line) for line in counts)


def f1_scores(outcomes: Outcomes, bootstrap: Bootstrap) -> tuple[list[Estimate], Estimate]:
    """Return F1 = 2TP / (2TP + FP + FN) of each label, and its mean over the labels.

    A label with neither rows nor predictions has no F1, and a label without rows makes the mean
    undefined: both are None, not the customary 0.
    """
    n, K = outcomes.probabilities.shape
    ones = np.eye(K)
    true, guessed = ones[outcomes.labels], ones[outcomes.predicted]  # (n, K)
    hits = true * guessed  # (n, K)
    sizes = true + guessed  # its sum is 2TP + FP + FN

    def f1(weights: np.ndarray) -> np.ndarray:  # (R, n) -> (R, K)
        with np.errstate(invalid="ignore"):
            return 2 * (weights @ hits) / (weights @ sizes)

    points = f1(np.ones((1, n)))[0]
    draws = np.concatenate([f1(weights) for weights in resample_weights(n, bootstrap)])
    support = sizes.sum(axis=0)
    each = [
        percentile(float(points[k]), draws[:, k], int(true[:, k].sum()), bootstrap.confidence)
        if support[k]
        else undefined(0, bootstrap.confidence, "neither rows nor predictions")
        for k in range(K)
    ]
    if absent := _absent(outcomes):
        return each, undefined(n, bootstrap.confidence, f"no rows of {absent}")
    return each, percentile(float(points.mean()), draws.mean(axis=1), n, bootstrap.confidence)


def roc_auc(outcomes: Outcomes, bootstrap: Bootstrap) -> Estimate:
    """Return the area under the ROC curve; beyond two labels, the mean of each against the rest."""
    probabilities = outcomes.probabilities
    n, K = probabilities.shape
    if absent := _absent(outcomes):
        return undefined(n, bootstrap.confidence, f"no rows of {absent}")
    ranked = [1] if K == 2 else range(K)

    def auc(weights: np.ndarray) -> np.ndarray:  # (R, n) -> (R,)
        areas = [weighted_auc(weights, probabilities[:, k], outcomes.labels == k) for k in ranked]
        return np.mean(areas, axis=0)

    draws = np.concatenate([auc(weights) for weights in resample_weights(n, bootstrap)])
    return percentile(float(auc(np.ones((1, n)))[0]), draws, n, bootstrap.confidence)


def weighted_auc(weights: np.ndarray, scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Return the area under the ROC curve for each line of row weights, (R, n) -> (R,).

    The Mann-Whitney form (Hanley and McNeil 1982): the share of pairs of a positive and a negative
    row in which the positive scores higher, a tie counting one half. NaN where there is no pair.
    """
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))  # of runs of equal scores
    ordered, flags = weights[:, order], positive[order]
    above = np.add.reduceat(ordered * flags, starts, axis=1)  # (R, runs)
    below = np.add.reduceat(ordered * ~flags, starts, axis=1)
    beaten = np.cumsum(below, axis=1) - below / 2
    with np.errstate(invalid="ignore"):
        return (above * beaten).sum(axis=1) / (above.sum(axis=1) * below.sum(axis=1))


def roc_curves(outcomes: Outcomes, points: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return each label's false and true positive rates, thinned to about ``points`` for a plot.

    With two labels it is the second's curve; a label without rows, or with all rows, has none.
    """
    labels = [1] if len(outcomes.names) == 2 else range(len(outcomes.names))
    curves = {}
    for k in labels:
        positive = outcomes.labels == k
        if positive.any() and not positive.all():
            curve = roc_curve(outcomes.probabilities[:, k], positive)
            kept = np.unique(np.linspace(0, len(curve[0]) - 1, points).astype(int))
            curves[outcomes.names[k]] = (curve[0][kept], curve[1][kept])
    return curves


def roc_curve(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true positive rates, (points,) each, from (0, 0) to (1, 1)."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # of runs of equal scores
    hits = np.cumsum(positive[order])[ends]
    misses = ends + 1 - hits
    return np.append(0, misses) / misses[-1], np.append(0, hits) / hits[-1]


def _per_class(
    outcomes: Outcomes, f1: Sequence[Estimate], confidence: float
) -> dict[str, dict[str, Estimate]]:
    labels, predicted = outcomes.labels, outcomes.predicted
    return {
        name: {
            "precision": _share((labels == k)[predicted == k], confidence, "never predicted"),
            "recall": _share((predicted == k)[labels == k], confidence),
            "f1": f1[k],
        }
        for k, name in enumerate(outcomes.names)
    }


def _per_value(correct: np.ndarray, values: np.ndarray, confidence: float) -> dict[str, Estimate]:
    present = sorted({str(value) for value in values})
    return {value: _share(correct[values == value], confidence) for value in present}


def _share(hits: np.ndarray, confidence: float, why: str = "no rows") -> Estimate:
    if not len(hits):
        return undefined(0, confidence, why)
    return wilson(int(hits.sum()), len(hits), confidence)


def _absent(outcomes: Outcomes) -> str:
    """Name the labels without rows."""
    counts = np.bincount(outcomes.labels, minlength=len(outcomes.names))
    return ", ".join(name for name, rows in zip(outcomes.names, counts, strict=True) if not rows)
