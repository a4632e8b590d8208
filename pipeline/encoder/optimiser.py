"""AdamW as BERT uses it, with a linear warm-up and decay that is a function of the step."""

import collections
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import nn

from pipeline.params import PretrainParams

_BETAS = (0.9, 0.999)  # Devlin et al. 2019, appendix A.2
_EPSILON = 1e-6  # of BERT's own optimization.py
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def new_optimiser(
    model: nn.Module, new: Collection[str], params: PretrainParams
) -> torch.optim.AdamW:
    """Return AdamW over the model's parameters; those named in ``new`` have the head's rate.

    Vectors (biases, norms) are not decayed; matrices and embeddings are, as in BERT. From
    scratch everything is new, and the one rate is ``params.learning_rate``.
    """
    head = set() if params.init == "scratch" else set(new)
    groups: dict[tuple[float, float], list[nn.Parameter]] = collections.defaultdict(list)
    for name, weights in model.named_parameters():
        peak = params.head_learning_rate if name in head else params.learning_rate
        decay = params.weight_decay if weights.ndim > 1 else 0.0
        groups[peak, decay].append(weights)
    return torch.optim.AdamW(
        [
            {"params": weights, "peak": peak, "weight_decay": decay}
            for (peak, decay), weights in groups.items()
        ],
        betas=_BETAS,
        eps=_EPSILON,
        fused=True,
    )


def schedule(step: int, steps: int, warmup_share: float) -> float:
    """Return the factor on the learning rates at a step counted from 0: up to 1, then to 0.

    Linear over the first ``warmup_share`` of the steps, then linear to zero after the last.
    """
    warmup = round(warmup_share * steps)
    if step < warmup:
        return (step + 1) / warmup
    return (steps - step) / (steps - warmup)


def set_learning_rates(optimiser: torch.optim.Optimizer, factor: float) -> None:
    """Give each group ``factor`` times its peak rate."""
    for group in optimiser.param_groups:
        group["lr"] = factor * group["peak"]


def read_moments(model: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Return AdamW's state as ``MOMENT/PARAMETER`` -> tensor."""
    return {
        f"{moment}/{name}": optimiser.state[weights][moment]
        for name, weights in model.named_parameters()
        for moment in _MOMENTS
        if weights in optimiser.state
    }


def write_moments(
    model: nn.Module, optimiser: torch.optim.Optimizer, moments: Mapping[str, torch.Tensor]
) -> None:
    """Restore what `read_moments` returned, on each parameter's device."""
    for name, weights in model.named_parameters():
        state: dict[str, Any] = {
            moment: moments[f"{moment}/{name}"].to(weights.device)
            for moment in _MOMENTS
            if f"{moment}/{name}" in moments
        }
        if state:
            optimiser.state[weights] = state
