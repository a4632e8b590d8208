"""A stage's run: what MLflow, the run file and the terminal know of it, whatever happens."""

import io
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline import layout, params
from pipeline.adapters import runs, tracking
from pipeline.adapters.terminal import Display
from pipeline.errors import InputError

ROOT = Path(__file__).parents[2]
SECTION = params.load(ROOT / "params.yaml").section("pretrain")


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
    for name in ("MLFLOW_EXPERIMENT_NAME", tracking.PARENT_RUN):
        monkeypatch.delenv(name, raising=False)


def run_file(stage: str = "pretrain") -> dict[str, Any]:
    known: dict[str, Any] = json.loads(layout.run_path(stage).read_text())
    return known


@pytest.fixture
def client() -> Any:
    return tracking.connect()


def work(track: Any, steps: int = 3) -> None:
    for step in range(steps):
        track.metrics({"loss": 3.0 - step, "rate": math.nan}, step)
        track.progress(step + 1, steps, "steps", loss=3.0 - step)


def test_a_stage_leaves_its_params_metrics_data_and_artifacts(client: Any) -> None:
    Path("rows.txt").write_text("x")
    Path("plots").mkdir()
    Path("plots/curve.svg").write_text("<svg/>")
    with runs.stage_run("pretrain", SECTION) as track:
        start = time.process_time()
        work(track, steps=1500)
        cost_s = (time.process_time() - start) / 1500
        track.dataset("train", Path("rows.txt"), rows=7, digest="d" * 64)
        track.artifact(Path("rows.txt"))
        track.artifact(Path("plots"))
    known = run_file()
    run = client.get_run(known["mlflow_run_id"])
    assert run.info.status == "FINISHED"
    assert run.info.experiment_id == known["mlflow_experiment_id"]
    assert client.get_experiment(run.info.experiment_id).name == "charter"
    assert run.data.params["masking_rate"] == "0.15"
    assert run.data.tags["stage"] == "pretrain"
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(m.step, m.value) for m in history] == [(step, 3.0 - step) for step in range(1500)]
    assert cost_s < 0.0005  # 1% of a step of 50 ms, which is a fast one on two cores
    (data,) = run.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("train", "d" * 36)
    assert json.loads(data.dataset.profile) == {"num_rows": 7, "digest": "d" * 64}
    assert json.loads(data.dataset.source)["uri"] == "rows.txt"
    listed = {
        f.path for place in (None, "plots") for f in client.list_artifacts(run.info.run_id, place)
    }
    assert {"rows.txt", "plots/curve.svg"} <= listed
    assert known["state"] == "done"
    assert (known["done"], known["total"], known["unit"]) == (1500, 1500, "steps")
    assert known["fields"] == {"loss": 3.0 - 1499}
    assert known["tracking_error"] == ""


def test_a_stage_nests_below_the_flows_run_in_the_users_experiment(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    parent = tracking.start_parent_run("retrain")
    assert parent
    monkeypatch.setenv(tracking.PARENT_RUN, parent)
    with runs.stage_run("pretrain", SECTION):
        pass
    tracking.end_parent_run(parent, succeeded=True)
    run = client.get_run(run_file()["mlflow_run_id"])
    assert run.data.tags["mlflow.parentRunId"] == parent
    assert client.get_run(parent).info.status == "FINISHED"
    assert client.get_experiment(run.info.experiment_id).name == "mine"


def test_a_stage_that_fails_is_failed_everywhere_and_its_error_is_raised(client: Any) -> None:
    def unlucky() -> None:
        with runs.stage_run("pretrain", SECTION) as track:
            work(track)
            raise ValueError("no such luck")

    with pytest.raises(ValueError, match="no such luck"):
        unlucky()
    known = run_file()
    assert (known["state"], known["error"]) == ("failed", "ValueError: no such luck")
    run = client.get_run(known["mlflow_run_id"])
    assert run.info.status == "FAILED"
    assert run.data.metrics["loss"] == 1.0


STAGE = """
import os, sys, time
from pathlib import Path
from pipeline import params
from pipeline.adapters import runs
section = params.load(Path(sys.argv[1])).section("pretrain")
with runs.stage_run("pretrain", section) as track:
    track.metrics({"loss": 2.0}, 0)
    track.progress(1, 9, "steps")
    print("working", flush=True)
    time.sleep(60)
"""


def test_a_stage_that_is_killed_is_not_left_running(client: Any) -> None:
    """kill -9 leaves the stage no time to say anything: its recorder does."""
    stage = subprocess.Popen(
        [sys.executable, "-c", STAGE, str(ROOT / "params.yaml")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert stage.stdout is not None
    assert any("working" in line for line in stage.stdout)
    stage.send_signal(signal.SIGKILL)
    stage.communicate()
    until = time.monotonic() + 30
    while run_file()["state"] == "running" and time.monotonic() < until:
        time.sleep(0.1)
    assert run_file()["state"] == "failed"
    run = client.get_run(run_file()["mlflow_run_id"])
    assert run.info.status == "KILLED"
    assert run.data.metrics["loss"] == 2.0


def test_an_unreachable_server_is_told_loudly_and_does_not_fail_the_stage(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://someone:secret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with runs.stage_run("pretrain", SECTION) as track:
        work(track)
        Path("result").write_text("safe")
    known = run_file()
    assert (known["state"], known["done"], known["mlflow_run_id"]) == ("done", 3, None)
    assert known["tracking_error"]
    told = capfd.readouterr().err
    assert "WARNING: pretrain: its MLflow run at http://127.0.0.1:9 is not wholly recorded" in told
    assert "secret" not in told + layout.run_path("pretrain").read_text()


def test_what_mlflow_refuses_is_told_and_the_rest_is_recorded(
    client: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    with runs.stage_run("pretrain", SECTION) as track:
        track.metrics({"a name with a | bar": 1.0}, 0)
        track.dataset("train", Path("rows.txt"), rows=7, digest="d" * 64)
        work(track)
    known = run_file()
    assert "bar" in known["tracking_error"]
    assert client.get_run(known["mlflow_run_id"]).data.metrics["loss"] == 1.0
    assert "WARNING: pretrain" in capfd.readouterr().err


def test_what_the_database_refuses_is_raised_and_not_printed_besides(tmp_path: Path) -> None:
    """As on a full disk: who asks tells it in a line, and MLflow's log has it in fifty."""
    script = """if True:
    import sqlite3
    from pipeline.adapters import tracking
    client = tracking.connect()
    database = sqlite3.connect(tracking.tracking_uri().removeprefix("sqlite:///"))
    database.execute("DROP TABLE metrics")
    try:
        client.log_metric(client.create_run("0").info.run_id, "loss", 1.0)
    except Exception as error:
        print(type(error).__name__)
    """
    own = tmp_path / "own.db"
    shutil.copy(runs.tracking_uri().removeprefix("sqlite:///"), own)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": f"sqlite:///{own}"}
    command = [sys.executable, "-c", script]
    asked = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert asked.stdout == "MlflowException\n"
    assert "no such table" not in asked.stderr


def test_without_a_uri_mlflow_is_in_the_working_directory_whatever_its_name(
    client: Any, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(mlflow_uri.removeprefix("sqlite:///")).parent
    assert "%20#" in folder.name
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert runs.tracking_uri() == mlflow_uri
    experiment = client.get_experiment(client.create_experiment("artifacts"))
    assert Path(experiment.artifact_location).is_relative_to(folder / "mlruns")


def test_a_directory_that_no_uri_can_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "what?"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(InputError, match="set MLFLOW_TRACKING_URI"):
        runs.tracking_uri()


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://me:pass@host:5000/x", "https://host:5000/x"),
        ("postgresql://me:p%40ss@db/mlflow", "postgresql://db/mlflow"),
        ("sqlite:////tmp/mlflow.db", "sqlite:////tmp/mlflow.db"),
        ("no http://a:b@c@host/x: refused", "no http://host/x: refused"),
        ("http://host:5000", "http://host:5000"),
    ],
)
def test_credentials_are_left_out_of_a_uri(uri: str, shown: str) -> None:
    assert runs.without_credentials(uri) == shown


def test_nested_params_become_dotted_names() -> None:
    nested = {"a": {"b": 1, "c": {"d": [1, 2]}}, "e": None, "f": "text"}
    assert runs.flatten(nested) == {"a.b": "1", "a.c.d": "[1, 2]", "e": "null", "f": "text"}


def test_a_log_gets_a_line_now_and_then_and_always_the_last() -> None:
    log = io.StringIO()
    with Display("pretrain", log) as display:
        for step in range(1, 1001):
            display.update(step, 1000, "steps", {"loss": 1 / step})
    first, *some, last, done = log.getvalue().splitlines()
    assert first == "pretrain: started"
    assert some == ["pretrain: 1/1000 steps  loss 1"]
    assert last == "pretrain: 1000/1000 steps  loss 0.001"
    assert done.startswith("pretrain: done in ")


def test_a_terminal_gets_a_bar() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    with Display("pretrain", screen) as display:
        display.update(5, 10, "steps", {"loss": 0.5})
        display.update(10, 10, "steps", {"loss": 0.25})
    assert "10/10 steps" in screen.getvalue()
    assert "━" in screen.getvalue()
