"""Packed sequences and their order: pure functions of the corpus, the seed and the step."""

import bisect
import enum
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.encoder.tokens import Tokens, Vocabulary

_ROUNDS = 8


class Draw(enum.IntEnum):
    """The purpose of random numbers: part of their key, so that no two purposes share any."""

    ORDER = 1
    MASKS = 2
    DROPOUT = 3
    HELDOUT = 4


class Share(NamedTuple):
    """One of several equal parts of a batch: the rows of one process."""

    number: int = 0
    of: int = 1

    def take(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return this part's rows of an array over all rows of the batch."""
        return np.split(array, self.of)[self.number]


WHOLE = Share()


class Rows(NamedTuple):
    """Packed sequences."""

    ids: npt.NDArray[np.int64]  # (B, T)
    segments: npt.NDArray[np.int64]  # (B, T): 1, 2, ... of a row's documents, 0 at padding


@dataclass(frozen=True)
class Packing:
    """The corpus as one stream, each document as [CLS] tokens [SEP], cut into rows of T tokens.

    The documents in a row are segments that do not see each other (Krell et al. 2021, "Efficient
    Sequence Packing without Cross-contamination", section 3.2). What a row's end cuts off a
    document becomes the next row's first segment. Only the last row is padded.
    """

    tokens: Tokens
    vocabulary: Vocabulary
    seq_len_tokens: int

    @property
    def sequences(self) -> int:
        """The number of sequences, S."""
        return -(-self._stream_length // self.seq_len_tokens)

    @property
    def _stream_length(self) -> int:
        return len(self.tokens.ids) + 2 * self.tokens.documents

    def rows(self, numbers: npt.NDArray[np.int64]) -> Rows:
        """Return the sequences of these numbers."""
        ids = np.full((len(numbers), self.seq_len_tokens), self.vocabulary.pad_id, np.int64)
        segments = np.zeros_like(ids)
        for row, number in enumerate(numbers.tolist()):
            start, stop = self._span(number)
            ids[row, : stop - start], segments[row, : stop - start] = self._stream(start, stop)
        return Rows(ids, segments)

    def documents(self, number: int) -> range:
        """Return the documents that a sequence holds tokens of, as row numbers of the corpus."""
        start, stop = self._span(number)
        return range(self._document(start), self._document(stop - 1) + 1)

    def _span(self, number: int) -> tuple[int, int]:
        start = number * self.seq_len_tokens
        return start, min(start + self.seq_len_tokens, self._stream_length)

    def _document(self, position: int) -> int:
        """Return the document at a position of the stream, where document d is shifted by 2 d."""
        offsets = self.tokens.offsets
        documents = range(self.tokens.documents)
        return bisect.bisect_right(documents, position, key=lambda d: int(offsets[d]) + 2 * d) - 1

    def _stream(self, start: int, stop: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the stream's tokens, and the segment of each, numbered from ``start`` on."""
        offsets, ids = self.tokens.offsets, self.tokens.ids
        held = np.arange(self._document(start), self._document(stop - 1) + 1)
        begins = offsets[held] + 2 * held
        position = np.arange(start, stop)
        segment = np.searchsorted(begins, position, side="right")
        document, place = held[segment - 1], position - begins[segment - 1]
        is_token = (place > 0) & (place <= offsets[document + 1] - offsets[document])
        stream = np.where(place == 0, self.vocabulary.cls_id, self.vocabulary.sep_id)
        stream[is_token] = ids[(offsets[document] + place - 1)[is_token]]
        return stream, segment


def step_sequences(step: int, batch: int, total: int, seed: int) -> npt.NDArray[np.int64]:
    """Return the numbers of the sequences of a step, (batch,).

    Draw k of the run is place ``k % total`` of epoch ``k // total``, and each epoch is another
    permutation of all sequences: a run resumes at any step without a replay, in flat memory.
    """
    epochs, places = np.divmod(np.arange(step * batch, (step + 1) * batch), total)
    numbers = np.empty(batch, np.int64)
    for epoch in np.unique(epochs):
        numbers[epochs == epoch] = _permute(
            places[epochs == epoch], total, [seed, Draw.ORDER, epoch]
        )
    return numbers


def _permute(places: npt.NDArray[np.int64], total: int, key: list[int]) -> npt.NDArray[np.int64]:
    """Return where a keyed permutation of range(total) sends the places.

    A Feistel network permutes the next power of four; a value beyond ``total`` walks on until
    it is below (Black and Rogaway 2002, "Ciphers with Arbitrary Finite Domains", section 4).
    """
    half = np.uint64(max(1, ((total - 1).bit_length() + 1) // 2))
    low = (np.uint64(1) << half) - np.uint64(1)
    keys = np.random.default_rng(key).integers(0, 1 << 63, _ROUNDS, dtype=np.uint64)

    def encipher(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        left, right = values >> half, values & low
        for round_key in keys:
            left, right = right, left ^ (_mix(right ^ round_key) & low)
        return (left << half) | right

    values = encipher(places.astype(np.uint64))
    while (beyond := values >= total).any():
        values[beyond] = encipher(values[beyond])
    return values.astype(np.int64)


def _mix(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """SplitMix64's output function (Steele, Lea and Flood 2014, figure 17)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
