"""How well a probe recognises the groups of unseen rows by their features."""

import warnings
from typing import Any, Literal

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from pipeline.measure.intervals import Bootstrap, bootstrap_mean
from pipeline.reports import Estimate

Kind = Literal["linear", "nonlinear"]
KINDS: tuple[Kind, ...] = ("linear", "nonlinear")

_WIDTH = 64  # of the nonlinear probe's hidden layer
_PASSES = 12  # over the training rows


def fit_probe(kind: Kind, features: np.ndarray, groups: np.ndarray, seed: int) -> Any:
    """Fit a probe of groups (N,) to features (N, H), with equal weight for all groups.

    Linear: logistic regression. Nonlinear: a perceptron of one hidden layer, by Adam.
    """
    weights = _balance(groups)
    if kind == "linear":
        return LogisticRegression(max_iter=300, tol=1e-3).fit(features, groups, weights)
    probe = MLPClassifier(
        (_WIDTH,), batch_size=128, learning_rate_init=3e-3, max_iter=_PASSES, random_state=seed
    )
    with warnings.catch_warnings():  # the passes are few on purpose
        warnings.simplefilter("ignore", ConvergenceWarning)
        return probe.fit(features, groups, sample_weight=weights)


def score_probe(
    probe: Any, features: np.ndarray, groups: np.ndarray, bootstrap: Bootstrap
) -> Estimate:
    """Return the balanced accuracy of a probe: the mean over groups of its share of right rows.

    Guessing gives 1 / G, whatever the groups' sizes. The interval takes the sizes as given.
    """
    right = np.asarray(probe.predict(features) == groups)
    return bootstrap_mean(right * _balance(groups), bootstrap)


def _balance(groups: np.ndarray) -> np.ndarray:
    """Return weights (N,), with mean 1, that give every group the same weight."""
    _, codes, counts = np.unique(groups, return_inverse=True, return_counts=True)
    weights: np.ndarray = len(groups) / (len(counts) * counts[codes])
    return weights
