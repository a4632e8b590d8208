"""One model trained by several processes: how they share its weights and communicate.

Accelerate joins the processes, whoever started them, and reduces over them. The wrappers of the
model are PyTorch's own: Accelerate ignores its FSDP plugin without a GPU (accelerate 1.15,
``AcceleratorState``), so it could not be tested here, and it only knows DDP's older options.
"""

import contextlib
import copy
from collections.abc import Mapping
from typing import Any, Literal

import torch
from accelerate import Accelerator, DistributedType
from accelerate.utils import broadcast, gather_object
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel
from transformers.modeling_layers import GradientCheckpointingLayer

from pipeline.encoder.loading import device
from pipeline.errors import InputError

Sharding = Literal["none", "full"]


def join() -> Accelerator:
    """Join the processes that were started with this one, if there are any.

    Raises:
        InputError: where accelerate's own configuration asks for something else.
    """
    ranks = Accelerator(cpu=device().type == "cpu", mixed_precision="no")
    plain = (DistributedType.NO, DistributedType.MULTI_CPU, DistributedType.MULTI_GPU)
    if ranks.distributed_type not in plain:
        raise InputError(
            f"accelerate's configuration asks for {ranks.distributed_type.value}; leave it out "
            "there: pretrain.sharding of params.yaml says how the weights are spread"
        )
    return ranks


def check_agreement(key: str) -> None:
    """Check that all processes would train the same model on the same data.

    Raises:
        InputError: in every process, naming the first whose ``key`` differs from process 0's.
    """
    keys = gather_object([key])
    for number, other in enumerate(keys):
        if other != keys[0]:
            raise InputError(
                f"process {number} has other data, parameters, code or torch than process 0; "
                "bring build/tokenise, data/models, params.yaml and the code to every machine"
            )


def layers(model: nn.Module) -> list[nn.Module]:
    """Return the transformer's layers, first to last."""
    return [part for part in model.modules() if isinstance(part, GradientCheckpointingLayer)]


def spread(objective: nn.Module, ranks: Accelerator, sharding: Sharding) -> nn.Module:
    """Wrap the loss so that its backward pass averages the gradients of all processes.

    Each process holds the whole model (DDP), or a share of every parameter (Zhao et al. 2023,
    "PyTorch FSDP") and gathers one layer at a time.
    """
    if ranks.num_processes == 1:
        return objective
    if sharding == "none":
        return DistributedDataParallel(
            objective, forward_sync_buffers=False, gradient_as_bucket_view=True
        )
    for layer in layers(objective):
        fully_shard(layer)
    fully_shard(objective)
    return objective


def reducing(objective: nn.Module, now: bool) -> contextlib.AbstractContextManager[None]:
    """Return the context of a backward pass that averages the gradients only if ``now``.

    Sharded weights are always averaged: whole gradients would not fit in memory beside them.
    """
    held_back = None if now else getattr(objective, "no_sync", None)
    return held_back() if held_back else contextlib.nullcontext()


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor gathered from its shares; all processes must call this together."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def collect(tensors: Mapping[str, torch.Tensor], ranks: Accelerator) -> dict[str, torch.Tensor]:
    """Gather whole tensors one by one into process 0's main memory; {} in the others."""
    kept = {}
    for name, tensor in tensors.items():
        found = whole(tensor.detach())
        if ranks.is_main_process:
            kept[name] = found.cpu()
    return kept


def set_aside(model: Any) -> Any:
    """Return a copy of a model for sharding; the model itself waits in main memory."""
    spread_out = copy.deepcopy(model)
    model.cpu()
    return spread_out


def take_back(spread_out: Any, model: Any) -> None:
    """Copy the weights back to a model that was set aside, and move it to their device."""
    with torch.no_grad():
        for share, weights in zip(spread_out.parameters(), model.parameters(), strict=True):
            weights.copy_(whole(share))
    model.to(spread_out.device)


def receive(sent: torch.Tensor | None, like: torch.Tensor) -> torch.Tensor:
    """Return process 0's ``sent`` (None in the others), sharded like ``like``, of its shape."""
    buffer = torch.empty(like.shape, dtype=like.dtype, device=like.device)
    if sent is not None:
        buffer.copy_(sent)
    received: torch.Tensor = broadcast(buffer)
    if not isinstance(like, DTensor):
        return received
    return distribute_tensor(received, like.device_mesh, like.placements, src_data_rank=None)


def total(ranks: Accelerator, *values: float) -> list[float]:
    """Return the sums of each value over the processes."""
    if ranks.num_processes == 1:
        return list(values)
    here = torch.tensor(values, dtype=torch.float64, device=ranks.device)
    sums: list[float] = ranks.reduce(here, "sum").tolist()
    return sums
