"""A bundle's features of texts, by which new rows are told from known ones."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from pipeline.encoder import classifier
from pipeline.encoder.features import run_batches, tokenise
from pipeline.encoder.tokenizer import load_tokenizer

_BATCH_TOKENS = 4096


def load_bundle(bundle_dir: Path) -> Callable[[Sequence[str]], np.ndarray]:
    """Return a function from texts to the last hidden state (N, H) float32 of their first token.

    In a bundle made here that token holds the pooled features that the head reads, or the head's
    own hidden layer of them (see `assemble`).

    Raises:
        InputError: naming the file that is changed, missing or not allowed.
    """
    classifier.check_loadable(bundle_dir)
    encoder = classifier.load_sequence_model(bundle_dir).base_model
    tokenizer = load_tokenizer(str(bundle_dir), "bundle")

    def first_token(ids: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = encoder(input_ids=ids.to(encoder.device)).last_hidden_state
        return hidden[:, 0]

    def represent(texts: Sequence[str]) -> np.ndarray:
        ids = tokenise(texts, tokenizer, tokenizer.model_max_length).ids
        return run_batches(first_token, ids, _BATCH_TOKENS)

    return represent
