"""A smaller BERT cut out of a larger one: fewer layers, or fewer feed-forward units.

Stock transformers can still load both. It could not if attention heads were cut: its BERT has one
head width in every layer, the hidden size over the number of heads.
"""

import copy
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import nn

from pipeline.encoder.loss import MaskedLoss, batch_loss
from pipeline.encoder.masking import MaskedBatch
from pipeline.encoder.model import untrained_model
from pipeline.encoder.precision import Precision
from pipeline.errors import InputError


def check_architecture(config: Any) -> None:
    """Raise `InputError` if an encoder of this config cannot be made smaller."""
    if config.model_type != "bert":
        raise InputError(
            f"compress.method: build/pretrain/model is a {config.model_type} and only bert can be "
            "made smaller; set it to none"
        )


def keep_layers(teacher: Any, layers: int) -> Any:
    """Return a masked language model of ``layers`` of the teacher's, evenly spread end to end.

    Its other weights are the teacher's (Sanh et al. 2019, DistilBERT, section 3).

    Raises:
        InputError: where the teacher does not have more layers.
    """
    held = teacher.config.num_hidden_layers
    if layers >= held:
        raise InputError(f"compress.layers: {layers} are no fewer than the encoder's {held}")
    kept = spread(held, layers)
    new = {f"encoder.layer.{old}.": f"encoder.layer.{place}." for place, old in enumerate(kept)}
    weights = {}
    for name, tensor in teacher.state_dict().items():
        found = next((old for old in new if old in name), None)
        if found is not None or "encoder.layer." not in name:
            weights[name.replace(found, new[found]) if found else name] = tensor
    return _with_weights(teacher, weights, num_hidden_layers=layers)


def spread(held: int, layers: int) -> tuple[int, ...]:
    """Return ``layers`` places among ``held``: always the last, and the first if there are two.

    The features are read from the last.
    """
    if layers == 1:
        return (held - 1,)
    return tuple(round(place * (held - 1) / (layers - 1)) for place in range(layers))


def unit_importance(
    model: Any, batches: Iterable[MaskedBatch], precision: Precision
) -> torch.Tensor:
    """Return the importance of each feed-forward unit, (L, I), by Michel et al. 2019, equation 2.

    That is E_x |a(x)^T dL/da(x)|: to first order, how much the loss of a sequence x would change if
    the unit's activations a (T,) were 0. L is the sum over the masked tokens of x.
    """
    layers = model.base_model.encoder.layer
    objective = MaskedLoss(model, precision, by_module=True)  # so that the hooks are called
    total = torch.zeros(len(layers), model.config.intermediate_size, device=model.device)
    kept: list[torch.Tensor] = []
    hooks = [
        layer.intermediate.register_forward_hook(lambda _module, _args, out: _keep(out, kept))
        for layer in layers
    ]
    sequences = 0
    try:
        for batch in batches:
            kept.clear()
            batch_loss(objective, batch, model.device).backward()
            for place, activation in enumerate(kept):  # each (B, T, I)
                assert activation.grad is not None
                total[place] += (activation.detach() * activation.grad).sum(dim=1).abs().sum(dim=0)
            model.zero_grad(set_to_none=True)
            sequences += len(batch.ids)
    finally:
        for hook in hooks:
            hook.remove()
    return total / sequences


def _keep(activation: torch.Tensor, kept: list[torch.Tensor]) -> None:
    activation.retain_grad()
    kept.append(activation)


def keep_units(teacher: Any, importance: torch.Tensor, share: float) -> Any:
    """Return the teacher with the most important share of each layer's feed-forward units.

    ``importance`` is (L, I). Every layer keeps the same number, as stock transformers requires.
    """
    count = max(1, round(share * teacher.config.intermediate_size))
    weights = dict(teacher.state_dict())
    for place, scores in enumerate(importance):
        order = torch.argsort(scores, descending=True, stable=True)
        units = order[:count].sort().values
        before = f"{teacher.base_model_prefix}.encoder.layer.{place}."
        for name in ("intermediate.dense.weight", "intermediate.dense.bias"):
            weights[before + name] = weights[before + name][units]
        weights[before + "output.dense.weight"] = weights[before + "output.dense.weight"][:, units]
    return _with_weights(teacher, weights, intermediate_size=count)


def _with_weights(teacher: Any, weights: dict[str, torch.Tensor], **sizes: int) -> Any:
    config = copy.deepcopy(teacher.config)
    for name, size in sizes.items():
        setattr(config, name, size)
    model = untrained_model(config, seed=0)
    model.load_state_dict(weights, strict=True)
    return model.to(teacher.device).eval()


def parameters(model: nn.Module) -> int:
    """Return the number of a model's parameters, tied ones once."""
    return int(np.sum([weights.numel() for weights in model.parameters()]))
