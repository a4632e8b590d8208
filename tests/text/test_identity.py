"""Against sentences labelled by hand."""

import pytest

from pipeline.text.identity import FEMALE, MALE, ORIGIN, identity_terms


@pytest.mark.parametrize(
    ("text", "gender", "origin"),
    [
        ("She said so.", "female", "none"),
        ("HIS best film", "male", "none"),
        ("The king and the queen", "both", "none"),
        ("A fine day in theory", "none", "none"),  # "the", "theory" hold he
        ("mother's day", "female", "none"),
        ("a man’s world", "male", "none"),  # noqa: RUF001
        ("African-American voters", "none", "named"),
        ("The White House is black", "none", "none"),  # colours name no one
    ],
)
def test_groups_are_the_words_that_occur(text: str, gender: str, origin: str) -> None:
    assert identity_terms(text) == {"gender": gender, "origin": origin}


def test_no_word_is_of_two_lists() -> None:
    assert not FEMALE & MALE
    assert not (FEMALE | MALE) & ORIGIN
