"""The digest of an encoder's weights: the same in memory, on disk, and under any head."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from pipeline.errors import InputError


def digest_weights(tensors: Mapping[str, torch.Tensor]) -> str:
    """Hex SHA-256 over the tensors in the order of their names: name, dtype, shape, bytes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        header = [name, str(tensor.dtype), list(tensor.shape)]
        digest.update(json.dumps(header).encode() + b"\n")
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def encoder_digest(model: Path | nn.Module) -> str:
    """Digest of the base encoder of a transformers model, or of a directory that holds one.

    Heads and poolers are left out, and names are those inside the base encoder, so that a
    masked-LM directory, the classifier made of it, and the bare encoder have equal digests.
    """
    tensors = _read_encoder(model) if isinstance(model, Path) else _encoder_state(model)
    return digest_weights({n: t for n, t in tensors.items() if not n.startswith("pooler.")})


def _encoder_state(model: nn.Module) -> dict[str, torch.Tensor]:
    base: nn.Module = getattr(model, "base_model", model)
    return dict(base.state_dict())


def _read_encoder(directory: Path) -> dict[str, torch.Tensor]:
    from transformers import MODEL_MAPPING, AutoConfig

    paths = sorted(directory.glob("*.safetensors"))
    if not paths:
        raise InputError(f"{directory}: holds no *.safetensors; run `dvc repro pretrain`")
    tensors = {name: tensor for path in paths for name, tensor in load_file(path).items()}
    prefix = MODEL_MAPPING[type(AutoConfig.from_pretrained(directory))].base_model_prefix + "."
    inner = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
    return inner or tensors
