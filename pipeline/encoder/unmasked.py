"""How a masked language model scores sentences unmasked: every token is visible when predicted."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from pipeline.encoder.features import run_batches
from pipeline.encoder.scoring import Progress, encode

_BATCH_TOKENS = 512  # times the vocabulary is what the logits take: 62 MB for 30,522 tokens


def score_sentences(
    model: Any, tokenizer: Any, texts: Sequence[str], progress: Progress | None = None
) -> np.ndarray:
    """Return AUL and AULA of each text, (texts, 2), nats (Kaneko and Bollegala 2022).

    AUL is the mean over tokens, special ones left out, of their log-probability in the unmasked
    sentence. AULA weights each by the attention that it receives, averaged over layers, heads and
    attending tokens; as in the authors' evaluate.py the weights are not scaled to sum to one, and
    the special tokens attend too. Each text takes one pass; a text without tokens scores 0.
    """
    ids = [encode(model, tokenizer, text) for text in texts]
    with _showing_attention(model):
        return run_batches(lambda batch: _score(model, batch), ids, _BATCH_TOKENS, progress)


def _score(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """Return AUL and AULA (B, 2) of ids (B, T) without padding."""
    ids = ids.to(model.device)
    out = model(input_ids=ids, output_attentions=True)
    log_probabilities = out.logits.float().log_softmax(dim=-1)  # (B, T, V)
    own = log_probabilities.gather(2, ids[..., None])[:, 1:-1, 0]  # (B, T - 2)
    attention = torch.stack(out.attentions).mean(dim=(0, 2, 3))[:, 1:-1]  # from (L, B, heads, T, T)
    tokens = max(1, own.shape[1])
    return torch.stack([own.sum(dim=1), (own * attention).sum(dim=1)], dim=1).double() / tokens


@contextlib.contextmanager
def _showing_attention(model: Any) -> Iterator[None]:
    """Make the model return its attention within the block, in eval mode; then restore it."""
    was_training, attention = model.training, model.config._attn_implementation
    model.eval()
    model.set_attn_implementation("eager")
    yield
    model.set_attn_implementation(attention)
    model.train(was_training)
