"""How a classifier's answers change when only the terms for a group are exchanged."""

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

    @property
    def predicted(self) -> np.ndarray:
        """The most likely label (n,); of equal ones the first."""
        return self.probabilities.argmax(axis=1)

    def of(self, texts: Sequence[str]) -> "Answers":
        """Return the answers to some of the texts, in their order."""
        place = {text: row for row, text in enumerate(self.texts)}
        picked = [place[text] for text in texts]
        return Answers(texts, self.probabilities[picked])


def compare(name: str, before: Answers, after: Answers, bootstrap: Bootstrap) -> Counterfactual:
    """Compare the answers to texts and to their counterparts, row by row.

    A flip is a change of the predicted label. The intervals are for texts like these: a benchmark's
    sentences are not a sample of all texts.
    """
    flips = before.predicted != after.predicted
    old, new = followed(before, after)
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


def followed(before: Answers, after: Answers) -> tuple[np.ndarray, np.ndarray]:
    """Return one label's probabilities (n,) before and after: label 1 of two.

    Beyond two labels it is each row's likeliest label before.
    """
    rows, K = before.probabilities.shape
    label = np.ones(rows, np.int64) if K == 2 else before.predicted
    return before.probabilities[np.arange(rows), label], after.probabilities[np.arange(rows), label]


def distance(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return the total variation distance (n,) of two distributions (n, K).

    Half the sum of absolute differences; with two labels it is the absolute change of P(labels[1]).
    """
    return np.abs(after - before).sum(axis=1) / 2
