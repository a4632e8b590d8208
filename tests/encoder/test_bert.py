"""Our passes through BERT's layers against transformers' own, and the loss against PyTorch's."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from toy_model import pretrain_params, toy_packing, toy_start

from pipeline.encoder import bert
from pipeline.encoder.cross_entropy import linear_cross_entropy
from pipeline.encoder.loss import MaskedLoss, batch_loss
from pipeline.encoder.masking import UNUSED, MaskedBatch, mask_tokens
from pipeline.encoder.model import hidden_states, take
from pipeline.encoder.precision import Precision


def _model(**changes: Any) -> Any:
    params = pretrain_params(**{"layers": 3, "hidden": 128, "dropout": 0.0} | changes)
    return toy_start(params).model.train()


def _batch() -> MaskedBatch:
    """Rows of several documents each; the last is padded and has slots that are not used."""
    packing = toy_packing(32)
    rows = packing.rows(np.arange(packing.sequences - 8, packing.sequences))
    batch = mask_tokens(rows, packing.vocabulary, 0.3, [1])
    assert (batch.segments.max(axis=1) > 1).any()
    assert (batch.segments == 0).any()
    return batch


def test_hidden_states_at_the_masks_are_those_of_transformers_modules() -> None:
    model, batch = _model(seq_len_tokens=32), _batch()
    ids, segments, positions = map(torch.from_numpy, (batch.ids, batch.segments, batch.positions))
    own = bert.hidden_states(model, ids, segments, positions, torch.float32)
    theirs = take(hidden_states(model, ids, segments), positions)
    torch.testing.assert_close(own, theirs, rtol=1e-5, atol=1e-5)


def _gradients(model: Any, precision: Precision, by_module: bool) -> torch.Tensor:
    model.zero_grad()
    objective = MaskedLoss(model, precision, by_module)
    batch_loss(objective, _batch(), model.device).backward()
    return torch.cat([weights.grad.flatten() for weights in model.bert.encoder.parameters()])


def test_gradients_are_those_of_transformers_modules() -> None:
    model = _model(seq_len_tokens=32)
    by_us, by_modules = (_gradients(model, "float32", way) for way in (False, True))
    torch.testing.assert_close(by_us, by_modules, rtol=1e-4, atol=1e-5)


def test_in_bfloat16_gradients_are_within_twice_autocasts_distance_of_float32() -> None:
    """What is kept in bfloat16 between the products costs no more than they do."""
    model = _model(seq_len_tokens=32)
    exact = _gradients(model, "float32", by_module=True)
    ours, autocasts = (
        float((_gradients(model, "bfloat16", way) - exact).norm() / exact.norm())
        for way in (False, True)
    )
    assert 1e-4 < autocasts < 0.1
    assert ours < 2 * autocasts


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_loss_runs_them_in_its_precision(
    precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[torch.dtype] = []
    run = bert.hidden_states

    def noted(*arguments: Any) -> torch.Tensor:
        asked.append(arguments[-1])
        return run(*arguments)

    monkeypatch.setattr(bert, "hidden_states", noted)
    model = _model(seq_len_tokens=32)
    batch_loss(MaskedLoss(model, precision), _batch(), model.device)
    assert asked == [getattr(torch, precision)]


@pytest.mark.parametrize(
    "changes", [{"dropout": 0.1}, {"architecture": "modernbert"}], ids=["dropout", "modernbert"]
)
def test_what_is_not_handled_here_is_left_to_transformers(changes: dict[str, Any]) -> None:
    assert bert.can_run(_model(), 32)
    assert not bert.can_run(_model(), 512)
    assert not bert.can_run(_model(**changes), 32)


def _linear() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    hidden, weight, bias = (
        torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in ((6, 5), (9, 5), 9)
    )
    return hidden, weight, bias, torch.tensor([3, 0, UNUSED, 8, 8, UNUSED])


def test_cross_entropy_and_its_gradients_are_pytorchs() -> None:
    hidden, weight, bias, labels = _linear()
    inputs = (hidden, weight, bias)
    own = linear_cross_entropy(hidden, weight, bias, labels)
    reference = F.cross_entropy(
        F.linear(hidden, weight, bias), labels, ignore_index=UNUSED, reduction="sum"
    )
    torch.testing.assert_close(own, reference)
    gradients = (torch.autograd.grad(0.25 * loss, inputs) for loss in (own, reference))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_a_label_without_a_chance_has_a_finite_loss_and_pytorchs_gradient() -> None:
    """Its logit is 200 below the other: a chance of e^-200, which float32 cannot hold."""
    hidden = torch.ones(1, 1, requires_grad=True)
    weight, bias = torch.tensor([[0.0], [-200.0]]), torch.zeros(2)
    loss = linear_cross_entropy(hidden, weight, bias, torch.tensor([1]))
    assert 87 < loss.item() < 88
    loss.backward()
    assert hidden.grad is not None
    assert hidden.grad.item() == pytest.approx(200)


def test_a_logit_that_is_not_finite_makes_the_loss_nan() -> None:
    hidden, weight, bias, labels = _linear()
    with torch.no_grad():
        hidden[0, 0] = torch.inf
    assert torch.isnan(linear_cross_entropy(hidden, weight, bias, labels))
