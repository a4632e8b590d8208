"""Against sentences swapped by hand, and against itself: swapping twice gives the text back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text import gender_swap, identity

# Each has two counterparts, or one that is not its own.
ONE_WAY = {"her", "his", "him", "hers", "mrs"}


@pytest.mark.parametrize(
    ("text", "swapped"),
    [
        ("He gave the actress a ring.", "She gave the actor a ring."),
        ("MR. BIG and Mrs Small", "MS. BIG and Mr Small"),
        ("Her film moved him.", "His film moved her."),
        ("I told her that her brother left.", "I told him that his sister left."),
        ("The part is hers, not his.", "The part is his, not hers."),
        ("I saw HER!", "I saw HIM!"),
        ("He's good; the woman's hat isn't.", "She's good; the man's hat isn't."),
        ("his/her phone", "her/his phone"),
        ('He likes her "art".', 'She likes his "art".'),
        ("a king-size bed", "a king-size bed"),
        ("Sir, yes ma'am", "Ma'am, yes sir"),
        ("The human manager, a mango, the sheet", "The human manager, a mango, the sheet"),
    ],
)
def test_sentences_are_swapped_as_by_hand(text: str, swapped: str) -> None:
    assert gender_swap.swap(text) == swapped
    assert gender_swap.has_term(text) == (text != swapped)


@given(
    st.lists(st.sampled_from([*sorted(gender_swap.TERMS - ONE_WAY), "the", ",", "x-man", "Bob"]))
)
def test_swapping_twice_gives_the_text_back_where_words_have_one_counterpart(
    words: list[str],
) -> None:
    for text in (" ".join(words), " ".join(words).upper(), " ".join(words).capitalize()):
        assert gender_swap.swap(gender_swap.swap(text)) == text


@pytest.mark.parametrize("word", sorted(gender_swap.TERMS))
def test_every_term_becomes_a_term_of_the_other_gender(word: str) -> None:
    other = gender_swap.swap(word)
    assert {word in identity.FEMALE, other in identity.FEMALE} == {True, False}
    assert {word in identity.MALE, other in identity.MALE} == {True, False}


@pytest.mark.parametrize("text", ["", "No term here.", "manhood, heroine, theirs"])
def test_a_text_without_terms_stays(text: str) -> None:
    assert gender_swap.swap(text) == text
    assert not gender_swap.has_term(text)
