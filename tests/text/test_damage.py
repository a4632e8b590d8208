"""Against damage made here: text encoded in one way and decoded in another."""

import pytest

from pipeline.text.damage import is_damaged


@pytest.mark.parametrize("read_as", ["cp1252", "latin-1"])
@pytest.mark.parametrize("whole", ["café", "naïve", "£5", "it’s", "a — b", "“so”", "Ünder", "ação"])  # noqa: RUF001
def test_utf8_read_in_another_encoding_is_seen(whole: str, read_as: str) -> None:
    damaged = whole.encode().decode(read_as, "replace")
    assert is_damaged(damaged), damaged
    assert not is_damaged(whole)


def test_cyrillic_read_as_latin_1_is_seen() -> None:
    assert is_damaged("привет".encode().decode("latin-1"))
    assert not is_damaged("привет")


def test_bytes_of_windows_1252_read_as_latin_1_are_seen() -> None:
    assert is_damaged("it’s".encode("cp1252").decode("latin-1"))  # noqa: RUF001


def test_the_lost_quotes_of_the_news_are_seen() -> None:
    assert is_damaged('The Senate voted on DeVos"?highly contentious nomination')
    assert not is_damaged('He asked, "Why?" and left. "Who?" she said.')
    assert not is_damaged('Was it "Vertigo"? I forget.')


def test_a_replacement_character_is_seen() -> None:
    assert is_damaged("caf\N{REPLACEMENT CHARACTER}")
