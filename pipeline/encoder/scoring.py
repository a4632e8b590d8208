"""How a masked language model scores sentences: by the probability of tokens it sees masked."""

import difflib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import AutoModelForMaskedLM

from pipeline.encoder import one_mask
from pipeline.encoder.features import batches
from pipeline.encoder.loading import load_model
from pipeline.encoder.model import masked_logits
from pipeline.encoder.tokenizer import load_tokenizer

Progress = Callable[[int, int], None]  # (rows done, rows in all)

_BATCH_TOKENS = 2048


class Blank(NamedTuple):
    """A sentence's token ids, the position to mask, and the tokens to score there."""

    ids: Sequence[int]
    position: int
    tokens: tuple[int, ...]


def load(folder: Path) -> tuple[Any, Any]:
    """Return the masked language model and the tokenizer that the stage pretrain saved."""
    return load_model(AutoModelForMaskedLM, folder), load_tokenizer(str(folder), "build/pretrain")


def fill_blanks(
    model: Any, tokenizer: Any, blanks: Sequence[Blank], progress: Progress | None = None
) -> np.ndarray:
    """Return the log-probabilities (blanks, K) of each blank's K tokens where it is masked, nats.

    Rows of one length share a batch, without padding, and logits are computed at the masked
    position only. The result is that of one row at a time, up to rounding.

    Args:
        model: a transformers ``ForMaskedLM`` model; it is used in eval mode and left as it was.
        tokenizer: its tokenizer.
        blanks: all of the same number of tokens, K.
        progress: called after every batch with the number of rows done and of all rows.
    """
    found = np.zeros((len(blanks), len(blanks[0].tokens) if blanks else 0))
    done, was_training = 0, model.training
    model.eval()
    for rows in batches([blank.ids for blank in blanks], _BATCH_TOKENS):
        found[rows] = _log_probabilities(
            model, tokenizer.mask_token_id, [blanks[row] for row in rows]
        )
        done += len(rows)
        if progress:
            progress(done, len(blanks))
    model.train(was_training)
    return found


def score_pairs(
    model: Any,
    tokenizer: Any,
    pairs: Sequence[tuple[str, str]],
    progress: Progress | None = None,
) -> np.ndarray:
    """Return pseudo-log-likelihoods over the tokens that a pair shares: (pairs, 2), nats.

    Nangia et al. (2020), eq. 1: the sum over shared tokens u of ``log P(u | sentence with u
    masked)``. Each shared token is masked once in each sentence, so a pair with S shared tokens is
    2 S rows of `fill_blanks`, where the other arguments are described. Tokens beyond the model's
    positions are cut off.
    """
    encoded = [tuple(encode(model, tokenizer, text) for text in pair) for pair in pairs]
    copies = list(_mask_shared(encoded))
    totals = np.zeros(2 * len(pairs))
    guessed = fill_blanks(model, tokenizer, [blank for _, blank in copies], progress)
    np.add.at(totals, [place for place, _ in copies], guessed.sum(axis=1))
    return totals.reshape(len(pairs), 2)


def encode(model: Any, tokenizer: Any, text: str) -> Sequence[int]:
    """Return a text's token ids with the special ones, cut to the model's positions."""
    limit = model.config.max_position_embeddings
    ids: Sequence[int] = tokenizer(text, truncation=True, max_length=limit)["input_ids"]
    return ids


def shared_positions(first: Sequence[int], second: Sequence[int]) -> list[tuple[int, int]]:
    """Return the positions in both sequences of the tokens that they share, without special ones.

    As in the authors' metric.py: `difflib.SequenceMatcher` on the ids, of which the first and last
    matched are the special tokens.
    """
    blocks = difflib.SequenceMatcher(None, first, second).get_matching_blocks()
    matched = [(block.a + i, block.b + i) for block in blocks for i in range(block.size)]
    return matched[1:-1]


def _mask_shared(
    encoded: Sequence[tuple[Sequence[int], ...]],
) -> Iterator[tuple[int, Blank]]:
    """Yield a blank for every shared token of every sentence, and its sentence's number."""
    for pair, (first, second) in enumerate(encoded):
        for a, b in shared_positions(first, second):
            yield 2 * pair, Blank(first, a, (first[a],))
            yield 2 * pair + 1, Blank(second, b, (second[b],))


@torch.inference_mode()
def _log_probabilities(model: Any, mask_id: int, blanks: Sequence[Blank]) -> np.ndarray:
    """Return the log-probabilities (B, K) of a batch of blanks of one length."""
    ids = torch.tensor([blank.ids for blank in blanks], device=model.device)  # (B, T)
    positions = torch.tensor([blank.position for blank in blanks], device=model.device)  # (B,)
    tokens = torch.tensor([blank.tokens for blank in blanks], device=model.device)  # (B, K)
    if model.config.model_type == "bert" and model.config.num_hidden_layers > 1:
        logits = model.cls(one_mask.hidden_at(model, ids, positions, mask_id))  # (B, V)
    else:
        masked = ids.scatter(1, positions[:, None], mask_id)
        logits = masked_logits(model, masked, torch.ones_like(ids), positions[:, None])[:, 0]
    return logits.float().log_softmax(dim=-1).gather(1, tokens).double().cpu().numpy()
