"""A classifier's answers to rows whose labels are known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Outcomes:
    """True labels and answers of n rows, for K labels."""

    labels: np.ndarray  # (n,) true labels, 0 to K - 1
    probabilities: np.ndarray  # (n, K)
    names: Sequence[str]  # the K labels' names

    def __post_init__(self) -> None:
        """Check that the shapes agree."""
        assert self.labels.shape == self.probabilities.shape[:1]
        assert self.probabilities.shape[1] == len(self.names) >= 2

    @property
    def predicted(self) -> np.ndarray:
        """The most likely label (n,); of equal ones the first."""
        return self.probabilities.argmax(axis=1)

    @property
    def correct(self) -> np.ndarray:
        """Whether each answer is right (n,)."""
        return self.predicted == self.labels
