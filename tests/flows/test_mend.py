"""What a crash leaves to DVC and what it would hand on: against what DVC itself does with it."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from flows import graph, mend

WRITE = "import os; os.makedirs('build/split'); open('build/split/report.json', 'w').write('{}')"


def dvc(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *arguments, "--quiet"], check=True)


@pytest.fixture(autouse=True)
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of one stage, which has been run."""
    monkeypatch.chdir(tmp_path)
    dvc("init", "--no-scm")
    stages = {"split": {"cmd": f'python -c "{WRITE}"', "outs": ["build/split"]}}
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    dvc("repro")
    return tmp_path


@pytest.mark.parametrize("which", ["file", "folder"])
def test_an_output_restored_from_a_spoilt_object_is_made_again(which: str) -> None:
    """DVC by itself hands on the file as it is, and calls it current."""
    report = Path("build/split/report.json")
    cache = Path(".dvc/cache/files/md5")
    objects = [path for path in cache.rglob("*") if path.is_file()]
    (spoilt,) = [path for path in objects if (path.suffix == ".dir") == (which == "folder")]
    spoilt.chmod(0o644)
    spoilt.write_text("[]" if which == "folder" else "{ }")
    spoilt.chmod(0o444)
    subprocess.run(["rm", "-r", "build"], check=True)
    dvc("repro")
    assert not report.is_file() or report.read_text() == "{ }"
    assert graph.is_current("split")
    assert mend.remove_damaged("split") == (str(spoilt.resolve()),)
    dvc("repro")
    assert report.read_text() == "{}"


def test_what_is_whole_is_left_alone() -> None:
    assert mend.remove_damaged("split") == ()
    assert Path("build/split/report.json").is_file()


@pytest.mark.parametrize("left", ["", '{"write": {"build/sp'])
def test_a_table_of_locks_that_was_cut_short_stops_nobody(left: str) -> None:
    table = Path(".dvc/tmp/rwlock")
    table.write_text(left)
    assert graph.is_current()
    dvc("repro")


def test_a_whole_table_of_locks_is_left_as_it_is() -> None:
    table = Path(".dvc/tmp/rwlock")
    held = '{"write": {}, "read": {"/elsewhere": [{"pid": 1, "cmd": "dvc repro"}]}}'
    table.write_text(held)
    graph.is_current()
    assert '"/elsewhere"' in table.read_text()
