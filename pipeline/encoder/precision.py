"""The arithmetic that a device is good at."""

import contextlib
import os
import shutil
from typing import Literal

import torch

from pipeline.errors import InputError

Precision = Literal["float32", "bfloat16"]

_CPU_BFLOAT16 = ("avx512_bf16", "amx_bf16")  # without them bfloat16 is emulated, and slower


def best_precision(device: torch.device) -> Precision:
    """Return bfloat16 where the device multiplies in it, else float32."""
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    able = torch.cpu.get_capabilities()
    return "bfloat16" if any(able.get(name) for name in _CPU_BFLOAT16) else "float32"


def use_tensor_cores(device: torch.device) -> None:
    """Let a GPU round to TF32 (10 bits of fraction) what it multiplies in float32."""
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")


def compute_dtype(weights: torch.Tensor, precision: Precision) -> torch.dtype:
    """Return the type that products of these weights have."""
    return torch.bfloat16 if precision == "bfloat16" else weights.dtype


def check_compiler(device: torch.device) -> None:
    """Raise `InputError` where torch.compile lacks the C++ compiler that a processor needs."""
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
