"""Against brute force: the Jaccard similarity of word 3-shingles, for every pair."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.text import near
from pipeline.text.near import HASHES, SignatureStore, find_near, minhash
from pipeline.text.words import I64, split_words

THRESHOLD = 0.8


def shingles(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[at : at + 3]) for at in range(len(words) - 2)}


def jaccard(one: str, other: str) -> float:
    a, b = shingles(one), shingles(other)
    return len(a & b) / len(a | b)


def make_pairs(count: int) -> list[tuple[str, str]]:
    """Pairs of 60-word texts, the second with some words changed."""
    draw = random.Random(1)
    pairs = []
    for _ in range(count):
        words = [f"w{draw.randrange(5000)}" for _ in range(60)]
        changed = list(words)
        for _ in range(draw.randrange(6)):
            changed[draw.randrange(60)] = f"x{draw.randrange(5000)}"
        pairs.append((" ".join(words), " ".join(changed)))
    return pairs


@pytest.fixture
def signatures(tmp_path: Path) -> Iterator[SignatureStore]:
    with SignatureStore(tmp_path / "work") as opened:
        yield opened


def find(signatures: SignatureStore, texts: Sequence[str], compared: npt.NDArray[np.bool_]) -> I64:
    signatures.add(minhash(split_words(texts)))
    return find_near(signatures, compared, THRESHOLD)


@pytest.fixture(scope="module")
def pairs() -> list[tuple[str, str]]:
    return make_pairs(400)


def test_the_share_of_equal_minima_estimates_jaccard_without_bias(
    pairs: list[tuple[str, str]],
) -> None:
    first = minhash(split_words([pair[0] for pair in pairs]))
    second = minhash(split_words([pair[1] for pair in pairs]))
    true = np.array([jaccard(*pair) for pair in pairs])
    errors = (first == second).mean(axis=1) - true
    # Each estimate is binomial of HASHES draws; their mean over the pairs is within 4 deviations.
    deviation = np.sqrt((true * (1 - true) / HASHES).sum()) / len(pairs)
    assert abs(errors.mean()) < 4 * deviation
    assert errors.std() < 1.3 * np.sqrt((true * (1 - true) / HASHES).mean())


def test_recall_and_precision_are_those_that_the_docstring_states(
    pairs: list[tuple[str, str]], signatures: SignatureStore
) -> None:
    texts = [text for pair in pairs for text in pair]
    near = find(signatures, texts, np.ones(len(texts), np.bool_))
    true = np.array([jaccard(*pair) for pair in pairs])
    found = near[1::2] == np.arange(0, len(texts), 2)
    assert (true > THRESHOLD + 0.1).sum() > 100
    assert found[true > THRESHOLD + 0.1].mean() > 0.98
    assert not found[true < THRESHOLD - 0.15].any()
    assert (near[::2] == -1).all()  # the first of a pair has no earlier likeness


def test_a_row_that_takes_no_part_is_neither_found_nor_found_like(
    signatures: SignatureStore,
) -> None:
    found = find(signatures, ["one two three four"] * 3, np.array([False, True, True]))
    assert found.tolist() == [-1, -1, 1]


def test_texts_shorter_than_a_shingle_are_compared_whole(signatures: SignatureStore) -> None:
    texts = ["very good", "very good", "very bad", ""]
    assert find(signatures, texts, np.array([True, True, True, False])).tolist() == [-1, 0, -1, -1]


def test_signatures_that_are_read_in_chunks_are_those_that_were_added(
    signatures: SignatureStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks of 7 rows, added 10 at a time: against one array of all."""
    monkeypatch.setattr(near, "_CHUNK_ROWS", 7)
    added = np.random.default_rng(0).integers(0, 1 << 16, (30, HASHES)).astype(np.uint16)
    keys = []
    for start in range(0, 30, 10):
        signatures.add(added[start : start + 10])
        keys = signatures.band(3)  # reading between two additions moves none
    assert len(set(keys.tolist())) == 30
    assert (signatures.take(np.array([29, 0, 7, 7])) == added[[29, 0, 7, 7]]).all()
    with SignatureStore(tmp_path) as other:
        other.add(added[::-1])
        assert other.band(3).tolist() == keys[::-1].tolist()


def test_signatures_leave_no_file_behind(tmp_path: Path) -> None:
    with SignatureStore(tmp_path) as opened:
        opened.add(minhash(split_words(["one two three"])))
    assert not list(tmp_path.iterdir())
