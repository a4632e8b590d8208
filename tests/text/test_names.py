"""Sentences by hand; invariants; the published lists where the development data is there."""

import json
import re

import pytest
from published import find_shared

from pipeline.text import names
from pipeline.text.identity_templates import FRAMES

MEN, RACE, AGE = names.PAIRS
WEAT = {MEN.name: "weat6", RACE.name: "weat4", AGE.name: "weat10"}


@pytest.mark.parametrize(
    ("text", "as_men", "as_women"),
    [
        ("John's film is Amy's best.", "John's film is John's best.", "Amy's film is Amy's best."),
        ("Steve Jobs, said LISA", "Steve Jobs, said LISA", "Diana Jobs, said LISA"),
        ("Johnny met Jo-Ann and Paul-Henri.", None, None),  # parts of other names
        ("kevin is kate", None, None),
    ],
)
def test_names_are_exchanged_as_by_hand(
    text: str, as_men: str | None, as_women: str | None
) -> None:
    assert names.rename(text, MEN) == (None if as_men is None else (as_men, as_women))


@pytest.mark.parametrize("pair", names.PAIRS, ids=lambda pair: pair.name)
def test_the_two_texts_differ_in_nothing_but_the_names(pair: names.NamePair) -> None:
    """Blanking either group's names makes them equal, and renaming again changes nothing."""
    text = " ".join(f"{name} and X met {name}'s friend." for name in pair.first[:2] + pair.second)
    both = names.rename(text, pair)
    assert both is not None
    for own, other, found in zip((0, 1), (1, 0), both, strict=True):
        lists = (pair.first, pair.second)
        assert not set(re.findall(r"\w+", found)) & set(lists[other])
        assert set(re.findall(r"\w+", found)) & set(lists[own])
        assert names.rename(found, pair) == both
    blanked = {re.sub("|".join(pair.first + pair.second), "_", found) for found in both}
    assert len(blanked) == 1


def test_lists_correspond_and_share_no_name() -> None:
    for pair in names.PAIRS:
        assert len(pair.first) == len(pair.second)
        assert len({*pair.first, *pair.second}) == 2 * len(pair.first)


def test_templates_hold_every_name_in_every_frame() -> None:
    for pair, compared in zip(names.PAIRS, names.comparisons(), strict=True):
        assert compared.name == f"identity: names, {pair.name}"
        assert len(compared.first) == len(FRAMES) * len(pair.first)
        for first, second in zip(compared.first, compared.second, strict=True):
            assert names.rename(first, pair) == (first, second)
            assert "the " + first.split()[0] not in first


def test_the_names_are_those_that_were_published() -> None:
    """Against the lists of the authors' tests; the two pairs left out are named in the module."""
    folder = find_shared("seat")
    left_out = {MEN.name: (("Bill",), ("Donna",)), RACE.name: (("Emily",), ("Kenya",))}
    for pair in names.PAIRS:
        raw = json.loads((folder / f"{WEAT[pair.name]}.jsonl").read_text())
        published = [raw[target]["examples"] for target in ("targ1", "targ2")]
        for ours, gone, theirs in zip(
            (pair.first, pair.second), left_out.get(pair.name, ((), ())), published, strict=True
        ):
            assert sorted([*ours, *gone]) == sorted(theirs)
