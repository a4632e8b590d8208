"""Layers computed again in the backward pass: the same bits, and less kept in between."""

from pathlib import Path
from typing import Any

import pytest
import torch
from ranked import train
from toy_model import pretrain_params, toy_plan, toy_start

from pipeline.encoder.digest import digest_weights
from pipeline.encoder.loss import MaskedLoss, batch_loss


@pytest.mark.parametrize("architecture", ["bert", "modernbert"])
def test_weights_are_the_same_bit_by_bit_with_dropout_on(architecture: str, tmp_path: Path) -> None:
    digests = []
    for again in (False, True):
        params = pretrain_params(
            architecture=architecture, layers=2, dropout=0.1, gradient_checkpointing=again
        )
        model, _ = train(params, tmp_path / str(again))
        assert model.is_activation_checkpointing == again
        digests.append(digest_weights(dict(model.named_parameters())))
    assert digests[0] == digests[1]


def test_less_than_half_is_kept_for_the_backward_pass_of_eight_layers() -> None:
    """Bytes of the tensors that autograd saves outside the layers that are computed again."""
    params = pretrain_params(layers=8, hidden=64, dropout=0.0)
    kept: list[int] = []
    for again in (False, True):
        model: Any = toy_start(params).model.train()
        if again:
            model.activation_checkpointing_enable({"use_reentrant": False})
        own = {weights.untyped_storage().data_ptr() for weights in model.parameters()}
        saved: dict[int, torch.Tensor] = {}

        def keep(
            tensor: torch.Tensor, own: set[int] = own, saved: dict[int, torch.Tensor] = saved
        ) -> torch.Tensor:
            if tensor.untyped_storage().data_ptr() not in own:
                saved[tensor.untyped_storage().data_ptr()] = tensor
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = MaskedLoss(model, "float32", by_module=True)
            batch_loss(loss, toy_plan(params).batch(0), model.device)
        kept.append(sum(tensor.untyped_storage().nbytes() for tensor in saved.values()))
    assert kept[1] < kept[0] / 2
