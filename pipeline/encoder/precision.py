"""Choosing float32 or bfloat16 for a device."""

import contextlib
import os
import shutil
from typing import Literal

import torch
from torch import nn

from pipeline.errors import InputError

Precision = Literal["float32", "bfloat16"]

_CPU_BFLOAT16 = ("avx512_bf16", "amx_bf16")  # without them bfloat16 is emulated, and slower


def best_precision(device: torch.device) -> Precision:
    """Return bfloat16 if the device multiplies in it natively, else float32."""
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    able = torch.cpu.get_capabilities()
    return "bfloat16" if any(able.get(name) for name in _CPU_BFLOAT16) else "float32"


def choose_precision(asked: Precision | Literal["auto"], device: torch.device) -> Precision:
    """Return the precision asked for; for ``auto``, the device's best."""
    return best_precision(device) if asked == "auto" else asked


def round_linear(model: nn.Module) -> None:
    """Round the weights of linear layers to bfloat16 once; autocast would do so at every call."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.to(torch.bfloat16)


def use_tensor_cores(device: torch.device) -> None:
    """Let a GPU multiply float32 in TF32, with 10 bits of fraction."""
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")


def compute_dtype(weights: torch.Tensor, precision: Precision) -> torch.dtype:
    """Return the type that products of these weights have."""
    return torch.bfloat16 if precision == "bfloat16" else weights.dtype


def check_attention(kind: str, device: torch.device) -> None:
    """Raise `InputError` if the device cannot train with this kind of attention."""
    if kind == "flex" and device.type != "cuda":
        raise InputError(
            f"pretrain.attention: flex has no backward pass on {device.type}; set it to sdpa"
        )


def check_compiler(device: torch.device) -> None:
    """Raise `InputError` if torch.compile lacks the C++ compiler that it needs on a CPU."""
    compiler = os.environ.get("CXX", "g++")
    if device.type == "cpu" and not shutil.which(compiler):
        raise InputError(
            f"pretrain.compile: no C++ compiler {compiler}; install one, or set it to false"
        )


def autocast(device: torch.device, precision: Precision) -> contextlib.AbstractContextManager[None]:
    """Return the context in which a forward pass has this precision; weights stay float32."""
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, torch.bfloat16)
