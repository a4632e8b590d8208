"""The made documents against what they are said to be: the same each time, and partly unfit."""

import itertools

from benchmarks.data import synthesise_texts

SENTENCES = [f"Sentence {number} was here." for number in range(500)]


def test_the_documents_are_the_same_each_time_and_about_four_in_a_hundred_are_unfit() -> None:
    one, other = (
        list(itertools.islice(synthesise_texts(SENTENCES, ["LEAK"]), 2000)) for _ in range(2)
    )
    assert one == other
    copies = sum(text == before for before, text in itertools.pairwise(one))
    damaged = sum("\N{REPLACEMENT CHARACTER}" in text for text in one)
    leaks = sum(text.endswith("LEAK") for text in one)
    assert all(8 < count < 40 for count in (copies, damaged, leaks))  # 20 expected, within 3 sd
