"""What a crash leaves to DVC and what it would hand on: against what DVC itself does with it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dvc.exceptions import DvcException

from flows import graph, mend
from pipeline import layout

CACHE, REPORT = Path(".dvc/cache/files/md5"), Path("build/split/report.json")
WRITE = "import os; os.makedirs('build/split'); open('build/split/report.json', 'w').write('{}')"


def dvc(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *arguments, "--quiet"], check=True)


@pytest.fixture(autouse=True)
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of one stage, which has been run."""
    monkeypatch.chdir(tmp_path)
    dvc("init", "--no-scm")
    stages = {"split": {"cmd": f'python -c "{WRITE}"', "deps": ["in"], "outs": ["build/split"]}}
    Path("in").write_text("what makes DVC keep the run")
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    dvc("repro")
    return tmp_path


def spoil(path: Path, text: str) -> None:
    """Change an object of the cache, which is read-only again after, as DVC leaves it."""
    path.chmod(0o644)
    path.write_text(text)
    path.chmod(0o444)


def test_an_output_restored_from_a_spoilt_object_is_made_again() -> None:
    """DVC by itself hands on the file as it is, and calls it current."""
    objects = [path for path in CACHE.rglob("*") if path.is_file() and path.suffix != ".dir"]
    (spoilt,) = [path for path in objects if path.read_text() == "{}"]
    spoil(spoilt, "{ ")
    shutil.rmtree("build")
    dvc("repro")
    assert REPORT.read_text() == "{ "
    assert all(node.current for node in graph.nodes())
    assert mend.remove_damaged("split") == (str(spoilt.resolve()),)
    dvc("repro")
    assert REPORT.read_text() == "{}"


def test_a_folder_whose_list_is_spoilt_is_made_again() -> None:
    """DVC by itself gives the file the other name, and records that."""
    (spoilt,) = CACHE.rglob("*.dir")
    spoil(spoilt, spoilt.read_text().replace("report.json", "report.jsox"))
    shutil.rmtree("build")
    mend.remove_damaged_lists()
    dvc("repro")
    assert REPORT.read_text() == "{}"


def test_undamaged_outputs_are_kept() -> None:
    mend.remove_damaged_lists()
    assert mend.remove_damaged("split") == ()
    assert len(list(CACHE.rglob("*.dir"))) == 1
    assert REPORT.is_file()


@pytest.mark.parametrize("left", ["", '{"write": {"build/sp'])
def test_a_table_of_locks_that_was_cut_short_stops_nobody(left: str) -> None:
    table = Path(".dvc/tmp/rwlock")
    table.write_text(left)
    assert all(node.current for node in graph.nodes())
    dvc("repro")


def test_a_whole_table_of_locks_is_left_as_it_is() -> None:
    table = Path(".dvc/tmp/rwlock")
    held = '{"write": {}, "read": {"/elsewhere": [{"pid": 1, "cmd": "dvc repro"}]}}'
    table.write_text(held)
    graph.nodes()
    assert '"/elsewhere"' in table.read_text()


def test_a_record_that_was_cut_short_anywhere_stops_nobody() -> None:
    """DVC writes dvc.lock in place. Its run-cache gives back what was in it."""
    record = Path("dvc.lock")
    whole = record.read_bytes()
    for end in range(len(whole)):
        record.write_bytes(whole[:end])
        graph.nodes()
    for end in (0, 11, len(whole) // 2):
        record.write_bytes(whole[:end])
        graph.nodes()
        dvc("repro")
        assert record.read_bytes() == whole


def test_a_record_is_kept_where_another_file_is_at_fault() -> None:
    record = Path("dvc.lock")
    whole = record.read_bytes()
    Path("dvc.yaml").write_text("stages: [")
    with pytest.raises(DvcException):
        graph.nodes()
    assert record.read_bytes() == whole


def test_a_record_that_cannot_be_read_is_kept_aside() -> None:
    Path("dvc.lock").write_text("<<<<<<< HEAD")
    graph.nodes()
    assert (layout.STATE / "dvc.lock.cut").read_text() == "<<<<<<< HEAD"
