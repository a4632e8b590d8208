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


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A folder of two files with their digests, beside a secret that is outside it."""
    folder = tmp_path / "bundle"
    (folder / "reports").mkdir(parents=True)
    (folder / "a").write_text("one")
    (folder / "reports" / "b").write_text("two")
    (tmp_path / "secret").write_text("three")
    files.write_json(folder / files.DIGESTS, files.sha256_tree(folder))
    return folder


def test_an_untouched_bundle_verifies_and_its_own_report_is_not_listed(bundle: Path) -> None:
    (bundle / "report.json").write_text("{}")
    assert sorted(files.verify_files(bundle)) == ["a", "reports/b"]


@pytest.mark.parametrize("name", ["a", "reports/b"])
def test_a_changed_byte_and_a_missing_file_are_found(bundle: Path, name: str) -> None:
    (bundle / name).write_text("tvo")
    with pytest.raises(InputError, match=f"{name}: changed"):
        files.verify_files(bundle)
    (bundle / name).unlink()
    with pytest.raises(InputError, match=f"{name}: missing"):
        files.verify_files(bundle)


@pytest.mark.parametrize("name", ["c", "reports/report.json", "model.pkl"])
def test_a_file_that_is_not_listed_is_found(bundle: Path, name: str) -> None:
    (bundle / name).write_text("x")
    with pytest.raises(InputError, match=f"{name}: is not in digests.json"):
        files.verify_files(bundle)


def test_names_and_links_that_lead_out_of_a_bundle_are_refused(bundle: Path) -> None:
    secret = bundle.parent / "secret"
    for name in ("../secret", str(secret), "reports/../a"):
        with pytest.raises(InputError, match="leads out of"):
            files.check_digests(bundle, {name: files.sha256_file(bundle / name)})
    (bundle / "a").unlink()
    (bundle / "a").symlink_to(secret)
    with pytest.raises(InputError, match="is a link"):
        files.check_digests(bundle, {"a": files.sha256_file(secret)})


@pytest.mark.parametrize("digests", ["[]", '{"a": 1}'])
def test_digests_that_are_no_digests_are_named(bundle: Path, digests: str) -> None:
    (bundle / files.DIGESTS).write_text(digests)
    with pytest.raises(InputError, match=r"digests\.json: must map"):
        files.verify_files(bundle)
    (bundle / files.DIGESTS).unlink()
    with pytest.raises(InputError, match=r"digests\.json: not found"):
        files.verify_files(bundle)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", r":4:3: not YAML \(the key 'c' stands twice\)"),
        ("a: [1\n", r":2:1: not YAML"),
        ("a: !!python/object/apply:os.system [ls]\n", "not YAML"),
        ("? [a, b]\n: 1\n", "not YAML"),
        ("- a\n", "must be a mapping of sections, not list"),
        ("", "must be a mapping of sections, not NoneType"),
    ],
)
def test_yaml_that_is_no_mapping_of_unique_keys_is_refused_by_its_line(
    tmp_path: Path, text: str, named: str
) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=named):
        files.read_yaml(path)


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """Its own name holds its process: what another living process is writing stays."""
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], check=True,
                          capture_output=True, text=True)  # fmt: skip
    left = tmp_path / f".a.json.{dead.stdout.strip()}.tmp"
    other = tmp_path / f".b.json.{dead.stdout.strip()}.tmp"
    living = tmp_path / ".a.json.1.tmp"
    for path in (left, other, living):
        path.touch()
    files.write_text(tmp_path / "a.json", "{}")
    assert sorted(path.name for path in tmp_path.iterdir()) == [living.name, other.name, "a.json"]
