"""Packed sequences and their order: pure functions of the corpus, the seed and the step."""

import bisect
import enum
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.encoder.tokens import Tokens, Vocabulary

_ROUNDS = 8


class Draw(enum.IntEnum):
    """What random numbers are for: a part of their key, so that no two uses share any."""

    ORDER = 1
    MASKS = 2
    DROPOUT = 3
    HELDOUT = 4


@dataclass(frozen=True)
class Packing:
    """The corpus as one stream, a [SEP] after each document, cut into sequences of T tokens.

    A sequence is [CLS], T - 2 tokens of the stream, [SEP]; only the stream's last is padded.
    Documents follow each other within a sequence as in RoBERTa's FULL-SENTENCES
    (Liu et al. 2019, section 4.2).
    """

    tokens: Tokens
    vocabulary: Vocabulary
    seq_len_tokens: int

    @property
    def sequences(self) -> int:
        """The number of sequences, S."""
        return -(-self._stream_length // self._body)

    @property
    def _stream_length(self) -> int:
        return len(self.tokens.ids) + self.tokens.documents

    @property
    def _body(self) -> int:
        return self.seq_len_tokens - 2

    def rows(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the sequences of these numbers, (B, T)."""
        ids = np.full((len(numbers), self.seq_len_tokens), self.vocabulary.pad_id, np.int64)
        ids[:, 0] = self.vocabulary.cls_id
        for row, number in zip(ids, numbers.tolist(), strict=True):
            body = self._stream(*self._span(number))
            row[1 : len(body) + 1] = body
            row[len(body) + 1] = self.vocabulary.sep_id
        return ids

    def documents(self, number: int) -> range:
        """Return the documents of which a sequence holds tokens, as rows of the corpus."""
        start, stop = self._span(number)
        return range(self._document(start), self._document(stop - 1) + 1)

    def _span(self, number: int) -> tuple[int, int]:
        start = number * self._body
        return start, min(start + self._body, self._stream_length)

    def _document(self, position: int) -> int:
        """Return the document that holds a position of the stream: it starts d [SEP]s later."""
        offsets = self.tokens.offsets
        documents = range(self.tokens.documents)
        return bisect.bisect_right(documents, position, key=lambda d: int(offsets[d]) + d) - 1

    def _stream(self, start: int, stop: int) -> npt.NDArray[np.int64]:
        offsets, ids = self.tokens.offsets, self.tokens.ids
        held = np.arange(self._document(start), self._document(stop - 1) + 1)
        position = np.arange(start, stop)
        document = held[np.searchsorted(offsets[held] + held, position, side="right") - 1]
        is_token = position < offsets[document + 1] + document  # else its [SEP]
        stream = np.full(stop - start, self.vocabulary.sep_id, np.int64)
        stream[is_token] = ids[(position - document)[is_token]]
        return stream


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
