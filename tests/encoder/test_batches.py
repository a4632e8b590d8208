"""Packing against the stream written out in a list, and the order against what a permutation is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_model import VOCABULARY, toy_packing

from pipeline.encoder.batches import Packing, step_sequences
from pipeline.encoder.tokens import Tokens

PAD, CLS, SEP = VOCABULARY.pad_id, VOCABULARY.cls_id, VOCABULARY.sep_id


def _packing(documents: list[list[int]], seq_len_tokens: int) -> Packing:
    ids = np.array([token for document in documents for token in document], np.uint16)
    offsets = np.cumsum([0, *(len(document) for document in documents)])
    return Packing(Tokens(ids, offsets), VOCABULARY, seq_len_tokens)


def test_two_documents_packed_by_hand() -> None:
    packing = _packing([[10, 11, 12], [20, 21]], seq_len_tokens=6)
    ids, segments = packing.rows(np.arange(packing.sequences))
    assert ids.tolist() == [[CLS, 10, 11, 12, SEP, CLS], [20, 21, SEP, PAD, PAD, PAD]]
    assert segments.tolist() == [[1, 1, 1, 1, 1, 2], [1, 1, 1, 0, 0, 0]]
    assert [list(packing.documents(number)) for number in (0, 1)] == [[0, 1], [1]]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.lists(st.integers(5, 49), max_size=12), min_size=1, max_size=12),
    st.integers(3, 9),
)
def test_sequences_together_are_the_stream_and_know_their_documents(
    documents: list[list[int]], seq_len_tokens: int
) -> None:
    packing = _packing(documents, seq_len_tokens)
    stream = [(t, d) for d, document in enumerate(documents) for t in [CLS, *document, SEP]]
    numbers = np.arange(packing.sequences)
    for number, ids, segments in zip(numbers, *packing.rows(numbers), strict=True):
        expected = stream[number * seq_len_tokens : (number + 1) * seq_len_tokens]
        padding = [0] * (seq_len_tokens - len(expected))
        assert ids.tolist() == [token for token, _ in expected] + [PAD] * len(padding)
        first = expected[0][1]
        assert segments.tolist() == [d - first + 1 for _, d in expected] + padding
        assert set(packing.documents(number)) == {document for _, document in expected}
    length = len(stream)
    assert (packing.sequences - 1) * seq_len_tokens < length <= packing.sequences * seq_len_tokens


def test_only_the_last_sequence_is_padded() -> None:
    packing = toy_packing()
    rows = packing.rows(np.arange(packing.sequences))
    assert not (rows.segments[:-1] == 0).any()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 300), st.integers(5, 40), st.integers(0, 2**40))
def test_each_sequence_comes_once_an_epoch(total: int, batch: int, seed: int) -> None:
    steps = -(-2 * total // batch)
    drawn = np.concatenate([step_sequences(step, batch, total, seed) for step in range(steps)])
    for epoch in (drawn[:total], drawn[total : 2 * total]):
        assert sorted(epoch.tolist()) == list(range(total))


def test_the_order_of_a_step_needs_no_step_before_it() -> None:
    forwards = [step_sequences(step, 8, 1000, seed=3).tolist() for step in range(300)]
    backwards = [step_sequences(step, 8, 1000, seed=3).tolist() for step in reversed(range(300))]
    assert forwards == backwards[::-1]


def test_seeds_and_epochs_have_orders_of_their_own() -> None:
    first = step_sequences(0, 1000, 1000, seed=1)
    second_epoch = step_sequences(1, 1000, 1000, seed=1)
    other_seed = step_sequences(0, 1000, 1000, seed=2)
    for other in (second_epoch, other_seed, np.arange(1000)):
        assert (first == other).mean() < 0.02  # a random permutation agrees in 1 of 1000


def test_every_sequence_is_as_likely_at_the_first_place() -> None:
    """Chi-squared of 700 seeds over 7 sequences: above 27.9 has probability 1e-4 at 6 degrees."""
    counts = np.bincount([step_sequences(0, 1, 7, seed)[0] for seed in range(700)], minlength=7)
    assert ((counts - 100) ** 2 / (100)).sum() < 27.9


def test_neighbours_in_the_corpus_are_no_neighbours_in_the_order() -> None:
    order = step_sequences(0, 5000, 5000, seed=1)
    assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.06  # 4 standard errors


@pytest.mark.parametrize("total", [1, 2, 3])
def test_a_corpus_smaller_than_a_batch_is_repeated(total: int) -> None:
    drawn = step_sequences(0, 6, total, seed=1)
    assert np.bincount(drawn, minlength=total).tolist() == [6 // total] * total
