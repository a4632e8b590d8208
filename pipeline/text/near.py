"""Near-duplicates in linear time: MinHash signatures and locality-sensitive hashing.

The Jaccard similarity of two texts' word 3-shingles is the probability that the least hashes of
their shingles agree (Broder 1997). A signature is `HASHES` such minima, of which 16 bits each are
kept (Li and König 2010). Two texts are compared where one of the `_BANDS` bands of their signatures
agrees, which happens at similarity s with probability 1 - (1 - s^5)^25: 0.9999 at s = 0.8.

The similarity is then estimated as the share of minima that agree, with a standard deviation of
0.036 at s = 0.8: pairs at the threshold are found half of the time, those 0.1 above it nearly
always.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.text.words import I64, U64, Words, hash_runs, mix

Signatures = npt.NDArray[np.uint16]

SHINGLE_WORDS = 3
_BANDS, _ROWS = 25, 5
HASHES = _BANDS * _ROWS
_SEED = 20260101  # of the hash functions: signatures of two runs must agree
_ROW_BYTES = 2 * HASHES
_CHUNK_ROWS = 1 << 14  # signatures in memory at a time


def minhash(words: Words) -> Signatures:
    """Return the MinHash signature of each text, (D, HASHES); all bits are set for one of no words.

    A text of fewer words than a shingle has one shingle: itself.
    """
    shingles, owners_start = _shingles(words)
    signatures = np.full((len(words.counts), HASHES), 0xFFFF, np.uint16)
    with_words = np.flatnonzero(words.counts)
    factors, terms = _hash_functions()
    for column in range(HASHES if len(with_words) else 0):
        hashed = (shingles * factors[column] + terms[column]) >> np.uint64(32)
        minima = np.minimum.reduceat(hashed, owners_start[with_words])
        signatures[with_words, column] = minima.astype(np.uint16)  # the low 16 bits
    return signatures


class SignatureStore:
    """The signatures of any number of texts, in a nameless temporary file."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - `__exit__` closes it
        self.rows = 0

    def __enter__(self) -> "SignatureStore":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, signatures: Signatures) -> None:
        """Append the signatures (D, HASHES) of the next texts."""
        self._file.write(signatures.tobytes())
        self.rows += len(signatures)

    def band(self, number: int) -> U64:
        """Return the key of a band of each signature, (rows,)."""
        columns = slice(number * _ROWS, (number + 1) * _ROWS)
        keys = np.empty(self.rows, np.uint64)
        for start, chunk in self._chunks():
            keys[start : start + len(chunk)] = _band_keys(chunk[:, columns])
        return keys

    def take(self, rows: I64) -> Signatures:
        """Return the signatures of some rows."""
        self._file.flush()
        places = (rows * _ROW_BYTES).tolist()
        read = b"".join(os.pread(self._file.fileno(), _ROW_BYTES, place) for place in places)
        return np.frombuffer(read, np.uint16).reshape(-1, HASHES)

    def _chunks(self) -> Iterator[tuple[int, Signatures]]:
        self._file.seek(0)
        for start in range(0, self.rows, _CHUNK_ROWS):
            read = self._file.read(_CHUNK_ROWS * _ROW_BYTES)
            yield start, np.frombuffer(read, np.uint16).reshape(-1, HASHES)


def find_near(signatures: SignatureStore, compared: npt.NDArray[np.bool_], jaccard: float) -> I64:
    """Return for each row an earlier row whose estimated similarity is at least ``jaccard``, or -1.

    Only rows ``compared`` take part. In each band's bucket the first row stands for the bucket, so
    that the work is linear in the rows.
    """
    rows = np.flatnonzero(compared)
    near = np.full(signatures.rows, -1, np.int64)
    for band in range(_BANDS):
        keys = signatures.band(band)[rows]
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        first_at = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        sizes = np.diff(np.concatenate([first_at, [len(rows)]]))
        leaders = rows[np.repeat(order[first_at], sizes)] if len(rows) else rows
        members = rows[order]
        open_pairs = (members != leaders) & (near[members] < 0)
        members, leaders = members[open_pairs], leaders[open_pairs]
        alike = _agreement(signatures, members, leaders) >= jaccard
        near[members[alike]] = leaders[alike]
    return near


def _shingles(words: Words) -> tuple[U64, I64]:
    """Return the texts' shingles, one text after another, and where each text's begin, (D,)."""
    lengths = np.minimum(words.counts, SHINGLE_WORDS)
    per_text = np.where(words.counts > 0, words.counts - lengths + 1, 0)
    owners_start = np.cumsum(per_text) - per_text
    offsets = np.arange(per_text.sum()) - np.repeat(owners_start, per_text)
    starts = np.repeat(words.starts[:-1], per_text) + offsets
    return hash_runs(words, starts, np.repeat(lengths, per_text)), owners_start


def _hash_functions() -> tuple[U64, U64]:
    seeds = np.arange(2 * HASHES, dtype=np.uint64) + np.uint64(_SEED)
    factors, terms = mix(mix(seeds)).reshape(2, HASHES)
    return factors | np.uint64(1), terms


def _band_keys(band: Signatures) -> U64:
    keys = np.zeros(len(band), np.uint64)
    for column in band.T:
        keys = mix(keys ^ column.astype(np.uint64))
    return keys


def _agreement(signatures: SignatureStore, rows: I64, others: I64) -> npt.NDArray[np.float64]:
    chunks = (slice(at, at + _CHUNK_ROWS) for at in range(0, len(rows), _CHUNK_ROWS))
    parts = [
        (signatures.take(rows[at]) == signatures.take(others[at])).mean(axis=1) for at in chunks
    ]
    return np.concatenate(parts) if parts else np.zeros(0)
