"""Against the data contract: what a label, a group and a rating may be written as."""

from typing import Any

import pytest

from pipeline.text.tables import group_values, is_malformed, parse_label, parse_rating, source_of

NAMES = ("negative", "positive")


@pytest.mark.parametrize(
    ("value", "index"),
    [
        ("positive", 1),
        (0, 0),
        ("1", 1),
        (1.0, 1),
        (True, -1),  # JSON's true is not label 1
        ("Positive", -1),
        (2, -1),
        (-1, -1),
        (0.5, -1),
        (float("nan"), -1),
        (None, -1),
        ("9" * 5000, -1),
        ([1], -1),
    ],
)
def test_a_label_is_its_name_or_its_index(value: Any, index: int) -> None:
    assert parse_label(value, NAMES) == index


@pytest.mark.parametrize("value", ["1", 1, 1.0])
def test_a_name_that_is_a_number_is_a_name_first(value: Any) -> None:
    assert parse_label(value, ("1", "0")) == 0
    assert parse_label(value, ("2", "3", "1")) == 2
    assert parse_label(True, ("True", "1")) == -1
    assert parse_label(0.5, ("0.5", "1")) == 0


def test_stars_are_themselves_and_no_index_of_the_next() -> None:
    stars = ("1", "2", "3", "4", "5")
    assert [parse_label(star, stars) for star in range(1, 6)] == [0, 1, 2, 3, 4]


def test_a_rating_that_is_no_number_is_malformed_and_one_that_is_missing_is_not() -> None:
    assert parse_rating("2.5") == 2.5
    assert parse_rating("") is None
    assert parse_rating(float("nan")) is None
    assert is_malformed({"text": "a", "rating": "high"})
    assert is_malformed({"text": 3})
    assert not is_malformed({"text": None, "rating": None})


def test_a_group_that_is_missing_is_a_group_of_its_own() -> None:
    rows = [{"age": None}, {"age": ""}, {"age": float("nan")}, {"age": 30}]
    assert group_values(rows, "age") == ["unknown", "unknown", "unknown", "30"]


def test_a_document_without_a_source_has_its_files_name() -> None:
    assert source_of({"text": "a", "source": None}, "books/moby.txt.gz") == "moby"
    assert source_of({"text": "a", "source": "log"}, "books/moby.txt.gz") == "log"
