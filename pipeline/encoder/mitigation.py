"""Heads fitted to treat groups more alike, by the methods whose result is an ordinary head."""

from collections.abc import Sequence
from typing import NamedTuple, get_args

import numpy as np
import torch

from pipeline.encoder.erasure import fit_eraser, fold_eraser, one_hot
from pipeline.encoder.fitting import Best, OnEpoch, Sample, fit_head
from pipeline.encoder.head import Head
from pipeline.encoder.private import fit_chosen_head
from pipeline.encoder.threshold import fold_threshold
from pipeline.params import FinetuneParams
from pipeline.params import MitigationMethod as Method

METHODS: tuple[Method, ...] = get_args(Method)


class Material(NamedTuple):
    """The data that heads are fitted to and validated on."""

    train: Sample
    validation: Sample
    groups: np.ndarray | None  # (N,) the training rows' groups; None without such a column
    swapped: Sample | None  # training texts with their gendered words swapped, where they have some
    swapped_of: np.ndarray | None = None  # (M,) the training rows whose texts these are

    def at(self, rows: np.ndarray) -> "Material":
        """Return the material of some of the training rows, given as a mask (N,)."""
        groups, swapped, of = self.groups, self.swapped, self.swapped_of
        if swapped is not None:
            assert of is not None
            swapped, of = swapped.at(torch.from_numpy(rows[of])), np.cumsum(rows)[of[rows[of]]] - 1
        return Material(
            train=self.train.at(torch.from_numpy(rows)),
            validation=self.validation,
            groups=None if groups is None else groups[rows],
            swapped=swapped,
            swapped_of=of,
        )


class Fitted(NamedTuple):
    """A fitted head, with its threshold folded in."""

    head: Head
    best: Best
    logit_shift: float


def fit_mitigated(
    method: Method, material: Material, labels: int, params: FinetuneParams, on_epoch: OnEpoch
) -> Fitted:
    """Fit a head by `fit_method`, and fold in the threshold chosen on the validation rows."""
    head, best = fit_method(method, material, labels, params, on_epoch)
    with torch.no_grad():
        logits = head(material.validation.features).numpy()
    shift = fold_threshold(head.output, logits, material.validation.labels.numpy())
    return Fitted(head, best, shift)


def fit_method(
    method: Method, material: Material, labels: int, params: FinetuneParams, on_epoch: OnEpoch
) -> tuple[Head, Best]:
    """Fit a head of K = ``labels`` as `fit_head` does, to what a method makes of the material.

    `why_not` must have returned nothing. Validation rows are not changed, except by LEACE.
    """
    if method == "leace":
        return _fit_erased(material, labels, params, on_epoch)
    train = mitigated(method, material, params.seed)
    return fit_chosen_head(train, material.validation, labels, params, on_epoch)


def mitigated(method: Method, material: Material, seed: int) -> Sample:
    """Return the training rows as a method changes or weights them."""
    train, groups, swapped = material.train, material.groups, material.swapped
    if method == "resample":
        assert groups is not None
        return train.at(torch.from_numpy(balanced_rows(groups, train.labels.numpy(), seed)))
    if method == "reweigh":
        assert groups is not None
        weights = independence_weights(groups, train.labels.numpy())
        return train._replace(weights=torch.from_numpy(weights).float())
    if method == "augment":
        assert swapped is not None
        both = zip(train[:2], swapped[:2], strict=True)
        return Sample(*(torch.cat(pair) for pair in both))
    return train


def why_not(method: Method, material: Material, names: Sequence[str]) -> str:
    """Return why a method cannot be used on the material; empty where it can.

    ``names`` are the labels' names. If a group has no training row of some label, no weights can
    make labels independent of groups, and there is no row to draw.
    """
    if method == "none":
        return ""
    if method == "augment":
        return "" if material.swapped else "no training text holds a gendered word"
    if material.groups is None:
        return "the training rows have no such column"
    values, _, counts = cells(material.groups, material.train.labels.numpy(), len(names))
    if len(values) < 2:
        return "the training rows have one group only"
    if method == "leace" or counts.all():
        return ""
    group, label = np.argwhere(counts == 0)[0]
    return f"no training row of the group {values[group]} is labelled {names[label]}"


def cells(
    groups: np.ndarray, labels: np.ndarray, count: int
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return the G groups, each row's cell ``group * K + label`` (N,), and rows a cell (G, K)."""
    values, codes = np.unique(groups, return_inverse=True)
    cell = codes * count + labels
    counts = np.bincount(cell, minlength=len(values) * count).reshape(len(values), count)
    return values.tolist(), cell, counts


def balanced_rows(groups: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    """Return N rows, drawn so that all cells of group and label have the same number of rows.

    This balances groups (Idrissi et al. 2022) by drawing with replacement: rows of large cells are
    dropped and those of small cells repeated. No two cells differ by more than one row.
    """
    _, cell, counts = cells(groups, labels, int(labels.max()) + 1)
    draw, filled = np.random.default_rng(seed), np.flatnonzero(counts)
    shares = np.array_split(np.arange(len(labels)), len(filled))
    members = (np.flatnonzero(cell == number) for number in filled)
    drawn = zip(members, shares, strict=True)
    return np.concatenate([draw.choice(rows, len(share)) for rows, share in drawn])


def independence_weights(groups: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return ``w(g, y) = P(g) P(y) / P(g, y)`` of each row, (N,), with shares for probabilities.

    Reweighing of Kamiran and Calders 2012. Where no cell is empty, labels are independent of groups
    under these weights, and their sum is N.
    """
    _, cell, counts = cells(groups, labels, int(labels.max()) + 1)
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / len(labels)  # (G, K)
    return (expected.ravel() / counts.ravel().clip(1))[cell]


def _fit_erased(
    material: Material, labels: int, params: FinetuneParams, on_epoch: OnEpoch
) -> tuple[Head, Best]:
    """Fit a head to features from which the groups are erased, and fold the erasure into it."""
    assert material.groups is not None
    erase = fit_eraser(material.train.features.numpy(), one_hot(material.groups))
    train, validation = (
        part._replace(features=torch.from_numpy(erase(part.features.numpy())))
        for part in (material.train, material.validation)
    )
    head, best = fit_head(train, validation, labels, params, on_epoch)
    fold_eraser(head, erase)
    return head, best
