"""The threshold between two labels, chosen on validation rows and folded into the model."""

import numpy as np
import torch
from torch import nn

_FOLDS = 5  # all must agree; noise alone does so in about one sample of thirty


def fold_threshold(output: nn.Linear, logits: np.ndarray, labels: np.ndarray) -> float:
    """Add the shift of `choose_shift` to the bias of label 1, and return it; 0 beyond two labels.

    ``logits`` (N, K) and ``labels`` (N,) are of validation rows.
    """
    if output.out_features != 2:
        return 0.0
    shift = choose_shift(logits, labels)
    with torch.no_grad():
        output.bias[1] += shift
    return shift


def choose_shift(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return what to add to the logit of label 1 so that argmax is the best rule between two.

    Best means the highest macro-F1 over the rows, (N, 2) logits and (N,) labels. A threshold chosen
    on few rows fits their noise, so a shift is returned only if it helps rows that it was not
    chosen on: in each of five folds the shift chosen on the other four must have a higher macro-F1
    than none. Otherwise 0.
    """
    margins = logits[:, 1] - logits[:, 0]
    fold = np.arange(len(labels)) % _FOLDS
    for number in range(_FOLDS):
        held = fold == number
        if len(np.unique(labels[held])) < 2:
            return 0.0
        cut = best_cut(margins[~held], labels[~held])
        if macro_f1(margins[held] - cut, labels[held]) <= macro_f1(margins[held], labels[held]):
            return 0.0
    return -best_cut(margins, labels)


def best_cut(margins: np.ndarray, labels: np.ndarray) -> float:
    """Return the cut nearest 0 among those with the highest macro-F1 of ``margin > cut``.

    Cuts lie half way between neighbouring margins, so that rounding moves no row across. Row counts
    below and above each cut come from the cumulative counts of both labels.
    """
    order = np.argsort(margins, kind="stable")
    margins, positive = margins[order], labels[order] == 1
    below = np.stack([np.cumsum(~positive), np.cumsum(positive)])[:, :-1]  # (2, N - 1)
    above = np.array([[np.count_nonzero(~positive)], [np.count_nonzero(positive)]]) - below
    wrong = below[1] + above[0]
    f1 = [2 * hits / np.maximum(2 * hits + wrong, 1) for hits in (below[0], above[1])]
    cuts, scores = (margins[1:] + margins[:-1]) / 2, np.mean(f1, axis=0)
    apart = margins[1:] > margins[:-1]
    if not apart.any():
        return 0.0
    best = cuts[apart & (scores == scores[apart].max())]
    return float(best[np.abs(best).argmin()])


def macro_f1(margins: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean of both labels' F1 = 2 TP / (2 TP + FP + FN), label 1 where margin > 0."""
    said = margins > 0
    wrong = np.count_nonzero(said != (labels == 1))
    hits = [np.count_nonzero(said & (labels == 1)), np.count_nonzero(~said & (labels == 0))]
    return float(np.mean([2 * hit / (2 * hit + wrong) for hit in hits if hit or wrong]))
