"""Files are whole or absent, and digests are of bytes."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import files
from pipeline.errors import InputError


def test_an_exception_leaves_the_old_file_and_no_temporary(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), files.replacing(path) as temporary:
        temporary.write_text("half" * (1 // 0))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_crash_after_writing_but_before_renaming_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    code = (
        "import os, pathlib, sys; from pipeline import files\n"
        "with files.replacing(pathlib.Path(sys.argv[1])) as t: t.write_text('half'); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, path], cwd=Path(__file__).parents[1], check=False)
    assert path.read_text() == "old"


def test_equal_values_are_equal_bytes(tmp_path: Path) -> None:
    files.write_json(tmp_path / "a", {"x": 1, "y": 2})
    files.write_json(tmp_path / "b", {"y": 2, "x": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_nan_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "a", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("data", "named"), [(b'{"a": 1,\n}', "a:2:1: not JSON"), (b"\xff", "byte 0 is not UTF-8")]
)
def test_unreadable_json_is_named_with_its_place(tmp_path: Path, data: bytes, named: str) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(InputError, match=named):
        files.read_json(tmp_path / "a")


def test_digests_are_sha256_of_bytes_by_relative_path(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c").write_bytes(b"data")
    expected = hashlib.sha256(b"data").hexdigest()
    assert files.sha256_tree(tmp_path) == {"b/c": expected}
    assert files.sha256_file(tmp_path / "b" / "c") == expected


def test_a_tree_digest_changes_with_a_name_or_a_byte() -> None:
    digests = {files.sha256_digests(d) for d in ({"a": "1"}, {"b": "1"}, {"a": "2"}, {})}
    assert len(digests) == 4
