"""The output layer and its cross-entropy as one operation, the costliest of a small model."""

from typing import Any

import torch
import torch.nn.functional as F

from pipeline.encoder.masking import UNUSED


def linear_cross_entropy(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    labels: torch.Tensor,
) -> torch.Tensor:
    """Return the sum of -log softmax(hidden weight' + bias) at the labels, in nats.

    ``hidden`` is (N, H), and the products have its precision; ``weight`` is (V, H), ``bias`` (V,),
    ``labels`` (N,), where `UNUSED` marks rows to skip. The logits (N, V) become the probabilities
    and these the gradient in one buffer, freed before the backward pass (Hsu et al. 2024, "Liger
    Kernel", section 3.2). A label's loss is at most that of the smallest number that the precision
    can hold, 87 nats; its gradient is not limited.
    """
    loss: torch.Tensor = _LinearCrossEntropy.apply(hidden, weight, bias, labels)
    return loss


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        labels: torch.Tensor,
    ) -> torch.Tensor:
        dtype, low = hidden.dtype, weight.to(hidden.dtype)
        buffer = torch.softmax(F.linear(hidden, low, bias.to(dtype)), -1)
        asks = labels != UNUSED
        place = torch.arange(len(labels), device=labels.device)[asks], labels[asks]
        probs = buffer[place].to(torch.promote_types(dtype, torch.float32))
        buffer[place] -= 1
        buffer.index_fill_(0, (~asks).nonzero()[:, 0], 0)
        ctx.save_for_backward(buffer @ low, buffer.T @ hidden, buffer.sum(0))
        ctx.dtypes = (dtype, weight.dtype, bias.dtype)
        return -probs.clamp_min(torch.finfo(dtype).tiny).log().sum()

    @staticmethod
    def backward(ctx: Any, factor: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        gradients = zip(ctx.saved_tensors, ctx.dtypes, strict=True)
        return *((factor * gradient).to(dtype) for gradient, dtype in gradients), None
