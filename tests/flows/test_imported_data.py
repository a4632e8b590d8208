"""data/ imported from another DVC repository: `dvc import`, `dvc update`, and no overlap."""

import json
import subprocess
from pathlib import Path

import pytest
from dvc.exceptions import DvcException
from dvc.repo import Repo

from flows import graph
from pipeline import ingest, publish
from pipeline.errors import InputError


@pytest.fixture
def upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose data/ is recorded with its PROVENANCE.json."""
    folder = tmp_path / "upstream"
    write_rows(folder, "labelled", 2)
    write_rows(folder, "corpus", 2)
    make_repository(folder, monkeypatch)
    record(folder, monkeypatch)
    return folder


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "ours"
    folder.mkdir()
    make_repository(folder, monkeypatch)
    return folder


def make_repository(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    git("init", "--quiet")
    Repo.init().close()
    git("add", "--all", ".dvc", ".dvcignore")
    git("commit", "--quiet", "--message", "A repository")


def record(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the source's owner does: `python -m pipeline ingest`, `dvc add data`, `git commit`."""
    with monkeypatch.context() as there:
        there.chdir(folder)
        ingest.check_local(lambda _: None)
        with Repo() as repo:
            repo.add("data")
        git("add", "data.dvc", ".gitignore")
        git("commit", "--quiet", "--message", "Data")


def git(*arguments: str) -> None:
    person = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(["git", *person, *arguments], check=True)


def write_rows(folder: Path, table: str, count: int) -> None:
    path = folder / "data" / table / "rows.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = ({"text": f"text {number}", "label": number % 2} for number in range(count))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_an_imported_data_folder_is_on_record_and_follows_its_source(
    upstream: Path, ours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`dvc import UPSTREAM data`, then `dvc update data.dvc`; ingest finds nothing to do."""
    with Repo() as repo:
        repo.imp(str(upstream), "data")
    said: list[str] = []
    first = check(said)
    write_rows(upstream, "labelled", 5)
    record(upstream, monkeypatch)
    assert check(said) == first  # until it is updated, a source that moved on changes nothing
    with Repo() as repo:
        repo.update(["data.dvc"])
    assert check(said) != first
    assert len(Path("data/labelled/rows.jsonl").read_text().splitlines()) == 5
    assert all("nothing to do" in line for line in said)


def check(said: list[str]) -> str:
    """Do what a run does first; return DVC's hash of data/."""
    ingest.check_local(said.append)
    graph.check_data()
    return publish.data_md5()


def test_imported_data_that_were_edited_here_are_refused(upstream: Path, ours: Path) -> None:
    with Repo() as repo:
        repo.imp(str(upstream), "data")
    with Path("data/labelled/rows.jsonl").open("a") as rows:
        rows.write('{"text": "one more", "label": 1}\n')
    with pytest.raises(InputError, match=r"data/ is not what data\.dvc records"):
        graph.check_data()


def test_an_import_inside_data_overlaps_and_dvc_refuses_it(upstream: Path, ours: Path) -> None:
    """So other people's rows come as the whole of data/, or beside it and are copied into it."""
    write_rows(ours, "labelled", 1)
    with Repo() as repo:
        repo.add("data")
        with pytest.raises(DvcException):
            repo.imp(str(upstream), "data/labelled", out="data/labelled/theirs")
        repo.imp(str(upstream), "data/labelled", out="incoming")
    theirs = Path("incoming/rows.jsonl").read_text()
    Path("data/labelled/theirs.jsonl").write_text(theirs)
    with Repo() as repo:
        repo.add("data")
    graph.check_data()
