"""Reweighing by hand, resampling against counts, weights against sklearn."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from toy_labels import finetune_params

from pipeline.encoder.fitting import Sample, fit_head
from pipeline.encoder.mitigation import (
    Material,
    balanced_rows,
    fit_mitigated,
    independence_weights,
    mitigated,
    why_not,
)

NAMES = ("negative", "positive")


def _ignore(point: object) -> None:
    del point


def _material(**changes: Any) -> Material:
    rng = np.random.default_rng(0)
    groups = rng.choice(["female", "male"], 300, p=[0.2, 0.8])
    labels = (rng.random(300) < np.where(groups == "male", 0.7, 0.3)).astype(np.int64)
    features = rng.normal(size=(300, 5)) + labels[:, None] + 2.0 * (groups == "male")[:, None]
    sample = Sample(torch.from_numpy(features).float(), torch.from_numpy(labels))
    return Material(sample, sample, groups, None)._replace(**changes)


def test_reweighing_is_the_papers_formula_by_hand() -> None:
    """2 of 5 women and 4 of 5 men are hired: a hired woman weighs (1/2 * 6/10) / (2/10) = 1.5."""
    groups = np.array(["F"] * 5 + ["M"] * 5)
    labels = np.array([1, 1, 0, 0, 0, 1, 1, 1, 1, 0])
    expected = [1.5, 1.5, 2 / 3, 2 / 3, 2 / 3, 0.75, 0.75, 0.75, 0.75, 2.0]
    assert independence_weights(groups, labels) == pytest.approx(expected)


@settings(deadline=None)
@given(st.lists(st.integers(1, 9), min_size=6, max_size=6))
def test_under_the_weights_labels_do_not_depend_on_groups(counts: list[int]) -> None:
    """The weighted share of every cell is the product of its group's and its label's."""
    cells = [(group, label) for group in "abc" for label in (0, 1)]
    rows = [cell for cell, count in zip(cells, counts, strict=True) for _ in range(count)]
    groups, labels = np.array([g for g, _ in rows]), np.array([y for _, y in rows])
    weights = independence_weights(groups, labels)
    shares = weights / weights.sum()
    assert weights.sum() == pytest.approx(len(rows))
    for group, label in cells:
        joint = shares[(groups == group) & (labels == label)].sum()
        product = shares[groups == group].sum() * shares[labels == label].sum()
        assert joint == pytest.approx(product, abs=1e-12)


def test_resampled_rows_fill_every_cell_alike_from_its_own_rows() -> None:
    material = _material()
    groups, labels = material.groups, material.train.labels.numpy()
    rows = balanced_rows(groups, labels, seed=1)
    cells = [f"{groups[row]} {labels[row]}" for row in rows]
    counts = np.unique(cells, return_counts=True)[1]
    assert (len(rows), len(counts)) == (300, 4)
    assert counts.max() - counts.min() <= 1
    assert len(np.unique(rows)) > 100
    np.testing.assert_array_equal(rows, balanced_rows(groups, labels, seed=1))
    assert (rows != balanced_rows(groups, labels, seed=2)).any()


def test_a_weighted_head_is_the_optimum_that_scikit_learn_finds_under_these_weights() -> None:
    """Both minimise the same convex sum, all rows in one batch, without a penalty."""
    material = _material()
    train = mitigated("reweigh", material, seed=1)
    params = finetune_params(
        l2=0.0, learning_rate=0.05, epochs=600, patience_epochs=600, batch_rows=300
    )
    head, best = fit_head(train, train, 2, params, _ignore)
    z, y, weights = (tensor.double().numpy() for tensor in train if tensor is not None)
    rivals = [
        LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(z, y, w)
        for w in (weights, None)
    ]
    losses = [-np.log(r.predict_proba(z)[np.arange(300), y.astype(int)]) for r in rivals]
    assert best.curve[-1].train_loss == pytest.approx(np.mean(losses[0] * weights), abs=1e-3)
    assert abs(np.mean(losses[1]) - np.mean(losses[0] * weights)) > 0.02
    assert head is not None


def test_augmented_rows_are_the_rows_and_the_swapped_ones_with_their_labels() -> None:
    plain = _material()
    swapped = Sample(torch.ones(2, 5), torch.tensor([1, 0]))
    rows = mitigated("augment", plain._replace(swapped=swapped), seed=1)
    assert torch.equal(rows.features, torch.cat([plain.train.features, torch.ones(2, 5)]))
    assert torch.equal(rows.labels, torch.cat([plain.train.labels, swapped.labels]))


def test_the_head_of_leace_answers_alike_wherever_a_group_moves_the_features() -> None:
    """Moved by the difference of the groups' means, no answer changes; without LEACE most do."""
    material = _material()
    x, groups = material.train.features, material.groups
    means = [x[torch.from_numpy(groups == group)].mean(dim=0) for group in ("male", "female")]
    for method, same in (("leace", True), ("none", False)):
        head = fit_mitigated(method, material, 2, finetune_params(hidden=True), _ignore).head
        moved = (head(x + means[0] - means[1]) - head(x)).abs().max()
        assert (float(moved.detach()) < 1e-3) is same


@pytest.mark.parametrize(
    ("method", "changes", "why"),
    [
        ("none", {"groups": None}, ""),
        ("reweigh", {"groups": None}, "have no such column"),
        ("leace", {"groups": np.array(["male"] * 300)}, "one group only"),
        ("augment", {}, "no training text holds a gendered word"),
        ("leace", {}, ""),
        ("resample", {}, ""),
    ],
)
def test_a_method_says_what_it_lacks(method: Any, changes: dict[str, Any], why: str) -> None:
    said = why_not(method, _material(**changes), NAMES)
    assert why in said
    assert bool(said) is bool(why)


def test_a_group_without_rows_of_a_label_is_named() -> None:
    material = _material()
    groups = material.groups.copy()
    groups[np.flatnonzero(material.train.labels.numpy() == 0)[:3]] = "both"
    lacking = material._replace(groups=groups)
    for method in ("resample", "reweigh"):
        assert why_not(method, lacking, NAMES) == (
            "no training row of the group both is labelled positive"
        )
    assert why_not("leace", lacking, NAMES) == ""
