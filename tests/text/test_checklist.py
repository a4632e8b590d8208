"""Sentences by hand, and invariants on made-up texts."""

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text import checklist


@given(st.text(max_size=60))
def test_a_typo_is_one_exchange_of_different_neighbours(text: str) -> None:
    changed = checklist.add_typo(text)
    assert checklist.add_typo(text) == changed
    if changed is None:
        letters = itertools.pairwise(text)
        assert not any(
            a.isalpha() and b.isalpha() and a.casefold() != b.casefold() for a, b in letters
        )
        return
    moved = [i for i, (a, b) in enumerate(zip(text, changed, strict=True)) if a != b]
    assert len(moved) == 2
    assert moved[1] == moved[0] + 1
    assert Counter(text) == Counter(changed)


def test_typos_fall_on_different_places_of_different_texts() -> None:
    """The place follows from the text: 40 texts of equal length have it in many places."""
    texts = [f"abcdefghijklmnop {i:02}" for i in range(40)]
    changed = [checklist.add_typo(text) for text in texts]
    places = {
        next(i for i, (a, b) in enumerate(zip(text, new, strict=True)) if a != b)
        for text, new in zip(texts, changed, strict=True)
        if new is not None
    }
    assert len(places) > 8


@pytest.mark.parametrize("text", ["", "a", "12 34", "aa", "a b c", "Aa!"])
def test_a_text_without_two_different_letters_side_by_side_has_no_typo(text: str) -> None:
    assert checklist.add_typo(text) is None


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("A fine film.", "A FINE FILM."),
        ("A FINE FILM.", "a fine film."),
        ("7/10 :-)", None),
        ("电影", None),
    ],
)
def test_a_text_with_letters_is_put_in_the_other_case(text: str, changed: str | None) -> None:
    assert checklist.change_case(text) == changed


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("The film is good.", "The film is not good."),
        ("you will love it", "you will not love it"),
        ("The plot was, well, thin.", None),  # no word follows at once
        ("It is good and was cheap.", None),  # which of them?
        ("It isn't good.", None),
        ("It is never good.", None),
        ("Is it good? It is great", None),
        ("A good film.", None),
        ("The is-ought problem", None),
        ("Nobody would buy it.", None),
    ],
)
def test_not_is_added_after_the_only_verb_that_takes_it(text: str, changed: str | None) -> None:
    assert checklist.add_negation(text) == changed


@given(st.text(alphabet="is a good no't?. ", max_size=40))
def test_a_negated_text_is_negated_once(text: str) -> None:
    changed = checklist.add_negation(text)
    if changed is not None:
        assert changed in {f"{text[:i]} not{text[i:]}" for i in range(len(text))}
        assert checklist.add_negation(changed) is None
