"""Masks against the shares that BERT's paper states, with binomial bounds, and by hand."""

from dataclasses import replace

import numpy as np
import pytest
from toy_model import VOCABULARY, toy_packing, whole_rows

from pipeline.encoder.masking import UNUSED, MaskedBatch, mask_tokens
from pipeline.encoder.tokens import Vocabulary

LARGE = Vocabulary(size=1000, pad_id=0, cls_id=2, sep_id=3, mask_id=4, special_ids=(0, 1, 2, 3, 4))


def _rows(rows: int = 400, length: int = 128) -> np.ndarray:
    """Rows of ordinary tokens with [CLS], two [SEP]s and, in every tenth row, much padding."""
    ids = np.random.default_rng(0).integers(5, LARGE.size, (rows, length))
    ids[:, 0], ids[:, 60], ids[:, -1] = LARGE.cls_id, LARGE.sep_id, LARGE.sep_id
    ids[::10, 30:] = LARGE.pad_id
    return ids


def _used(ids: np.ndarray, batch: MaskedBatch) -> tuple[np.ndarray, np.ndarray]:
    """Original and seen ids at the slots in use."""
    used = batch.labels != UNUSED
    original = np.take_along_axis(ids, batch.positions, 1)[used]
    return original, np.take_along_axis(batch.ids, batch.positions, 1)[used]


@pytest.mark.parametrize("rate", [0.15, 0.4])
def test_each_row_gives_the_rate_of_its_ordinary_tokens(rate: float) -> None:
    ids = _rows()
    batch = mask_tokens(whole_rows(ids), LARGE, rate, [1])
    ordinary = (~np.isin(ids, LARGE.special_ids)).sum(1)
    chosen = (batch.labels != UNUSED).sum(1)
    np.testing.assert_array_equal(chosen, np.rint(rate * ordinary))


def test_no_special_token_is_chosen_drawn_or_a_label() -> None:
    ids = _rows()
    batch = mask_tokens(whole_rows(ids), LARGE, 0.5, [1])
    original, seen = _used(ids, batch)
    assert not np.isin(original, LARGE.special_ids).any()
    assert not np.isin(seen[seen != LARGE.mask_id], LARGE.special_ids).any()
    assert not np.isin(batch.labels[batch.labels != UNUSED], LARGE.special_ids).any()


def test_80_percent_become_mask_10_random_10_stay() -> None:
    """Four standard errors of a binomial share; a random token is the old one in 1 of 995."""
    ids = _rows(2000)
    original, seen = _used(ids, mask_tokens(whole_rows(ids), LARGE, 0.15, [1]))
    n = len(seen)
    masked = seen == LARGE.mask_id
    kept = ~masked & (seen == original)
    for share, expected in ((masked.mean(), 0.8), (kept.mean(), 0.1 + 0.1 / 995)):
        assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / n)


def test_random_tokens_are_spread_over_the_ordinary_vocabulary() -> None:
    ids = np.full((2000, 34), 7)
    _, seen = _used(ids, mask_tokens(whole_rows(ids), VOCABULARY, 0.9, [1]))
    drawn = seen[(seen != VOCABULARY.mask_id) & (seen != 7)]
    counts = np.bincount(drawn, minlength=50)[[i for i in range(5, 50) if i != 7]]
    expected = len(drawn) / 44
    assert abs(counts - expected).max() < 5 * np.sqrt(expected)


def test_every_position_is_masked_equally_often() -> None:
    ids = np.full((4000, 22), 7)
    ids[:, 0], ids[:, -1] = VOCABULARY.cls_id, VOCABULARY.sep_id
    batch = mask_tokens(whole_rows(ids), VOCABULARY, 0.15, [1])
    counts = np.bincount(batch.positions[batch.labels != UNUSED], minlength=22)
    assert counts[0] == counts[-1] == 0
    expected = 4000 * 3 / 20
    assert abs(counts[1:-1] - expected).max() < 4 * np.sqrt(expected)


def test_kept_and_all_other_chosen_tokens_are_to_be_guessed() -> None:
    ids = _rows(200)
    batch = mask_tokens(whole_rows(ids), LARGE, 0.15, [1])
    original, seen = _used(ids, batch)
    np.testing.assert_array_equal(batch.labels[batch.labels != UNUSED], original)
    assert (original == seen).any()  # some are kept, and they have labels


def test_outside_the_slots_in_use_nothing_changes() -> None:
    ids = _rows()
    batch = mask_tokens(whole_rows(ids), LARGE, 0.15, [1])
    changed = np.zeros(ids.shape, bool)
    np.put_along_axis(changed, batch.positions, batch.labels != UNUSED, 1)
    np.testing.assert_array_equal(batch.ids[~changed], ids[~changed])
    np.testing.assert_array_equal(batch.segments, ids != LARGE.pad_id)


def test_masks_are_a_function_of_the_key() -> None:
    ids = toy_packing().rows(np.arange(8)).ids
    one, same, other = (
        mask_tokens(whole_rows(ids), VOCABULARY, 0.15, key) for key in ([1, 5], [1, 5], [1, 6])
    )
    np.testing.assert_array_equal(one.ids, same.ids)
    np.testing.assert_array_equal(one.positions, same.positions)
    assert (one.positions != other.positions).any()


def test_every_batch_has_the_same_shapes() -> None:
    packing = toy_packing()
    last, first = packing.rows(np.array([packing.sequences - 1])), packing.rows(np.array([0]))
    assert (last.segments == 0).any()
    shapes = {mask_tokens(rows, VOCABULARY, 0.15, [1]).positions.shape for rows in (last, first)}
    assert len(shapes) == 1


def test_a_row_of_one_ordinary_token_gives_it_and_a_row_of_none_gives_none() -> None:
    ids = np.array([[2, 9, 3, 0, 0, 0], [2, 3, 3, 0, 0, 0]])
    batch = mask_tokens(whole_rows(ids), VOCABULARY, 0.15, [1])
    assert batch.positions[0].tolist() == [1]
    assert batch.labels.tolist() == [[9], [UNUSED]]
    assert (batch.guesses, batch.tokens) == (1, 6)


def test_parts_put_together_are_the_whole() -> None:
    batch = mask_tokens(whole_rows(_rows(10)), LARGE, 0.15, [1])
    parts = list(batch.split(3))
    for name in ("ids", "segments", "positions", "labels"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(joined, getattr(batch, name))


def test_every_token_of_a_whole_word_is_chosen_or_none_is() -> None:
    """Words of one to four tokens, the ids from 500 on going on with the word before them."""
    rng = np.random.default_rng(0)
    words = [
        [rng.integers(5, 500), *rng.integers(500, 1000, rng.integers(0, 4))] for _ in range(9000)
    ]
    stream = np.array([token for word in words for token in word])[: 150 * 100].reshape(150, 100)
    stream[:, 0] = rng.integers(5, 500, 150)
    vocabulary = replace(LARGE, continuing_ids=tuple(range(500, 1000)))
    batch = mask_tokens(whole_rows(stream), vocabulary, 0.15, [1], whole_words=True)
    chosen = np.zeros(stream.shape, bool)
    np.put_along_axis(chosen, batch.positions, batch.labels != UNUSED, 1)
    word = np.cumsum(stream < 500, axis=1)
    for row in range(150):
        shares = np.bincount(word[row], chosen[row])[1:] / np.bincount(word[row])[1:]
        assert set(shares.tolist()) <= {0.0, 1.0}
    counts = chosen.sum(1)
    assert counts.max() <= 15
    assert (
        counts.mean() > 13
    )  # at most a word of four is left out at the end: 1.1 tokens on average


def test_a_word_longer_than_the_count_gives_a_part_of_itself() -> None:
    ids = np.array([[2, 9, 600, 601, 602, 3]])
    vocabulary = replace(LARGE, continuing_ids=(600, 601, 602))
    batch = mask_tokens(whole_rows(ids), vocabulary, 0.5, [1], whole_words=True)
    assert batch.guesses == 2


def test_without_whole_words_pieces_are_chosen_alone() -> None:
    ids = np.tile(np.array([9, 600]), (200, 32))
    vocabulary = replace(LARGE, continuing_ids=(600,))
    batch = mask_tokens(whole_rows(ids), vocabulary, 0.15, [1])
    pairs = np.sort(batch.positions, axis=1) // 2
    assert any(len(set(row)) == len(row) for row in pairs.tolist())
