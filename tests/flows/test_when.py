"""Whether to retrain, in a real DVC repository with a real champion; doubt retrains."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import bundle_factory
import pytest
import recorded
from prefect.logging import disable_run_logger
from recorded import add_data

from flows import history, retrain, when
from pipeline import drift, files, params, publish
from pipeline.adapters.registry import Registry
from pipeline.errors import InputError
from pipeline.params import BundleParams

NAME = "asked-when"
KNOWN, FRESH = 150, 120


def write_rows(name: str, count: int, first: int, films: tuple[str, ...], ones: float) -> None:
    draw = random.Random(first)
    path = Path("data/labelled") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = (
        {"text": f"{draw.choice(films)} film {number}", "label": int(draw.random() < ones)}
        for number in range(first, first + count)
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, mlflow_uri: str) -> Iterator[Path]:
    """A workspace whose champion was made from its data, which are in a remote too."""
    with recorded.working_in(tmp_path_factory.mktemp("when") / "work", mlflow_uri) as folder:
        bundle_factory.build(NAME)
        settings = Path("params.yaml").read_text()
        Path("params.yaml").write_text(settings.replace("name: charter-sentiment", f"name: {NAME}"))
        write_rows("rows.jsonl", KNOWN, 0, ("good", "bad"), 0.5)
        recorded.init(no_scm=True)
        dvc("remote", "add", "--default", "store", str(folder.parent / "remote"))
        add_data()
        dvc("push")
        publish.publish(BundleParams(name=NAME))
        yield folder


@pytest.fixture
def workspace(
    world: Path, tmp_path: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch
) -> Path:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
    folder = Path(shutil.copytree(world, tmp_path / "work"))
    monkeypatch.chdir(folder)
    return folder


def dvc(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *arguments, "--quiet"], check=True)


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("rule", ["data", "drift"])
def test_data_of_the_champions_own_hash_are_nothing_new(rule: when.When) -> None:
    answer = when.ask(rule)
    assert not answer.run
    assert "data/ is what version 1 was made from" in answer.why
    assert when.ask("always").run


@pytest.mark.usefixtures("workspace")
def test_a_new_file_is_new_data_once_it_is_on_record() -> None:
    """New files and `dvc add`; before that the run is refused, not skipped."""
    write_rows("more.jsonl", 3, 1000, ("good",), 1)
    for rule in get_args(when.When):
        with pytest.raises(InputError, match="dvc add data"):
            when.ask(rule)
    add_data()
    answer = when.ask("data")
    assert answer.run
    assert "version 1 is of" in answer.why


@pytest.mark.usefixtures("workspace")
def test_few_new_rows_wait_for_more() -> None:
    write_rows("more.jsonl", 3, 1000, ("good",), 1)
    add_data()
    answer = when.ask("drift")
    assert not answer.run
    assert "3 new rows, and drift.min_new_rows asks for 100" in answer.why


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize(
    ("films", "ones", "drifts"), [(("good", "bad"), 0.5, False), (("good", "bad"), 0.95, True)]
)
def test_new_rows_retrain_only_where_they_differ(
    films: tuple[str, ...], ones: float, drifts: bool
) -> None:
    """The features are of the champion's own encoder, whose bundle is verified first."""
    write_rows("more.jsonl", FRESH, 1000, films, ones)
    add_data()
    answer = when.ask("drift")
    assert answer.run is drifts
    assert answer.report is not None
    assert [t.part for t in answer.report.tests if t.drifted] == (["classes"] if drifts else [])
    assert (answer.report.new_rows, answer.report.known_rows) == (FRESH, KNOWN)
    assert files.read_json(drift.REPORT)["data_md5"] == publish.data_md5()
    assert "| classes: total variation of the labels |" in answer.markdown()


def test_rows_that_are_in_the_remote_only_are_fetched_without_the_rest(workspace: Path) -> None:
    write_rows("more.jsonl", 3, 1000, ("good",), 1)
    Path("data/corpus").mkdir()
    Path("data/corpus/rows.jsonl").write_text('{"text": "one"}\n')
    add_data()
    dvc("push")
    digest = publish.data_md5()
    shutil.rmtree(".dvc/cache")
    history.link_labelled(digest, workspace / "linked")
    assert sorted(path.name for path in Path("linked").iterdir()) == ["more.jsonl", "rows.jsonl"]
    fetched = [path for path in Path(".dvc/cache").rglob("*") if path.is_file()]
    assert len(fetched) == 2  # neither the corpus nor the list of files, which would promise it


def test_what_cannot_be_told_retrains_and_says_why(workspace: Path) -> None:
    write_rows("more.jsonl", FRESH, 1000, ("good",), 1)
    shutil.rmtree(".dvc/cache")
    add_data()
    dvc("remote", "remove", "store")
    answer = when.ask("drift")
    assert answer.run
    assert "cannot tell whether the rows have drifted: data" in answer.why
    assert "neither in DVC's cache nor in its remote" in answer.why
    settings = Path("params.yaml").read_text()
    Path("params.yaml").write_text(settings.replace(f"name: {NAME}", "name: nobody"))
    answer = when.ask("data")
    assert (answer.run, answer.why) == (True, "nobody has no champion")


def test_nothing_new_makes_no_version_and_starts_no_stage(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flow's own body: there is no dvc.yaml here, so that a stage could not even be found."""
    monkeypatch.setattr(retrain, "create_markdown_artifact", lambda **_: None)
    with disable_run_logger():
        state = retrain.retrain.fn("data")
    assert state.name == "Skipped"
    assert "was made from" in state.message
    assert Registry(params.load().bundle.name).at("champion").number == "1"
    assert not Path(".charter/runs").exists()


def test_a_second_run_in_the_clone_is_refused_and_told_who_is_at_it(workspace: Path) -> None:
    """The first is another process; when it is killed, its lock is free."""
    code = (
        "import sys, time; from pathlib import Path; from pipeline import files\n"
        f"with files.held(Path({str(retrain.LOCK)!r}), 'retrain'):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    environment = os.environ | {"PYTHONPATH": str(bundle_factory.ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        refused = retrain.retrain.fn("data")
        assert refused is not None
        assert refused.name == retrain.WRONG_INPUT
        assert f"retrain: process {first.pid} is already running it here" in str(refused.message)
        first.kill()
    with files.held(retrain.LOCK, "retrain"):
        assert retrain.LOCK.read_text() == str(os.getpid())


@pytest.mark.usefixtures("workspace")
def test_a_run_whose_parameters_changed_below_it_publishes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = {"cmd": "touch made", "deps": ["params.yaml"], "outs": ["made"]}
    Path("dvc.yaml").write_text(json.dumps({"stages": {"first": stage}}))

    def run_and_edit(*_: object) -> None:
        dvc("repro", "first")
        Path("params.yaml").write_text(Path("params.yaml").read_text() + "# edited\n")

    monkeypatch.setattr(retrain, "run_stages", run_and_edit)
    monkeypatch.setattr(retrain, "publish_bundle", lambda: pytest.fail("published"))
    with disable_run_logger():
        state = retrain.retrain.fn("always")
    assert state.name == retrain.WRONG_INPUT
    assert "first: what it was made from changed during the run" in state.message
