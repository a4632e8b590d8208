"""Which tokens a masked language model has to guess, and what it sees in their place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.encoder.batches import WHOLE, Rows, Share
from pipeline.encoder.tokens import Vocabulary

UNUSED = -100  # the label of an empty slot: PyTorch's ignore_index
_MASK_SHARE = 0.8  # of the chosen tokens become [MASK]
_RANDOM_SHARE = 0.1  # become a random token; the rest stay as they are


@dataclass(frozen=True)
class MaskedBatch:
    """B sequences of T tokens with M slots each for tokens to guess."""

    ids: npt.NDArray[np.int64]  # (B, T), as the model sees them
    segments: npt.NDArray[np.int64]  # (B, T), 0 at padding; attention stays within a number
    positions: npt.NDArray[np.int64]  # (B, M), distinct within a row
    labels: npt.NDArray[np.int64]  # (B, M), the token that stood there, or UNUSED

    @property
    def tokens(self) -> int:
        """The number of tokens that are not padding."""
        return int(np.count_nonzero(self.segments))

    @property
    def guesses(self) -> int:
        """The number of tokens to guess."""
        return int(np.count_nonzero(self.labels != UNUSED))

    def split(self, parts: int) -> Iterator["MaskedBatch"]:
        """Yield the rows in ``parts`` batches, of equal size if their number allows."""
        arrays = (self.ids, self.segments, self.positions, self.labels)
        for pieces in zip(*(np.array_split(array, parts) for array in arrays), strict=True):
            yield MaskedBatch(*pieces)


def mask_tokens(
    rows: Rows,
    vocabulary: Vocabulary,
    rate: float,
    key: Sequence[int],
    *,
    whole_words: bool = False,
    share: Share = WHOLE,
) -> MaskedBatch:
    """Choose ``rate`` of each row's ordinary tokens and hide them; equal arguments, equal masks.

    ``rows`` are a ``share`` of a batch, and get the same masks as in the whole batch.

    Devlin et al. 2019, section 3.1: a chosen token becomes [MASK] in 80% of cases, a random
    ordinary token in 10%, and stays as it is in 10%. All chosen tokens are to be guessed,
    including those that are kept or redrawn as they were, as in BERT's own code; the shorthand
    L = -sum 1[x_t != x'_t] log p(x_t | x') would leave those out.

    A row of n ordinary tokens gives round(rate * n), at least one, as in BERT's
    ``create_pretraining_data.py``; every set of that size is equally likely. Choosing each token
    independently would have the same expectation but a varying count. Here the number of slots
    is fixed by T, so that every batch has the same shapes; a row with fewer ordinary tokens
    leaves slots `UNUSED`.

    With ``whole_words`` either all of a word's tokens are chosen or none (Cui et al. 2021,
    "Pre-Training with Whole Word Masking for Chinese BERT", section 3.1): words are taken in random
    order while they fit, so a row may give a few tokens fewer.
    """
    ids, segments = rows
    rng = np.random.default_rng(key)
    ordinary = ~np.isin(ids, vocabulary.special_ids)
    slots = max(1, round(rate * ids.shape[1]))
    counts = np.clip(np.rint(rate * ordinary.sum(1)), ordinary.any(1), slots).astype(np.int64)

    order = share.take(rng.random((share.of * len(ids), ids.shape[1])))
    if whole_words:
        words = _number_words(ids, segments, vocabulary)
        order = np.take_along_axis(order, words, axis=1)  # all tokens of a word get the same place
    order = np.where(ordinary, order, 2.0)  # special tokens come last
    positions = np.argsort(order, axis=1, kind="stable")  # (B, T)
    if whole_words:
        counts = _count_whole(np.take_along_axis(words, positions, axis=1), counts)
    positions = positions[:, :slots]  # (B, M)
    used = np.arange(slots) < counts[:, None]

    original = np.take_along_axis(ids, positions, axis=1)
    seen = np.where(used, _corrupt(original, vocabulary, rng, share), original)
    corrupted = ids.copy()
    np.put_along_axis(corrupted, positions, seen, axis=1)
    return MaskedBatch(corrupted, segments, positions, np.where(used, original, UNUSED))


def _number_words(
    ids: npt.NDArray[np.int64], segments: npt.NDArray[np.int64], vocabulary: Vocabulary
) -> npt.NDArray[np.int64]:
    """Return the number of each token's word in its row, (B, T), from 0."""
    begins = ~np.isin(ids, vocabulary.continuing_ids)
    begins[:, 1:] |= segments[:, 1:] != segments[:, :-1]
    begins[:, 0] = True
    return np.cumsum(begins, axis=1) - 1


def _count_whole(
    words: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return the counts (B,) without the tokens of a word that the count would cut.

    ``words`` (B, T) are in the order in which tokens are taken. A row whose first word alone is
    longer than its count gives a part of that word.
    """
    padded = np.pad(words, ((0, 0), (0, 1)), constant_values=-1)
    after = np.take_along_axis(padded, counts[:, None], axis=1)  # (B, 1), the first one left out
    taken = np.arange(words.shape[1]) < counts[:, None]
    whole = (taken & (words != after)).sum(1)
    return np.where(whole > 0, whole, counts)


def _corrupt(
    original: npt.NDArray[np.int64],
    vocabulary: Vocabulary,
    rng: np.random.Generator,
    share: Share,
) -> npt.NDArray[np.int64]:
    shape = share.of * len(original), original.shape[1]
    choice = share.take(rng.random(shape))
    ordinary = vocabulary.ordinary_ids
    redrawn = ordinary[share.take(rng.integers(0, len(ordinary), shape))]
    kept = np.where(choice < _MASK_SHARE + _RANDOM_SHARE, redrawn, original)
    return np.where(choice < _MASK_SHARE, vocabulary.mask_id, kept)
