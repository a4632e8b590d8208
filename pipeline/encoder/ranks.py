"""One model trained by several processes: what each holds of it, and what they tell each other.

Accelerate joins the processes, whoever started them, and reduces over them. What wraps the model
is PyTorch's own: Accelerate passes its FSDP plugin over where there is no GPU (accelerate 1.15,
``AcceleratorState``), so that it could not be tested here, and knows DDP's older options only.
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
    """Join the processes that were started with this one; alone where there are none.

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
    """Refuse processes that would not train the same model on the same data.

    Raises:
        InputError: in all of them, naming the first whose ``key`` differs from process 0's.
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
    """Return a loss of one model for all processes: its backward pass averages their gradients.

    Each holds the model whole (DDP), or its share of every parameter (Zhao et al. 2023, "PyTorch
    FSDP"), put together a layer at a time.
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
    """Return the context of a backward pass after which, where ``now``, gradients are averaged.

    Shares of spread weights are averaged after each: whole gradients would not fit beside them.
    """
    held_back = None if now else getattr(objective, "no_sync", None)
    return held_back() if held_back else contextlib.nullcontext()


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor put together from its shares; all processes must ask for it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def collect(tensors: Mapping[str, torch.Tensor], ranks: Accelerator) -> dict[str, torch.Tensor]:
    """Return whole tensors in process 0's main memory, one after another; {} in the others."""
    kept = {}
    for name, tensor in tensors.items():
        found = whole(tensor.detach())
        if ranks.is_main_process:
            kept[name] = found.cpu()
    return kept


def set_aside(model: Any) -> Any:
    """Return a copy of a model whose weights can be spread; the model waits in main memory."""
    spread_out = copy.deepcopy(model)
    model.cpu()
    return spread_out


def take_back(spread_out: Any, model: Any) -> None:
    """Give a model that was set aside its copy's weights, and its place beside them."""
    with torch.no_grad():
        for share, weights in zip(spread_out.parameters(), model.parameters(), strict=True):
            weights.copy_(whole(share))
    model.to(spread_out.device)


def receive(sent: torch.Tensor | None, like: torch.Tensor) -> torch.Tensor:
    """Return process 0's ``sent`` (None in the others), spread as ``like`` of its shape is."""
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
