"""Pseudo-log-likelihoods of pairs of sentences under a masked language model."""

import difflib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import AutoModelForMaskedLM

from pipeline.encoder.features import batches
from pipeline.encoder.loading import load_model
from pipeline.encoder.model import masked_logits
from pipeline.encoder.tokenizer import load_tokenizer

_BATCH_TOKENS = 4096


class Copy(NamedTuple):
    """A sentence's token ids of which one is to be masked and guessed."""

    ids: Sequence[int]
    position: int
    place: int  # where its log-probability is added: 2 * pair + side


def load(folder: Path) -> tuple[Any, Any]:
    """Return the masked language model and the tokenizer that the stage pretrain saved."""
    return load_model(AutoModelForMaskedLM, folder), load_tokenizer(str(folder), "build/pretrain")


def score_pairs(
    model: Any,
    tokenizer: Any,
    pairs: Sequence[tuple[str, str]],
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Return pseudo-log-likelihoods over the tokens that a pair shares: (pairs, 2), nats.

    Nangia et al. (2020), eq. 1: the sum over shared tokens u of ``log P(u | sentence with u
    masked)``. Each shared token is masked once in each sentence, so a pair with S shared tokens is
    2 S rows; rows of one length share a batch, without padding, and logits are computed at the
    masked position only. The result is that of one row at a time, up to rounding.

    Args:
        model: a transformers ``ForMaskedLM`` model; it is used in eval mode and left as it was.
        tokenizer: its tokenizer.
        pairs: two sentences each. Tokens beyond what the model has positions for are cut off.
        progress: told the rows done and their number after every batch.
    """
    limit = model.config.max_position_embeddings
    encoded = [tuple(_encode(tokenizer, text, limit) for text in pair) for pair in pairs]
    copies = list(masked_copies(encoded))
    totals = np.zeros(2 * len(pairs))
    done, was_training = 0, model.training
    model.eval()
    for rows in batches([copy.ids for copy in copies], _BATCH_TOKENS):
        batch = [copies[row] for row in rows]
        places = [copy.place for copy in batch]
        np.add.at(totals, places, _log_probabilities(model, tokenizer.mask_token_id, batch))
        done += len(batch)
        if progress:
            progress(done, len(copies))
    model.train(was_training)
    return totals.reshape(len(pairs), 2)


def shared_positions(first: Sequence[int], second: Sequence[int]) -> list[tuple[int, int]]:
    """Return the positions in both sequences of the tokens that stay, special ones left out.

    As in the authors' metric.py: `difflib.SequenceMatcher` on the ids, of which the first and last
    matched are the special tokens.
    """
    blocks = difflib.SequenceMatcher(None, first, second).get_matching_blocks()
    matched = [(block.a + i, block.b + i) for block in blocks for i in range(block.size)]
    return matched[1:-1]


def masked_copies(encoded: Sequence[tuple[Sequence[int], ...]]) -> Iterator[Copy]:
    """Yield a copy for every shared token of every sentence of every pair."""
    for pair, (first, second) in enumerate(encoded):
        for a, b in shared_positions(first, second):
            yield Copy(first, a, 2 * pair)
            yield Copy(second, b, 2 * pair + 1)


def _encode(tokenizer: Any, text: str, limit: int) -> Sequence[int]:
    ids: Sequence[int] = tokenizer(text, truncation=True, max_length=limit)["input_ids"]
    return ids


@torch.inference_mode()
def _log_probabilities(model: Any, mask_id: int, batch: Sequence[Copy]) -> np.ndarray:
    """Return the log-probability (B,) of each copy's own token where it is masked."""
    ids = torch.tensor([copy.ids for copy in batch], device=model.device)  # (B, T)
    positions = torch.tensor([[copy.position] for copy in batch], device=model.device)  # (B, 1)
    targets = ids.gather(1, positions)
    masked = ids.scatter(1, positions, mask_id)
    logits = masked_logits(model, masked, torch.ones_like(ids), positions)[:, 0]  # (B, V)
    log_probabilities = logits.float().log_softmax(dim=-1).gather(1, targets)  # (B, 1)
    return log_probabilities[:, 0].double().cpu().numpy()
