"""LEACE against its theorem, the authors' package concept-erasure, and the stock classifier."""

import numpy as np
import pytest
import torch
from concept_erasure import LeaceFitter
from sklearn.linear_model import LogisticRegression
from toy_labels import toy_texts
from toy_model import pretrain_params, toy_start, toy_tokenizer

from pipeline.encoder.assemble import assemble
from pipeline.encoder.erasure import Eraser, fit_eraser, fold_eraser, one_hot
from pipeline.encoder.features import pool, standardise
from pipeline.encoder.head import Head

GROUPS = np.array(["female", "male", "none"])


def _rows(width: int = 12, singular: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Correlated features (600, H), with a centre a group; singular: as after LayerNorm."""
    rng = np.random.default_rng(0)
    groups = rng.choice(GROUPS, 600, p=[0.1, 0.3, 0.6])
    centres = dict(zip(GROUPS, rng.normal(size=(3, width)), strict=True))
    mixing = rng.normal(size=(width, width)) * np.linspace(0.1, 2, width)
    x = np.stack([centres[group] for group in groups]) + rng.normal(size=(600, width)) @ mixing
    return (x - x.mean(axis=1, keepdims=True) if singular else x), groups


def _covariance(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    return (x - x.mean(axis=0)).T @ (z - z.mean(axis=0)) / len(x)


@pytest.mark.parametrize("singular", [False, True])
def test_leace_is_that_of_its_authors_package(singular: bool) -> None:
    """With the options that match: no shrinkage, no bound on the trace, an affine map."""
    x, groups = _rows(singular=singular)
    theirs = LeaceFitter.fit(
        torch.from_numpy(x),
        torch.from_numpy(one_hot(groups)),
        shrinkage=False,
        constrain_cov_trace=False,
        svd_tol=1e-8,
    ).eraser
    ours = fit_eraser(x, one_hot(groups))
    np.testing.assert_allclose(np.eye(12) - ours.projection, theirs.P.numpy(), atol=1e-10)
    np.testing.assert_allclose(ours(x), theirs(torch.from_numpy(x)).numpy(), atol=1e-10)


def test_after_leace_no_linear_probe_finds_the_groups() -> None:
    """The cross-covariance is 0, and the best linear probe is a constant."""
    x, groups = _rows()
    erased = fit_eraser(x, one_hot(groups))(x)
    assert np.abs(_covariance(x, one_hot(groups))).max() > 0.1
    assert np.abs(_covariance(erased, one_hot(groups))).max() < 1e-12
    probes = [
        LogisticRegression(C=np.inf, solver="newton-cg", tol=1e-8).fit(rows, groups)
        for rows in (x, erased)
    ]
    shares = [(groups == group).mean() for group in GROUPS]
    assert probes[0].score(x, groups) > max(shares) + 0.1
    np.testing.assert_allclose(probes[1].predict_proba(erased), [shares] * 600, atol=1e-3)


def test_erasing_twice_is_erasing_once_and_the_mean_stays() -> None:
    x, groups = _rows()
    erase = fit_eraser(x, one_hot(groups))
    once = erase(x)
    np.testing.assert_allclose(erase(once), once, atol=1e-10)
    np.testing.assert_allclose(once.mean(axis=0), x.mean(axis=0), atol=1e-12)


def test_leace_changes_features_less_than_the_orthogonal_projection_does() -> None:
    """Least of all that erase; the orthogonal one erases too."""
    x, groups = _rows()
    z, erase = one_hot(groups), fit_eraser(x, one_hot(groups))
    basis, shares, _ = np.linalg.svd(_covariance(x, z), full_matrices=False)
    basis = basis[:, shares > 1e-10]
    orthogonal = x - (x - x.mean(axis=0)) @ basis @ basis.T
    assert np.abs(_covariance(orthogonal, z)).max() < 1e-12
    assert np.square(erase(x) - x).sum() < 0.9 * np.square(orthogonal - x).sum()


def test_a_concept_that_is_not_in_the_features_leaves_them_as_they_are() -> None:
    x, _ = _rows()
    np.testing.assert_array_equal(fit_eraser(x, one_hot(["all"] * 600))(x), x)


@pytest.mark.parametrize("hidden", [False, True])
def test_a_head_with_the_erasure_folded_in_is_the_head_after_the_erasure(hidden: bool) -> None:
    x, groups = _rows()
    features = torch.from_numpy(x).float()
    erase, head = fit_eraser(x, one_hot(groups)), _head(12, hidden)
    expected = head(torch.from_numpy(erase(features.numpy())))
    assert float((head(features) - expected).abs().max()) > 0.1
    fold_eraser(head, erase)
    torch.testing.assert_close(head(features), expected, rtol=0, atol=1e-5)


def test_the_stock_classifier_of_a_folded_head_erases() -> None:
    """`transformers` alone, on token ids, against pooling, erasing and the head in turn."""
    encoder = toy_start(pretrain_params(layers=2)).model.base_model.eval()
    texts, labels = toy_texts(60)
    batch = toy_tokenizer()(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        rows = [
            encoder(input_ids=torch.tensor([toy_tokenizer()(text)["input_ids"]])).last_hidden_state
            for text in texts
        ]
        features = torch.cat([standardise(pool(row, "mean")) for row in rows])
        head = _head(features.shape[1], hidden=True)
        erase: Eraser = fit_eraser(features.numpy(), one_hot(labels.astype(str)))
        expected = head(torch.from_numpy(erase(features.numpy()))).softmax(1)
        plain = head(features).softmax(1)
        fold_eraser(head, erase)
        said = assemble(encoder, head, "mean", ["a", "b"])(**batch).logits.softmax(1)
    assert float((plain - expected).abs().max()) > 0.01
    torch.testing.assert_close(said, expected, rtol=0, atol=1e-4)


def _head(width: int, hidden: bool) -> Head:
    torch.manual_seed(7)
    return Head(width, hidden, 2).requires_grad_(False)
