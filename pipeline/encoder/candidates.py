"""How likely a masked language model considers words and pronouns in a sentence's blank."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.encoder.scoring import Blank, Progress, fill_blanks


def score_words(
    model: Any,
    tokenizer: Any,
    words: Sequence[tuple[str, str, str]],
    progress: Progress | None = None,
) -> np.ndarray:
    """Return the score (words,) of each word between a sentence's beginning and its end.

    StereoSet's, as in the authors' eval_discriminative_models.py: the mean over the word's tokens
    of the probability of each, given the tokens before it and a mask in the place of the rest.
    """
    blanks = [_blanks(model, tokenizer, *word) for word in words]
    flat = [blank for each in blanks for blank in each]
    guessed = np.exp(fill_blanks(model, tokenizer, flat, progress)[:, 0])
    counts = np.array([len(each) for each in blanks])
    means: np.ndarray = np.add.reduceat(guessed, np.cumsum(counts) - counts) / counts
    return means


def _blanks(model: Any, tokenizer: Any, before: str, word: str, after: str) -> list[Blank]:
    """Return a blank for each token of the word; a word without tokens is one unknown token."""
    ids = tokenizer.encode(word, add_special_tokens=False) or [tokenizer.unk_token_id]
    return [
        _blank(model, tokenizer, before + tokenizer.decode(ids[:place]), after, (token,))
        for place, token in enumerate(ids)
    ]


def score_pronouns(
    model: Any,
    tokenizer: Any,
    sentences: Sequence[tuple[str, str, str, str]],
    progress: Progress | None = None,
) -> np.ndarray:
    """Return ``log P(first) - log P(second)``, (sentences,) nats, of two words in a blank.

    A sentence is its beginning, the two words and its end. NaN where a word is not one known
    token, because probabilities of one token and of several are not comparable.
    """
    odds = np.full(len(sentences), np.nan)
    blanks = {}
    for place, (before, first, second, after) in enumerate(sentences):
        tokens = [token for word in (first, second) for token in _known(tokenizer, word)]
        if len(tokens) == 2:
            blanks[place] = _blank(model, tokenizer, before, after, tuple(tokens))
    if blanks:
        guessed = fill_blanks(model, tokenizer, list(blanks.values()), progress)
        odds[list(blanks)] = guessed[:, 0] - guessed[:, 1]
    return odds


def unknown_words(tokenizer: Any, words: Sequence[str]) -> set[str]:
    """Return the words that the tokenizer has no tokens for."""
    return {
        word
        for word in words
        if tokenizer.unk_token_id in tokenizer.encode(word, add_special_tokens=False)
    }


def _known(tokenizer: Any, word: str) -> list[int]:
    """Return the word's token in a list, which is empty if the word is not one known token."""
    ids: list[int] = tokenizer.encode(word, add_special_tokens=False)
    return ids if len(ids) == 1 and ids[0] != tokenizer.unk_token_id else []


def _blank(model: Any, tokenizer: Any, before: str, after: str, tokens: tuple[int, ...]) -> Blank:
    """Return the blank between two texts, with as much context as the model has positions for."""
    ids: list[int] = tokenizer(before + tokenizer.mask_token + after)["input_ids"]
    position = ids.index(tokenizer.mask_token_id)
    limit: int = model.config.max_position_embeddings
    start = max(0, min(position - limit // 2, len(ids) - limit))
    return Blank(ids[start : start + limit], position - start, tokens)
