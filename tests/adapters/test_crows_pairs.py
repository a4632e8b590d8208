"""Against the file's own rows, and against files that are not it."""

import csv
from pathlib import Path

import pytest

from pipeline.adapters import crows_pairs
from pipeline.errors import InputError

HEADER = ["", "sent_more", "sent_less", "stereo_antistereo", "bias_type"]


def write(path: Path, rows: list[list[str]], header: list[str] = HEADER) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path


def rows(n: int) -> list[list[str]]:
    return [[str(i), f"more, {i}", f'less "{i}"', "stereo", "age"] for i in range(n)]


def test_pairs_are_read_in_the_order_of_the_file(tmp_path: Path) -> None:
    pairs = crows_pairs.read_pairs(write(tmp_path / "c.csv", rows(3)), None)
    assert [(p.more, p.less) for p in pairs] == [(f"more, {i}", f'less "{i}"') for i in range(3)]


def test_a_sample_does_not_depend_on_the_order_and_grows_by_adding(tmp_path: Path) -> None:
    forward = crows_pairs.read_pairs(write(tmp_path / "a.csv", rows(50)), 20)
    backward = crows_pairs.read_pairs(write(tmp_path / "b.csv", rows(50)[::-1]), 20)
    more = crows_pairs.read_pairs(tmp_path / "a.csv", 30)
    assert len(forward) == 20
    assert forward == backward[::-1]
    assert set(forward) < set(more)
    assert forward != crows_pairs.read_pairs(tmp_path / "a.csv", None)[:20]


def test_two_equal_pairs_are_two_pairs(tmp_path: Path) -> None:
    path = write(tmp_path / "c.csv", rows(4) * 2)
    assert [len(crows_pairs.read_pairs(path, limit)) for limit in (None, 3, 5)] == [8, 3, 5]


@pytest.mark.parametrize(
    ("row", "header", "message"),
    [
        (["0", "a", "b", "stereo", ""], HEADER, r"c\.csv:2: .*must be filled"),
        (["0", "a", "b", "up", "age"], HEADER, r"c\.csv:2: .*stereo or antistereo"),
        (["0", "a"], HEADER, r"c\.csv:2: "),
        (["0", "a", "b", "stereo", "age"], HEADER[:-1], "no column 'bias_type'"),
    ],
)
def test_a_file_that_is_not_it_is_refused_by_line(
    row: list[str], header: list[str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        crows_pairs.read_pairs(write(tmp_path / "c.csv", [row], header), None)


def test_a_file_without_pairs_or_not_utf8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no pairs"):
        crows_pairs.read_pairs(write(tmp_path / "c.csv", []), None)
    (tmp_path / "d.csv").write_bytes(b"sent_more\n\xff\n")
    with pytest.raises(InputError, match="UTF-8"):
        crows_pairs.read_pairs(tmp_path / "d.csv", None)
