"""Against texts that a reader would call the same, and SHA-256 of the standard library."""
# ruff: noqa: RUF001 (letters that look like Latin ones are the point)

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from pipeline.text.normal import content_key, normalise, text_id


def test_case_width_and_white_space_make_no_other_text() -> None:
    assert normalise("  Ｆine\u00a0DAY\n") == normalise("fine day") == "fine day"
    assert text_id("Fine\tday") == text_id("fine day")
    assert text_id("fine day") != text_id("fine days")


def test_an_id_is_the_start_of_the_sha256_of_the_normal_form() -> None:
    assert text_id("Fine  Day") == hashlib.sha256(b"fine day").hexdigest()[:16]


@given(st.text())
def test_the_normal_form_of_a_normal_form_is_itself(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


def test_punctuation_is_no_part_of_the_content_but_words_are() -> None:
    assert content_key("Well -- I like it!!") == content_key("well, I like it.")
    assert content_key("I like it") != content_key("I like them")


def test_a_text_of_signs_alone_has_the_signs_as_its_content() -> None:
    assert content_key(":-)") == ":-)"
    assert content_key(":-)") != content_key(":-(")
