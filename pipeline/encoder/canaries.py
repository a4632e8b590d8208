"""How likely a masked language model finds secrets of digits in a text."""

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
    """Return the pseudo-log-likelihood (texts,) of the digits of each text, nats.

    That is the sum over digits d of ``log P(d | the text with d masked)``: the other digits are
    seen, which is the most that a masked language model can give away. None where the tokenizer
    has no token for each digit, or cuts one off.
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
    """Return the tokens of the ten digits where each stands alone after a space and is known."""
    lists = [tokenizer.tokenize(f"is {digit}")[-1:] for digit in range(10)]
    return [name for names in lists for name in names if name != tokenizer.unk_token]
