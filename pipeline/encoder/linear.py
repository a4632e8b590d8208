"""The linear head at its optimum: the loss is convex, so no rate, order or seed matters.

L-BFGS (Liu and Nocedal 1989) needs few steps if the curvature is similar in all directions. The
Hessian of a softmax's loss is nowhere greater than ``(I - 1 1'/K) / 2`` times the features' second
moments (Böhning 1992), so the search is over U in weights ``U L^-1``, with L the Cholesky
factor of half those moments plus the penalty: for U the bound is 1 in all directions.
"""

from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize
from torch.nn import functional as F

MAX_STEPS = 2000
_GRADIENT = 1e-9  # the search ends when no entry of the gradient by U is greater
_JITTER = 1e-8  # of the moments' mean: standardised features depend on one another linearly


class Problem(NamedTuple):
    """Minimise ``mean_i v_i CE_i + l2 / 2 |W|^2`` over W and b; the biases are not penalised."""

    features: torch.Tensor  # (N, H)
    labels: torch.Tensor  # (N,) int64, below K
    weights: torch.Tensor  # (N,) v
    classes: int  # K
    l2: float


class Solution(NamedTuple):
    """Where the search ended."""

    weight: torch.Tensor  # (K, H) float64
    bias: torch.Tensor  # (K,) float64, of sum 0
    loss: float  # penalty included
    row_loss: float  # the mean of the rows' weighted losses alone
    gradient_norm: float  # Euclidean, by weights and biases; about 0 at the optimum
    steps: int


def solve(problem: Problem) -> Solution:
    """Find the optimum in float64, from zero.

    With ``l2 = 0`` and linearly separable labels there is none; the search then ends where the loss
    is nearly flat, or after `MAX_STEPS`.
    """
    design = F.pad(problem.features.double(), (0, 1), value=1.0)  # (N, H + 1), for the biases
    penalties = torch.full(design.shape[1:], problem.l2, dtype=torch.float64)
    penalties[-1] = 0.0
    factor = _factor(design, problem.weights.double(), penalties)
    shape = (problem.classes, design.shape[1])

    def evaluate(flat: np.ndarray) -> tuple[float, np.ndarray]:
        loss, gradient = _loss(_weights(flat, shape, factor), design, penalties, problem)
        ours = torch.linalg.solve_triangular(factor.T, gradient, upper=True, left=False)
        return loss, ours.numpy().ravel()

    options = {"maxiter": MAX_STEPS, "maxfun": 2 * MAX_STEPS, "gtol": _GRADIENT, "ftol": 0.0}
    start = np.zeros(shape[0] * shape[1])
    found = minimize(evaluate, start, jac=True, method="L-BFGS-B", options=options)
    weights = _weights(found.x, shape, factor)
    loss, gradient = _loss(weights, design, penalties, problem)
    row_loss = loss - _penalty(weights, penalties)
    norm = float(gradient.norm())
    return Solution(weights[:, :-1], weights[:, -1], loss, row_loss, norm, found.nit)


def _factor(design: torch.Tensor, weights: torch.Tensor, penalties: torch.Tensor) -> torch.Tensor:
    """Return the lower Cholesky factor L of the bound, (H + 1, H + 1)."""
    bound = (design * weights[:, None]).T @ design / (2 * len(design)) + torch.diag(penalties)
    jitter = _JITTER * bound.diagonal().mean()
    return torch.linalg.cholesky(bound + jitter * torch.eye(len(bound), dtype=torch.float64))


def _weights(flat: np.ndarray, shape: tuple[int, int], factor: torch.Tensor) -> torch.Tensor:
    """Return ``U L^-1``, (K, H + 1)."""
    moved = torch.from_numpy(flat).view(shape)
    return torch.linalg.solve_triangular(factor, moved, upper=False, left=False)


def _loss(
    weights: torch.Tensor, design: torch.Tensor, penalties: torch.Tensor, problem: Problem
) -> tuple[float, torch.Tensor]:
    """Return the loss of weights (K, H + 1), and its gradient by them."""
    logits = design @ weights.T  # (N, K)
    shares = problem.weights.double() / len(design)
    own = logits.gather(1, problem.labels[:, None])[:, 0]
    loss = float(shares @ (logits.logsumexp(1) - own)) + _penalty(weights, penalties)
    excess = logits.softmax(1) - F.one_hot(problem.labels, problem.classes)
    return loss, (shares[:, None] * excess).T @ design + penalties * weights


def _penalty(weights: torch.Tensor, penalties: torch.Tensor) -> float:
    return float((penalties * weights.square()).sum() / 2)
