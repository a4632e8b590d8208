"""BERT with one masked token per row, computing once what the rows have in common."""

from typing import Any

import torch
from torch.nn import functional as F


def hidden_at(model: Any, ids: torch.Tensor, positions: torch.Tensor, mask_id: int) -> torch.Tensor:
    """Return the last hidden states (B, H) at one masked position (B,) a row of ids (B, T).

    The rows have no padding, and are not yet masked. The first layer's queries, keys and values
    depend only on a token and its position, so the rows of one text share them, and all rows share
    those of the mask. In the last layer, a different one, only the masked position is computed.
    """
    first, *middle, last = model.bert.encoder.layer
    rows = torch.arange(len(ids), device=ids.device)
    texts, text = torch.unique(ids, dim=0, return_inverse=True)  # (S, T), (B,)
    masks = torch.full_like(texts[:1], mask_id)
    known = _project(first, model.bert.embeddings(input_ids=torch.cat([texts, masks])))
    mixed = known[text]  # (B, T, 4 H)
    mixed[rows, positions] = known[-1, positions]
    hidden = _finish(first, *mixed.chunk(4, dim=-1))  # (B, T, H)
    for layer in middle:
        hidden = layer(hidden)
    own, attention = hidden[rows, positions][:, None], last.attention.self  # (B, 1, H)
    asked = attention.query(own), attention.key(hidden), attention.value(hidden)
    return _finish(last, own, *asked)[:, 0]


def _project(layer: Any, hidden: torch.Tensor) -> torch.Tensor:
    """Return hidden states with their queries, keys and values, (B, T, 4 H)."""
    attention = layer.attention.self
    parts = hidden, attention.query(hidden), attention.key(hidden), attention.value(hidden)
    return torch.cat(parts, dim=-1)


def _finish(
    layer: Any, own: torch.Tensor, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
) -> torch.Tensor:
    """Return a layer's output (B, Q, H) for the tokens ``own``, from their queries (B, Q, H)."""
    heads = layer.attention.self.num_attention_heads
    query, key, value = (
        part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (query, key, value)
    )  # (B, heads, Q or T, H / heads)
    mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
    output: torch.Tensor = layer.feed_forward_chunk(layer.attention.output(mixed, own))
    return output
