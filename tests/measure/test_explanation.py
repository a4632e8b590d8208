"""Against counts by hand."""

import math

import numpy as np

from pipeline.measure.explanation import choose_words, rank_correlation, top_terms


def test_the_words_erased_are_those_of_the_greatest_shares() -> None:
    shares = np.array([0.1, -0.9, 0.4, 0.4, 0.0, 0.3, 0.2, -0.1, 0.05, 0.01])
    chosen = [np.flatnonzero(words).tolist() for words in choose_words(shares)]
    assert chosen == [[2], [2, 3], [0, 2, 3, 5, 6]]
    assert [words.tolist() for words in choose_words(np.array([-1.0]))] == [[True]] * 3


def test_a_correlation_of_nothing_is_undefined() -> None:
    one = np.array([0.1, 0.5, 0.3])
    assert rank_correlation(one, one**3) == 1
    assert rank_correlation(one, -one) == -1
    assert math.isnan(rank_correlation(one, np.zeros(3)))
    assert math.isnan(rank_correlation(one[:2], one[:2]))


def test_terms_add_up_over_the_texts_that_are_answered_with_their_label() -> None:
    texts = [{"good": 0.5, "a": -0.1}, {"good": 0.2, "a": 0.3}, {"good": 0.9, "bad": 0.4}]
    found = top_terms(("no", "yes", "never"), [1, 1, 0], texts)
    assert [(t.word, t.texts, round(t.share, 9)) for t in found["yes"]] == [
        ("good", 2, 0.7),
        ("a", 2, 0.2),
    ]
    assert [t.word for t in found["no"]] == ["good", "bad"]
    assert found["never"] == ()
