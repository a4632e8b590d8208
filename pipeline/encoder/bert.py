"""BERT's layers with fewer passes over memory than transformers' own, to train on processors.

The parameters are those of transformers' modules, and so are the outputs but for rounding. What
differs: the three projections of attention are one product; attention is two products and a
softmax, of which the backward pass takes a fraction of the time of PyTorch's fused kernel at
these lengths; and what lies between the products stays in their precision, where autocast goes
to float32 and back at each LayerNorm (as Portes et al. 2023, "MosaicBERT", section 2, do).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

_MAX_TOKENS = 256  # of a row: each layer keeps T squared numbers a head for its backward pass


def can_run(model: Any, tokens: int) -> bool:
    """Whether a model, as it is configured, and rows of so many tokens can be trained here."""
    config = model.config
    return bool(
        config.model_type == "bert"
        and config.hidden_act == "gelu"
        and config.hidden_dropout_prob == config.attention_probs_dropout_prob == 0
        and model.device.type == "cpu"
        and tokens <= _MAX_TOKENS
    )


def hidden_states(
    model: Any,
    ids: torch.Tensor,
    segments: torch.Tensor,
    positions: torch.Tensor,
    dtype: torch.dtype,
) -> torch.Tensor:
    """Return the encoder's last hidden states, (B, T, H) in ``dtype``.

    ``ids``, ``segments`` and ``positions`` are (B, T): a token sees those of its own segment, and
    a position is counted in the segment.
    """
    bert, heads = model.base_model, model.config.num_attention_heads
    hidden = bert.embeddings(input_ids=ids, position_ids=positions).to(dtype)
    mask = _additive_mask(segments, heads, dtype)
    for layer in bert.encoder.layer:
        hidden = _attend(layer.attention, hidden, mask, heads)
        hidden = _feed_forward(layer, hidden)
    return hidden


def _additive_mask(segments: torch.Tensor, heads: int, dtype: torch.dtype) -> torch.Tensor:
    """Return 0 where a token sees another and minus infinity elsewhere, (B * heads, T, T)."""
    apart = segments[:, :, None] != segments[:, None, :]
    mask = torch.zeros(apart.shape, dtype=dtype).masked_fill_(apart, float("-inf"))
    return mask.repeat_interleave(heads, 0)


def _attend(block: Any, hidden: torch.Tensor, mask: torch.Tensor, heads: int) -> torch.Tensor:
    (B, T, H), dtype = hidden.shape, hidden.dtype
    three = (block.self.query, block.self.key, block.self.value)
    weight = torch.cat([linear.weight.to(dtype) for linear in three])
    bias = torch.cat([linear.bias.to(dtype) for linear in three])
    split = F.linear(hidden, weight, bias).view(B, T, 3, heads, H // heads)
    query, key, value = split.permute(2, 0, 3, 1, 4).reshape(3, B * heads, T, H // heads)
    scale = (H // heads) ** -0.5
    scores = torch.baddbmm(mask, query, key.transpose(1, 2), alpha=scale)
    mixed = torch.bmm(torch.softmax(scores, -1), value)  # (B * heads, T, H / heads)
    joined = mixed.view(B, heads, T, -1).transpose(1, 2).reshape(B, T, H)
    return _norm(block.output.LayerNorm, hidden + _linear(block.output.dense, joined))


def _feed_forward(layer: Any, hidden: torch.Tensor) -> torch.Tensor:
    inner = F.gelu(_linear(layer.intermediate.dense, hidden))
    return _norm(layer.output.LayerNorm, hidden + _linear(layer.output.dense, inner))


def _linear(linear: nn.Linear, hidden: torch.Tensor) -> torch.Tensor:
    return F.linear(hidden, linear.weight.to(hidden.dtype), linear.bias.to(hidden.dtype))


def _norm(norm: nn.LayerNorm, hidden: torch.Tensor) -> torch.Tensor:
    """LayerNorm, in float32 inside whatever the precision of what it is given."""
    return F.layer_norm(hidden, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
