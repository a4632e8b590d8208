"""AdamW as BERT uses it, alone or with Muon; the learning rate as a function of the step."""

import collections
import re
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import nn

from pipeline.encoder.muon import Muon
from pipeline.encoder.precision import Precision
from pipeline.params import PretrainParams

_BETAS = (0.9, 0.999)  # Devlin et al. 2019, appendix A.2
_EPSILON = 1e-6  # of BERT's own optimization.py
_TABLES = re.compile(r"embeddings|decoder")  # tables of vectors, which Muon does not suit
_MOMENTS = ("exp_avg", "exp_avg_sq", "step", "momentum")

Optimisers = tuple[torch.optim.Optimizer, ...]  # each parameter is in one of them


def new_optimisers(
    model: nn.Module,
    new: Collection[str],
    params: PretrainParams,
    precision: Precision = "float32",
) -> Optimisers:
    """Return the optimisers; parameters named in ``new`` get the head's learning rate.

    Vectors (biases, norms) are not decayed; matrices and embeddings are, as in BERT. From
    scratch everything is new, and the only rate is ``params.learning_rate``. With Muon, it takes
    the matrices, multiplied in ``precision``, and AdamW takes the embeddings, the output layer and
    the vectors, as Jordan advises.
    """
    head = set() if params.init == "scratch" else set(new)
    groups: dict[tuple[bool, float, float], list[nn.Parameter]] = collections.defaultdict(list)
    for name, weights in model.named_parameters():
        peak = params.head_learning_rate if name in head else params.learning_rate
        decay = params.weight_decay if weights.ndim > 1 else 0.0
        inner = weights.ndim == 2 and not _TABLES.search(name)
        groups[params.optimiser == "muon" and inner, peak, decay].append(weights)
    given: dict[bool, list[dict[str, Any]]] = collections.defaultdict(list)
    for (muon, peak, decay), members in groups.items():
        given[muon].append({"params": members, "peak": peak, "weight_decay": decay})
    adamw = torch.optim.AdamW(given[False], betas=_BETAS, eps=_EPSILON, fused=True)
    return (adamw, Muon(given[True], precision=precision)) if given[True] else (adamw,)


def schedule(step: int, steps: int, warmup_share: float) -> float:
    """Return the factor on the learning rates at a step counted from 0: up to 1, then to 0.

    Linear over the first ``warmup_share`` of the steps, then linear to zero after the last.
    """
    warmup = round(warmup_share * steps)
    if step < warmup:
        return (step + 1) / warmup
    return (steps - step) / (steps - warmup)


def set_learning_rates(optimisers: Optimisers, factor: float) -> None:
    """Give each group ``factor`` times its peak rate."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = factor * group["peak"]


def take_step(optimisers: Optimisers) -> None:
    """Update the parameters by their gradients, and free these."""
    for optimiser in optimisers:
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)


def read_moments(model: nn.Module, optimisers: Optimisers) -> dict[str, torch.Tensor]:
    """Return the optimisers' state as ``MOMENT/PARAMETER`` -> tensor."""
    return {
        f"{moment}/{name}": state[moment]
        for name, weights in model.named_parameters()
        for state in (optimiser.state.get(weights, {}) for optimiser in optimisers)
        for moment in _MOMENTS
        if moment in state
    }


def moment_like(name: str, parameters: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return a tensor of the shape of a ``MOMENT/PARAMETER``: AdamW's step is one number."""
    moment, _, parameter = name.partition("/")
    like = parameters[parameter]
    return torch.zeros((), device=like.device) if moment == "step" else like.detach()


def write_moments(
    model: nn.Module, optimisers: Optimisers, moments: Mapping[str, torch.Tensor]
) -> None:
    """Restore what `read_moments` returned, on each parameter's device."""
    names = {weights: name for name, weights in model.named_parameters()}
    for optimiser in optimisers:
        for weights in (weights for group in optimiser.param_groups for weights in group["params"]):
            state = {
                moment: moments[f"{moment}/{names[weights]}"].to(weights.device)
                for moment in _MOMENTS
                if f"{moment}/{names[weights]}" in moments
            }
            if state:
                optimiser.state[weights] = state
