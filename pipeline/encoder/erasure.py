"""LEACE: the smallest change of features after which no linear probe finds a concept in them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pipeline.encoder.head import Head

_NULL = 1e-10  # smaller singular values, relatively, are rounding: one-hot columns sum to 1


@dataclass(frozen=True)
class Eraser:
    """The affine map ``x - P (x - mean)``, in float64."""

    projection: np.ndarray  # (H, H) P, of the rank of the cross-covariance
    mean: np.ndarray  # (H,)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Return the features without the concept, (N, H), of the dtype they came in."""
        moved = features.astype(np.float64) - self.mean
        return (features - moved @ self.projection.T).astype(features.dtype)


def one_hot(groups: Sequence[str] | np.ndarray) -> np.ndarray:
    """Return the concept of belonging to a group, (N, G) float64, groups in sorted order."""
    values, codes = np.unique(groups, return_inverse=True)
    return np.eye(len(values))[codes]


def fit_eraser(features: np.ndarray, concept: np.ndarray) -> Eraser:
    """Fit LEACE (Belrose et al. 2023) to features (N, H) and a concept (N, G).

    With W the whitening of x, ``W = (S_xx^(1/2))^+``, and U an orthonormal basis of the columns of
    ``W S_xz``, it is ``P = W^+ U U^T W``, as in the authors' package. Afterwards the
    cross-covariance of features and concept is 0, which is equivalent to no affine probe beating a
    constant under any convex loss. Of all affine maps with this property it changes the features
    least, in mean square.

    The covariances are those of the sample, without shrinkage and without a bound on the trace.
    """
    x = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    z = concept - concept.mean(axis=0)
    variances, axes = np.linalg.eigh(x.T @ x / len(x))
    spread = variances > variances[-1] * _rounding(features)
    roots = np.sqrt(variances[spread])
    whiten = axes[:, spread] / roots @ axes[:, spread].T
    unwhiten = axes[:, spread] * roots @ axes[:, spread].T
    basis, shares, _ = np.linalg.svd(whiten @ (x.T @ z / len(x)), full_matrices=False)
    basis = basis[:, shares > _NULL * max(1.0, shares[0])]
    mean = features.mean(axis=0, dtype=np.float64)
    return Eraser(unwhiten @ basis @ basis.T @ whiten, mean)


def _rounding(features: np.ndarray) -> float:
    """Return the share of the largest variance below which a direction's variance is rounding.

    It is the square of the features' own rounding, but at least the rounding of their products in
    float64. LayerNorm leaves one such direction; whitened, its noise would dominate the rest.
    """
    width, eps = features.shape[1], np.finfo(features.dtype).eps
    return max((width * float(eps)) ** 2, width * float(np.finfo(np.float64).eps))


def fold_eraser(head: Head, eraser: Eraser) -> None:
    """Build the erasure into the head: ``V (x - P (x - m)) + c = (V - V P) x + (c + V P m)``.

    V is the head's first linear map, so the form of the head, and of a stock classifier, stays the
    same. The product is taken in float64 and rounded once.
    """
    first = head.hidden or head.output
    with torch.no_grad():
        removed = first.weight.double() @ torch.from_numpy(eraser.projection)  # (K, H)
        shift = removed @ torch.from_numpy(eraser.mean)
        first.weight.copy_(first.weight.double() - removed)
        first.bias.copy_(first.bias.double() + shift)
