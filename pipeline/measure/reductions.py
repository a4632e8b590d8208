"""Fairlearn's methods of mitigation for two labels: reductions, and thresholds by group.

Both randomise answers where their constraint requires it, so the same text may be answered
differently the next time. Here draws are from a seed, so that equal rows give equal answers.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from fairlearn.postprocessing import ThresholdOptimizer
from fairlearn.reductions import DemographicParity, EqualizedOdds, ExponentiatedGradient
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from pipeline.measure.mitigation import Constraint

_BOUND = 0.01  # fairlearn's default of the difference that the constraint allows on training rows
_ROUNDS = 10  # of the search: each fits a logistic head, and more of them change little
_TOLERANCE = 1e-2  # of a fit, in its gradient; the weights change from round to round anyhow


def fit_reduction(
    features: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    *,
    constraint: Constraint,
    l2: float,
    seed: int,
) -> Callable[[np.ndarray], np.ndarray]:
    """Fit a mixture of logistic heads to features (N, H) and labels (N,) of 0 and 1.

    Agarwal et al. 2018, algorithm 1 (exponentiated gradient). ``l2 / 2`` times the weights' squares
    is added to a head's mean loss, as of the shipped head. Groups are needed in the fit only.

    Returns:
        From features to labels (N,), each drawn from the mixture.
    """
    bound = {"equalized_odds": EqualizedOdds, "demographic_parity": DemographicParity}[constraint]
    inverse = 1 / (len(labels) * l2) if l2 else np.inf
    head = LogisticRegression(C=inverse, tol=_TOLERANCE, max_iter=200)
    search = ExponentiatedGradient(head, bound(difference_bound=_BOUND), max_iter=_ROUNDS)
    search.fit(features, labels, sensitive_features=groups)
    return lambda asked: np.asarray(search.predict(asked, random_state=seed)).astype(np.int64)


def fit_thresholds(
    probabilities: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    constraint: Constraint,
    seed: int,
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Fit a threshold a group to P(label 1) (N,) of training rows (Hardt et al. 2016, section 4).

    Returns:
        From such probabilities and groups to labels (N,). A group that the fit did not see has the
        threshold 0.5, which the head was fitted for.
    """
    chosen = ThresholdOptimizer(
        estimator=_Scores(), constraints=constraint, prefit=True, predict_method="predict"
    )
    chosen.fit(probabilities[:, None], labels, sensitive_features=groups)
    known = np.unique(groups)

    def answer(asked: np.ndarray, of: np.ndarray) -> np.ndarray:
        said = (asked > 0.5).astype(np.int64)
        seen = np.isin(of, known)
        if seen.any():
            said[seen] = chosen.predict(
                asked[seen, None], sensitive_features=of[seen], random_state=seed
            )
        return said

    return answer


class _Scores(BaseEstimator):
    """An estimator that fairlearn accepts as fitted: its only column is the score."""

    def fit(self, *_: Any) -> "_Scores":
        """Do nothing; fairlearn requires the method."""
        return self

    def predict(self, columns: np.ndarray) -> np.ndarray:
        """Return the score."""
        return np.asarray(columns)[:, 0]

    def __sklearn_is_fitted__(self) -> bool:
        return True
