"""The order of stages is DVC's, whatever dvc.yaml's own order."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

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
def test_a_stage_is_current_only_after_it_ran_on_these_inputs() -> None:
    write_stages(last="data/a")
    assert not graph.is_current("last")
    dvc("repro")
    assert graph.is_current("last")
    Path("last").write_text("someone else's")
    assert not graph.is_current("last")


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
    assert graph.is_current("data.dvc")


def test_data_neither_on_record_nor_in_the_cache_is_refused(repo: Path) -> None:
    shutil.rmtree(repo / ".dvc" / "cache")
    (repo / "data" / "a").write_text("3")
    with pytest.raises(InputError, match="dvc add data"):
        graph.check_data()
    assert not graph.is_current("data.dvc")
