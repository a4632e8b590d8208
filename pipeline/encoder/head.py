"""The head on the frozen encoder's features: the module, and its files."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from pipeline import files
from pipeline.encoder.features import standardise
from pipeline.errors import InputError

WEIGHTS, SHAPE = "head.safetensors", "head.json"


class Head(nn.Module):
    """Logits (N, K) of features z (N, H): ``W z + b``, or ``W u + b`` with a hidden layer.

    Here ``u = LayerNorm(gelu(V z + c))``, without affine weights: the transform that BERT and
    ModernBERT have before their output layer, so that a stock classifier can compute it.
    """

    def __init__(self, width: int, hidden: bool, labels: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, width) if hidden else None
        self.output = nn.Linear(width, labels)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        u = standardise(F.gelu(self.hidden(z))) if self.hidden else z
        logits: torch.Tensor = self.output(u)
        return logits


def save_head(head: Head, folder: Path) -> None:
    """Write head.safetensors and head.json."""
    labels, width = head.output.weight.shape
    with files.replacing(folder / WEIGHTS) as temporary:
        save_file(head.state_dict(), temporary)
    shape = {"width": width, "hidden": head.hidden is not None, "labels": labels}
    files.write_json(folder / SHAPE, shape)


def load_head(folder: Path) -> Head:
    """Read what `save_head` wrote.

    Raises:
        InputError: where there is no head, or the two files do not fit each other.
    """
    for path in (folder / SHAPE, folder / WEIGHTS):
        if not path.is_file():
            raise InputError(f"{path}: not found; run `dvc repro finetune` first")
    try:
        head = Head(**files.read_json(folder / SHAPE))
        head.load_state_dict(load_file(folder / WEIGHTS))
    except (TypeError, RuntimeError, SafetensorError) as error:
        raise InputError(
            f"{folder / SHAPE}: does not fit {WEIGHTS}; run `dvc repro finetune`"
        ) from error
    return head.requires_grad_(False).eval()
