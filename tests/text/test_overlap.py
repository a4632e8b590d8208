"""Against brute force: every run of words of every text, as tuples."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text.overlap import find_runs, index_runs
from pipeline.text.words import split_words

WORDS = st.lists(st.sampled_from(["a", "b"]), max_size=20).map(" ".join)


def leaks(labelled: list[str], document: str, run: int) -> bool:
    words = document.split()
    for text in labelled:
        sought = text.split()
        length = run if len(sought) >= run else len(sought)
        if length < min(8, run):
            continue
        runs = {tuple(sought[at : at + length]) for at in range(len(sought) - length + 1)}
        if any(tuple(words[at : at + length]) in runs for at in range(len(words) - length + 1)):
            return True
    return False


@given(st.lists(WORDS, min_size=1, max_size=4), st.lists(WORDS, min_size=1, max_size=4))
def test_a_document_leaks_exactly_where_brute_force_finds_a_run(
    labelled: list[str], documents: list[str]
) -> None:
    rows = np.arange(len(labelled)) + 7
    index = index_runs([(split_words(labelled), rows)], 10)
    found = find_runs(split_words(documents), index)
    assert (found >= 0).tolist() == [leaks(labelled, text, 10) for text in documents]


def test_the_row_named_is_one_that_shares_the_run() -> None:
    texts = ["one two three four five six seven eight nine", "a b c d e f g h i j k l m n"]
    index = index_runs([(split_words(texts), np.array([40, 50]))], 13)
    documents = ["so b c d e f g h i j k l m n it was", "one two three", f"he said {texts[0]} too"]
    assert find_runs(split_words(documents), index).tolist() == [50, -1, 40]


def test_punctuation_and_batches_make_no_difference() -> None:
    parts = [(split_words(["x"]), np.array([0])), (split_words(["a b c d e f g h"]), np.array([1]))]
    found = find_runs(split_words(["A: a, b; c (d) e - f. g! h?"]), index_runs(parts, 13))
    assert found.tolist() == [1]
