"""The order of stages is DVC's, whatever dvc.yaml's own order."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from flows import graph
from pipeline.errors import InputError


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    dvc("init", "--no-scm")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_text("1")
    dvc("add", "data")
    return tmp_path


def dvc(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *arguments, "--quiet"], check=True)


def write_stages(**needs: str) -> None:
    """Write stages that copy what they need, in the order given."""
    stages = {
        name: {"cmd": f"cp {source} {name}", "deps": [source], "outs": [name]}
        for name, source in needs.items()
    }
    stages["last"] = stages.get("last", {}) | {"meta": {"pool": "gpu"}}
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))


@pytest.mark.usefixtures("repo")
def test_a_stage_comes_after_what_it_needs_though_written_before_it() -> None:
    write_stages(last="middle", middle="first", first="data/a")
    assert [node.name for node in graph.nodes()] == ["first", "middle", "last"]


@pytest.mark.usefixtures("repo")
def test_the_pool_is_the_one_that_meta_names() -> None:
    write_stages(first="data/a", last="first")
    assert [node.pool for node in graph.nodes()] == ["cpu", "gpu"]


@pytest.mark.usefixtures("repo")
def test_a_stage_rests_on_all_that_comes_before_it() -> None:
    """One reading of the graph has to do for a run in which nothing is new."""
    write_stages(first="data/a", middle="first", last="middle", other="data/a")
    assert not any(node.current for node in graph.nodes())
    dvc("repro")
    assert all(node.current for node in graph.nodes())
    Path("first").write_text("someone else's")
    current = {node.name: node.current for node in graph.nodes()}
    assert current == {"first": False, "middle": False, "last": False, "other": True}


@pytest.mark.usefixtures("repo")
def test_the_stages_that_a_stage_needs_are_named_and_its_data_are_not() -> None:
    write_stages(last="middle", middle="first", first="data/a")
    needs = {node.name: node.needs for node in graph.nodes()}
    assert needs == {"first": (), "middle": ("first",), "last": ("middle",)}


@pytest.mark.usefixtures("repo")
def test_dvc_lets_two_independent_stages_run_at_once_in_one_clone() -> None:
    """Each waits until both have begun: one after the other, neither would end well."""
    wait = "touch {0}.begun; for i in $(seq 100); do test -e {1}.begun && break; sleep 0.1; done; "
    both = "test -e {1}.begun && cp data/a {0}"
    stages = {
        mine: {"cmd": (wait + both).format(mine, other), "deps": ["data/a"], "outs": [mine]}
        for mine, other in (("left", "right"), ("right", "left"))
    }
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--quiet", "--single-item"]
    running = [subprocess.Popen([*command, name]) for name in stages]
    assert [process.wait() for process in running] == [0, 0]
    assert all(node.current for node in graph.nodes())


@pytest.mark.usefixtures("repo")
def test_data_that_data_dvc_does_not_record_is_refused() -> None:
    write_stages(last="data/a")
    graph.check_data()
    Path("data/b").write_text("2")
    with pytest.raises(InputError, match="dvc add data"):
        graph.check_data()


def test_data_on_record_but_not_in_the_cache_is_put_there(repo: Path) -> None:
    shutil.rmtree(repo / ".dvc" / "cache")
    graph.check_data()
    assert not Repo().status(["data.dvc"])


def test_data_neither_on_record_nor_in_the_cache_is_refused(repo: Path) -> None:
    shutil.rmtree(repo / ".dvc" / "cache")
    (repo / "data" / "a").write_text("3")
    with pytest.raises(InputError, match="dvc add data"):
        graph.check_data()
    assert Repo().status(["data.dvc"])


def test_results_are_of_the_data_and_stages_as_they_are_now(repo: Path) -> None:
    """Data that is not on record, and a stage that would have to run again, publish nothing."""
    write_stages(first="data/a", last="first")
    dvc("repro")
    graph.check_results()
    (repo / "data" / "b").write_text("2")  # no stage reads it
    with pytest.raises(InputError, match="dvc add data"):
        graph.check_results()
    (repo / "data" / "b").unlink()
    (repo / "first").write_text("3")
    with pytest.raises(InputError, match="first: what it was made from changed during the run"):
        graph.check_results()
