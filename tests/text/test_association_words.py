"""The word lists against the published ones, where the shared data has them."""

import json

import published
import pytest

from pipeline.text import association_words
from pipeline.text.association_words import TESTS, WORDS


@pytest.mark.parametrize("name", TESTS)
def test_the_lists_are_those_of_the_published_tests(name: str) -> None:
    """Against the files of May et al. (2019), which repeat Caliskan's."""
    path = published.find_shared("seat") / f"weat{name.removeprefix('WEAT ')}.jsonl"
    raw = json.loads(path.read_text())
    known = [tuple(raw[key]["examples"]) for key in ("targ1", "targ2", "attr1", "attr2")]
    assert [WORDS[listed] for listed in TESTS[name]] == known


def test_sentences_say_nothing_that_the_published_ones_of_names_do_not() -> None:
    """Ours about John are among those of May et al."""
    raw = json.loads((published.find_shared("seat") / "sent-weat6.jsonl").read_text())
    assert set(association_words.sentences("John")) <= set(raw["targ1"]["examples"])


def test_targets_of_a_test_are_of_one_size_and_share_no_word() -> None:
    for first, second, *_ in TESTS.values():
        assert len(WORDS[first]) == len(WORDS[second]) > 5
        assert not set(WORDS[first]) & set(WORDS[second])


def test_the_digest_follows_every_word(monkeypatch: pytest.MonkeyPatch) -> None:
    before = association_words.digest()
    monkeypatch.setitem(association_words.WORDS, "family", ("home",))
    assert association_words.digest() != before
