"""What a classifier said of rows whose labels are known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Outcomes:
    """Labels and answers of n rows, K labels."""

    labels: np.ndarray  # (n,) true labels, 0 to K - 1
    probabilities: np.ndarray  # (n, K)
    names: Sequence[str]  # the K labels' names

    def __post_init__(self) -> None:
        """Hold the shapes to each other."""
        assert self.labels.shape == self.probabilities.shape[:1]
        assert self.probabilities.shape[1] == len(self.names) >= 2

    @property
    def predicted(self) -> np.ndarray:
        """The likeliest label (n,), the first of equals."""
        return self.probabilities.argmax(axis=1)

    @property
    def correct(self) -> np.ndarray:
        """Whether each answer is right (n,)."""
        return self.predicted == self.labels


def decide(probabilities: np.ndarray, threshold: float | None) -> np.ndarray:
    """Return the label (n,) said of each row of probabilities (n, K).

    With a threshold, which two labels may have, label 1 where its probability reaches it; else the
    likeliest label, the first of equals.
    """
    if threshold is None:
        return probabilities.argmax(axis=1)
    assert probabilities.shape[1] == 2
    return (probabilities[:, 1] >= threshold).astype(np.int64)
