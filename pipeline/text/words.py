"""The words of many texts as 64-bit hashes in one array, on which texts are compared.

A word is a run of ASCII letters and digits and of other alphabets' characters; all else separates
words. The hash of a run of words is a polynomial in the words' hashes modulo 2^64 (Karp and Rabin
1987), taken for every position from one cumulative sum.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

_BYTE_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2^64
_WORD_BASE = 0xD1342543DE82EF95


@dataclass(frozen=True)
class Words:
    """The words of D texts, one after another."""

    hashes: U64  # (N,)
    starts: I64  # (D + 1,): text d has the words starts[d]:starts[d + 1]

    @property
    def counts(self) -> I64:
        """The number of words in each text, (D,)."""
        return np.diff(self.starts)

    def texts_of(self, positions: I64) -> I64:
        """Return which text each word position lies in."""
        return np.searchsorted(self.starts, positions, side="right") - 1


def encode(texts: Sequence[str]) -> tuple[Bytes, I64]:
    """Return the texts' UTF-8 bytes, a newline after each, and where each begins, (D + 1,)."""
    encoded = [text.encode() for text in texts]
    lengths = np.fromiter((len(part) + 1 for part in encoded), np.int64, len(encoded))
    buffer = np.frombuffer(b"\n".join([*encoded, b""]), np.uint8)
    return buffer, np.concatenate([[0], np.cumsum(lengths)])


def split_words(texts: Sequence[str]) -> Words:
    """Return the hashed words of normalised texts."""
    buffer, text_starts = encode(texts)
    inside = np.concatenate([[False], _is_word(buffer), [False]])
    starts = np.flatnonzero(~inside[:-1] & inside[1:])
    ends = np.flatnonzero(inside[:-1] & ~inside[1:])
    hashes = _run_hashes(buffer.astype(np.uint64) + np.uint64(1), starts, ends, _BYTE_BASE)
    return Words(hashes, np.searchsorted(starts, text_starts))


def hash_runs(words: Words, starts: I64, lengths: I64 | int) -> U64:
    """Return the hash of the run of ``lengths`` words at each of ``starts``."""
    return _run_hashes(words.hashes, starts, starts + lengths, _WORD_BASE)


def run_starts(words: Words, length: int) -> I64:
    """Return every position at which a run of ``length`` words lies within one text."""
    positions = np.arange(len(words.hashes))
    ends = np.repeat(words.starts[1:], words.counts)
    return positions[positions + length <= ends]


def mix(values: U64) -> U64:
    """Spread 64 bits over 64 bits: the finaliser of SplitMix64 (Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _is_word(buffer: Bytes) -> npt.NDArray[np.bool_]:
    alnum = np.zeros(256, np.bool_)
    alnum[[*range(48, 58), *range(65, 91), *range(97, 123), *range(128, 256)]] = True
    inside = alnum[buffer]
    # General punctuation, U+2000 to U+207F, is E2 80 xx and E2 81 xx in UTF-8.
    lead = np.flatnonzero((buffer[:-2] == 0xE2) & ((buffer[1:-1] & 0xFE) == 0x80))
    for offset in range(3):
        inside[lead + offset] = False
    return inside


def _run_hashes(values: U64, starts: I64, ends: I64, base: int) -> U64:
    """Hash values[start:end] for each pair: sum of values[i] base^(i - start), mixed."""
    powers = _powers(base, len(values))
    inverses = _powers(pow(base, -1, 1 << 64), len(values))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(values * powers)])
    return mix((sums[ends] - sums[starts]) * inverses[starts])


def _powers(base: int, count: int) -> U64:
    factors = np.full(count + 1, base, np.uint64)
    factors[0] = 1
    return np.cumprod(factors)[:count]
