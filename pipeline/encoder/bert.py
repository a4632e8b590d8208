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

from pipeline.encoder.model import count_positions, flat_positions, take

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
    asked: torch.Tensor,
    dtype: torch.dtype,
) -> torch.Tensor:
    """Return the encoder's last hidden states at ``asked``, (B * M, H) in ``dtype``.

    ``ids`` and ``segments`` are (B, T): a token sees those of its own segment, in which positions
    are counted from 0. ``asked``, (B, M), are positions within the rows. The last layer works at
    these only, once it has keys and values: nothing reads the other tokens.
    """
    bert, heads = model.base_model, model.config.num_attention_heads
    positions = count_positions(segments)
    hidden = bert.embeddings(input_ids=ids, position_ids=positions).to(dtype)
    mask = _additive_mask(segments, heads, dtype)
    *before, last = bert.encoder.layer
    for layer in before:
        hidden = _finish(layer, _attend(layer.attention.self, hidden, mask, heads), hidden)
    mixed = _attend(last.attention.self, hidden, mask, heads, asked)
    return _finish(last, mixed.flatten(0, 1), take(hidden, asked))


def _additive_mask(segments: torch.Tensor, heads: int, dtype: torch.dtype) -> torch.Tensor:
    """Return 0 where a token sees another and minus infinity elsewhere, (heads * B, T, T)."""
    apart = segments[:, :, None] != segments[:, None, :]
    mask = torch.zeros(apart.shape, dtype=dtype).masked_fill_(apart, float("-inf"))
    return mask.repeat(heads, 1, 1)


def _attend(
    block: Any,
    hidden: torch.Tensor,
    mask: torch.Tensor,
    heads: int,
    asked: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return what the tokens see, (B, T, H), or those at the asked positions, (B, M, H)."""
    three = (block.query, block.key, block.value)
    weight = torch.cat([linear.weight.to(hidden.dtype) for linear in three])
    bias = torch.cat([linear.bias.to(hidden.dtype) for linear in three])
    rows = None
    if asked is not None:
        rows = flat_positions(asked.repeat(heads, 1), hidden.shape[1])
        mask = _take(mask, rows)
    mixed: torch.Tensor = _Attention.apply(F.linear(hidden, weight, bias), mask, heads, rows)
    return mixed


class _Attention(torch.autograd.Function):
    """softmax(QK' / sqrt(D) + mask) V of Q, K and V side by side, (B, T, 3 H), to (B, T, H).

    With ``rows``, (heads * B * M,) places in Q, of these only; the mask is (heads * B, M, T) then.
    PyTorch's own backward pass of the same would copy the three gradients into one once more.
    """

    @staticmethod
    def forward(
        ctx: Any,
        joined: torch.Tensor,
        mask: torch.Tensor,
        heads: int,
        rows: torch.Tensor | None,
    ) -> torch.Tensor:
        three = _split(joined, 3 * heads)
        query, key, value = three.view(3, -1, *three.shape[1:])  # each (heads * B, T, D)
        if rows is not None:
            query = _take(query, rows)
        ctx.scale = three.shape[-1] ** -0.5
        probs = torch.baddbmm(mask, query, key.transpose(1, 2), alpha=ctx.scale).softmax(-1)
        ctx.save_for_backward(three, query, probs, rows)
        return _join(probs @ value, heads)

    @staticmethod
    def backward(ctx: Any, grad_mixed: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        three, query, probs, rows = ctx.saved_tensors
        gradient = torch.empty_like(three)
        _, key, value = three.view(3, -1, *three.shape[1:])
        grad_query, grad_key, grad_value = gradient.view(3, *key.shape)
        heads = len(key) // len(grad_mixed)
        grad_mixed = _split(grad_mixed, heads)
        torch.bmm(probs.transpose(1, 2), grad_mixed, out=grad_value)
        grad_scores = torch._softmax_backward_data(
            grad_mixed @ value.transpose(1, 2), probs, -1, probs.dtype
        )
        scaled = {"beta": 0, "alpha": ctx.scale}
        torch.baddbmm(grad_key, grad_scores.transpose(1, 2), query, **scaled, out=grad_key)
        if rows is None:
            torch.baddbmm(grad_query, grad_scores, key, **scaled, out=grad_query)
        else:
            grad_asked = (grad_scores @ key).mul_(ctx.scale)
            grad_query.zero_().flatten(0, 1).index_add_(0, rows, grad_asked.flatten(0, 1))
        return _join(gradient, 3 * heads), None, None, None


def _take(of_heads: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Return rows of (heads * B, T, D) by their places among the heads * B * T, M of each."""
    return of_heads.flatten(0, 1).index_select(0, rows).unflatten(0, (len(of_heads), -1))


def _split(joined: torch.Tensor, heads: int) -> torch.Tensor:
    """Return (B, T, heads * D) as (heads * B, T, D)."""
    B, T, width = joined.shape
    return joined.view(B, T, heads, -1).permute(2, 0, 1, 3).reshape(heads * B, T, width // heads)


def _join(split: torch.Tensor, heads: int) -> torch.Tensor:
    """Return (heads * B, T, D) as (B, T, heads * D)."""
    _, T, D = split.shape
    return split.view(heads, -1, T, D).permute(1, 2, 0, 3).reshape(-1, T, heads * D)


def _finish(layer: Any, mixed: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    """Do what in a layer follows attention, which is done on each token alone."""
    hidden = _add(layer.attention.output, mixed, hidden)
    return _add(layer.output, F.gelu(_linear(layer.intermediate.dense, hidden)), hidden)


def _add(block: Any, inner: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    """Project and add to the hidden states; LayerNorm is float32 inside, whatever is given."""
    norm, added = block.LayerNorm, _linear(block.dense, inner).add_(hidden)
    return F.layer_norm(added, norm.normalized_shape, norm.weight, norm.bias, norm.eps)


def _linear(linear: nn.Linear, hidden: torch.Tensor) -> torch.Tensor:
    return F.linear(hidden, linear.weight.to(hidden.dtype), linear.bias.to(hidden.dtype))
