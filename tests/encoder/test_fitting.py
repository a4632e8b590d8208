"""The head's fit against scikit-learn's optimum, and early stopping against its own curve."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_class_weight
from torch import nn
from torch.nn import functional as F
from toy_labels import finetune_params

from pipeline.encoder.fitting import (
    Sample,
    check_labels,
    class_weights,
    fit_head,
    keep_best,
    weighted_losses,
)
from pipeline.errors import InputError
from pipeline.reports import FinetunePoint


def _sample(seed: int, rows: int = 150, labels: int = 3) -> Sample:
    """Rows around one centre a label, of which the first label is the most frequent."""
    rng = np.random.default_rng(seed)
    shares = np.arange(labels, 0, -1) / np.arange(1, labels + 1).sum()
    drawn = rng.choice(labels, rows, p=shares)
    centres = np.random.default_rng(99).normal(size=(labels, 5))
    features = centres[drawn] + rng.normal(size=(rows, 5))
    return Sample(torch.from_numpy(features).float(), torch.from_numpy(drawn))


def _ignore(point: FinetunePoint) -> None:
    del point


@pytest.mark.parametrize(("kind", "l2"), [("none", 0.03), ("balanced", 0.03), ("none", 0.0)])
def test_a_linear_head_reaches_the_optimum_that_scikit_learn_finds(kind: str, l2: float) -> None:
    """Both minimise the same convex sum, C = 1 / (rows * l2)."""
    train, rows = _sample(0), 150
    params = finetune_params(class_weights=kind, l2=l2)
    head, best = fit_head(train, train, 3, params, _ignore)
    z, y = train.features.double().numpy(), train.labels.numpy()
    rival = LogisticRegression(
        C=1 / (rows * l2) if l2 else np.inf,
        class_weight=None if kind == "none" else kind,
        tol=1e-10,
        max_iter=10_000,
    ).fit(z, y)
    expected, weights = rival.predict_proba(z), class_weights(train.labels, 3, params.class_weights)
    loss = np.mean(-np.log(expected[np.arange(rows), y]) * weights.numpy()[y])
    assert best.curve[-1].train_loss == pytest.approx(loss, abs=1e-6)
    assert best.curve[-1].validation_loss == pytest.approx(loss, abs=1e-6)
    np.testing.assert_allclose(head(train.features).softmax(1).detach(), expected, atol=1e-5)


def test_rows_weights_and_labels_weights_multiply_in_a_linear_head() -> None:
    """Scikit-learn multiplies ``sample_weight`` with its balanced weights, which have no rows'."""
    train = _sample(3)._replace(weights=torch.linspace(0.2, 2, 150))
    params = finetune_params(class_weights="balanced", l2=0.03)
    head, best = fit_head(train, train, 3, params, _ignore)
    z, y = train.features.double().numpy(), train.labels.numpy()
    each = class_weights(train.labels, 3, "balanced")[train.labels] * train.weights
    rival = LogisticRegression(C=1 / (150 * 0.03), tol=1e-10, max_iter=10_000).fit(z, y, each)
    np.testing.assert_allclose(head.output.weight.detach(), rival.coef_, atol=1e-5)
    assert best.gradient_norm is not None
    assert best.gradient_norm < 1e-7


def test_neither_seed_nor_rate_has_a_part_in_a_linear_head() -> None:
    heads = [
        fit_head(_sample(0), _sample(1), 3, finetune_params(seed=seed, learning_rate=rate), _ignore)
        for seed, rate in ((1, 1e-2), (2, 1e-5))
    ]
    assert torch.equal(heads[0][0].output.weight, heads[1][0].output.weight)


def test_the_head_returned_is_that_of_the_least_validation_loss() -> None:
    train, validation = _sample(0, rows=30), _sample(1)
    params = finetune_params(hidden=True, l2=0.0, learning_rate=0.02, epochs=60, patience_epochs=4)
    head, best = fit_head(train, validation, 3, params, _ignore)
    losses = [point.validation_loss for point in best.curve]
    assert best.epoch == 1 + int(np.argmin(losses))
    assert len(losses) == best.epoch + 4 < 60
    again = F.cross_entropy(head(validation.features), validation.labels)
    assert float(again.detach()) == pytest.approx(min(losses), abs=1e-6)


@pytest.fixture
def threads_kept() -> Iterator[None]:
    """The number of threads decides the last bits of other tests' sums."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads_kept")
def test_equal_rows_and_params_give_equal_heads_on_any_number_of_threads() -> None:
    heads = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        torch.manual_seed(threads)  # the global generator is not what is drawn from
        heads.append(fit_head(_sample(0), _sample(1), 3, finetune_params(hidden=True), _ignore)[0])
        assert torch.get_num_threads() == threads
    for ours, other in zip(heads[0].parameters(), heads[1].parameters(), strict=True):
        torch.testing.assert_close(ours, other, rtol=0, atol=0)


def test_another_seed_is_another_head() -> None:
    fits = [
        fit_head(_sample(0), _sample(1), 3, finetune_params(hidden=True, seed=seed), _ignore)
        for seed in (1, 2)
    ]
    assert not torch.equal(fits[0][0].output.weight, fits[1][0].output.weight)


def test_a_hidden_layer_learns_what_a_line_cannot() -> None:
    """Exclusive or: the label is the sign of the product of the first two features."""
    features = torch.randn(400, 8, generator=torch.Generator().manual_seed(0))
    sample = Sample(features, (features[:, 0] * features[:, 1] > 0).long())
    accuracy = {}
    for hidden in (False, True):
        params = finetune_params(
            hidden=hidden, l2=0.0, batch_rows=50, epochs=40, patience_epochs=40
        )
        accuracy[hidden] = max(
            point.validation_accuracy
            for point in fit_head(sample, sample, 2, params, _ignore)[1].curve
        )
    assert accuracy[False] < 0.65
    assert accuracy[True] > 0.9


def test_balanced_weights_are_scikit_learns() -> None:
    labels = torch.tensor([0] * 90 + [1] * 9 + [2])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels.numpy())
    np.testing.assert_allclose(class_weights(labels, 3, "balanced"), expected, rtol=1e-6)
    assert class_weights(labels, 3, "none").tolist() == [1, 1, 1]


def test_balanced_weights_lift_the_recall_of_a_rare_label() -> None:
    """One row in twenty is of label 1, and its centre is one deviation away."""
    rng = np.random.default_rng(0)
    labels = (np.arange(600) % 20 == 0).astype(np.int64)
    features = torch.from_numpy(rng.normal(size=(600, 4)) + labels[:, None] * 0.5).float()
    sample, recalls = Sample(features, torch.from_numpy(labels)), []
    for kind in ("none", "balanced"):
        head, _ = fit_head(sample, sample, 2, finetune_params(class_weights=kind), _ignore)
        recalls.append(float((head(features).argmax(1)[labels == 1] == 1).double().mean()))
    assert recalls[0] < 0.2
    assert recalls[1] > 0.6


def test_a_rows_loss_is_minus_its_log_probability_times_its_weight() -> None:
    logits = torch.tensor([[0.0, math.log(3)], [math.log(3), 0.0]])
    losses = weighted_losses(logits, torch.tensor([0, 0]), torch.tensor([2.0, 1.0]))
    assert losses.tolist() == pytest.approx([-2 * math.log(1 / 4), -2 * math.log(3 / 4)])


def _scripted(losses: list[float]) -> tuple[nn.Module, Any]:
    """A model whose one weight is the epoch, and a run with these validation losses."""
    model = nn.Linear(1, 1)

    def run_epoch(epoch: int) -> FinetunePoint:
        nn.init.constant_(model.weight, epoch)
        return FinetunePoint(
            epoch=epoch, train_loss=0, validation_loss=losses[epoch - 1], validation_accuracy=0
        )

    return model, run_epoch


@pytest.mark.parametrize(
    ("losses", "patience", "best", "ran"),
    [
        ([3.0, 2.0, 1.0], 2, 3, 3),  # ends with the epochs
        ([3.0, 1.0, 2.0, 2.0, 0.0], 2, 2, 4),  # epoch 5 is not reached
        ([3.0, 1.0, 2.0, 0.5, 2.0], 2, 4, 5),
        ([1.0, 1.0, 1.0, 1.0, 1.0], 3, 1, 4),  # the first of equals
    ],
)
def test_the_search_ends_when_patience_does_and_the_best_weights_stay(
    losses: list[float], patience: int, best: int, ran: int
) -> None:
    model, run_epoch = _scripted(losses)
    told: list[int] = []
    found = keep_best(model, len(losses), patience, run_epoch, lambda p: told.append(p.epoch))
    assert (found.epoch, len(found.curve), float(model.weight.detach())) == (best, ran, best)
    assert told == list(range(1, ran + 1))


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_the_fit(loss: float) -> None:
    model, run_epoch = _scripted([1.0, loss, 0.5])
    with pytest.raises(InputError, match="epoch 2 is not finite; lower learning_rate"):
        keep_best(model, 3, 3, run_epoch, _ignore)


def test_a_label_without_rows_or_without_a_name_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="no row is labelled 'positive'"):
        check_labels(torch.tensor([0, 0]), ["negative", "positive"])
    with pytest.raises(InputError, match=r"label 2 has no name; add it to validate\.labels"):
        check_labels(torch.tensor([0, 1, 2]), ["negative", "positive"])
