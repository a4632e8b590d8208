"""Against Python's own splitting: equal hashes exactly where the words are equal."""

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.encoder import batches
from pipeline.text.words import hash_runs, mix, run_starts, split_words

TEXTS = st.lists(st.text("ab é.' \n”", max_size=12), min_size=1, max_size=6)


def split(text: str) -> list[str]:
    return re.findall(r"[a-z0-9é]+", text)


@given(TEXTS)
def test_words_are_those_of_a_plain_split(texts: list[str]) -> None:
    words = split_words(texts)
    expected = [split(text) for text in texts]
    assert words.counts.tolist() == [len(found) for found in expected]
    flat = [word for found in expected for word in found]
    same = np.equal.outer(words.hashes, words.hashes)
    assert same.tolist() == [[a == b for b in flat] for a in flat]


@given(TEXTS, st.integers(1, 4))
def test_runs_are_equal_where_their_words_are_and_never_cross_texts(
    texts: list[str], length: int
) -> None:
    words = split_words(texts)
    starts = run_starts(words, length)
    runs = [
        (number, tuple(found[at : at + length]))
        for number, found in enumerate(map(split, texts))
        for at in range(len(found) - length + 1)
    ]
    assert words.texts_of(starts).tolist() == [number for number, _ in runs]
    hashes = hash_runs(words, starts, length)
    same = np.equal.outer(hashes, hashes)
    assert same.tolist() == [[a == b for _, b in runs] for _, a in runs]


def test_the_order_of_words_matters() -> None:
    words = split_words(["man bites dog", "dog bites man"])
    first, second = hash_runs(words, np.array([0, 3]), 3)
    assert first != second


def test_the_mixers_of_text_and_encoder_equal_splitmix64() -> None:
    """Its first outputs from seed 0: text and encoder, which import nothing of each other's."""
    states = np.arange(1, 4, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert mix(states).tolist() == batches._mix(states).tolist() == published
