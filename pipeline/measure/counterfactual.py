"""How a classifier's answer moves when only the terms for a group move."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.measure.intervals import Bootstrap, bootstrap_mean, wilson
from pipeline.reports import Counterfactual

_EXAMPLES = 3


@dataclass(frozen=True)
class Answers:
    """A classifier's answers to some texts."""

    texts: Sequence[str]
    probabilities: np.ndarray  # (n, K)
    predicted: np.ndarray  # (n,)


def compare(name: str, before: Answers, after: Answers, bootstrap: Bootstrap) -> Counterfactual:
    """Compare the answers to texts and to their counterparts, row by row.

    The flip rate is of predicted labels. The interval is for texts like these: a benchmark's own
    choice of sentences is not a sample of the world's.
    """
    flips = before.predicted != after.predicted
    place = watched(before.probabilities)
    rows = np.arange(len(place))
    old, new = before.probabilities[rows, place], after.probabilities[rows, place]
    moved = distance(before.probabilities, after.probabilities)
    largest = np.argsort(-moved, kind="stable")[:_EXAMPLES]
    return Counterfactual(
        name=name,
        texts=len(flips),
        flip_rate=wilson(int(flips.sum()), len(flips), bootstrap.confidence),
        mean_change=bootstrap_mean(new - old, bootstrap),
        mean_absolute_change=bootstrap_mean(moved, bootstrap),
        examples=tuple(
            (before.texts[row], after.texts[row], float(old[row]), float(new[row]))
            for row in largest
        ),
    )


def watched(probabilities: np.ndarray) -> np.ndarray:
    """Return the label (n,) whose probability is followed: 1 of two, else the likeliest before."""
    if probabilities.shape[1] == 2:
        return np.ones(len(probabilities), dtype=np.int64)
    return probabilities.argmax(axis=1)


def distance(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return the total variation distance (n,) of two distributions (n, K).

    Half the sum of absolute differences; with two labels it is the absolute change of P(labels[1]).
    """
    return np.abs(after - before).sum(axis=1) / 2
