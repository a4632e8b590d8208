"""Texts found inside other texts by shared runs of words (Brown et al. 2020, appendix C)."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.text.words import I64, U64, Words, hash_runs, run_starts

_SHORTEST_RUN = 8  # words: shorter runs match by chance (Brown et al. 2020, appendix C)
_FILTER_BITS = 24


@dataclass(frozen=True)
class Runs:
    """Hashed runs of one length, and the row each is from."""

    hashes: U64  # (R,), sorted
    rows: I64  # (R,)
    seen: npt.NDArray[np.bool_]  # by the hash's top bits: a quick no


def index_runs(batches: Iterable[tuple[Words, I64]], run_words: int) -> dict[int, Runs]:
    """Return the runs to look for, by their length in words; batches come with their row numbers.

    A text of at least ``run_words`` words gives all its runs of that length; a shorter text of at
    least 8 words gives one run, the whole text; a still shorter one gives none, because a few words
    match by chance.
    """
    found: dict[int, list[tuple[U64, I64]]] = {}
    for words, rows in batches:
        for length in range(min(_SHORTEST_RUN, run_words), run_words + 1):
            starts = run_starts(words, length)
            texts = words.texts_of(starts)
            whole = (words.counts[texts] == length) | (length == run_words)
            hashes = hash_runs(words, starts[whole], length)
            found.setdefault(length, []).append((hashes, rows[texts[whole]]))
    return {length: _sorted_runs(parts) for length, parts in found.items()}


def find_runs(words: Words, index: dict[int, Runs]) -> I64:
    """Return for each text a row of the index with which it shares a run, or -1, (D,)."""
    found = np.full(len(words.counts), -1, np.int64)
    for length, runs in index.items():
        if not len(runs.hashes):
            continue
        starts = run_starts(words, length)
        hashes = hash_runs(words, starts, length)
        likely = np.flatnonzero(runs.seen[hashes >> np.uint64(64 - _FILTER_BITS)])
        at = np.searchsorted(runs.hashes, hashes[likely])
        at = np.minimum(at, len(runs.hashes) - 1)
        met = runs.hashes[at] == hashes[likely]
        found[words.texts_of(starts[likely[met]])] = runs.rows[at[met]]
    return found


def _sorted_runs(parts: list[tuple[U64, I64]]) -> Runs:
    hashes = np.concatenate([part[0] for part in parts])
    rows = np.concatenate([part[1] for part in parts])
    order = np.argsort(hashes, kind="stable")
    seen = np.zeros(1 << _FILTER_BITS, np.bool_)
    seen[hashes >> np.uint64(64 - _FILTER_BITS)] = True
    return Runs(hashes[order], rows[order], seen)
