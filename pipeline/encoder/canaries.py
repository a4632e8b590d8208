"""How likely a masked language model considers secrets of digits in a text."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.encoder.scoring import Blank, Progress, encode, fill_blanks


def score_secrets(
    model: Any,
    tokenizer: Any,
    texts: Sequence[str],
    digits: int,
    progress: Progress | None = None,
) -> np.ndarray | None:
    """Return the pseudo-log-likelihood of the digits of each text, (texts,), in nats.

    That is the sum over digits d of ``log P(d | the text with d masked)``. The other digits are
    visible, which is the most favourable case for the model. None if the tokenizer lacks a token
    for a digit, or truncates one.
    """
    tokens = {tokenizer.convert_tokens_to_ids(name) for name in digit_names(tokenizer)}
    blanks = []
    for ids in (encode(model, tokenizer, text) for text in texts):
        places = [place for place, token in enumerate(ids) if token in tokens]
        if len(places) != digits:
            return None
        blanks += [Blank(ids, place, (ids[place],)) for place in places]
    guessed = fill_blanks(model, tokenizer, blanks, progress)
    scores: np.ndarray = guessed.reshape(len(texts), digits).sum(axis=1)
    return scores


def digit_names(tokenizer: Any) -> list[str]:
    """Return the tokens of the ten digits as they follow a space; unknown ones are left out."""
    lists = [tokenizer.tokenize(f"is {digit}")[-1:] for digit in range(10)]
    return [name for names in lists for name in names if name != tokenizer.unk_token]
