"""A tracking server or database that is not there costs a stage seconds, and is said aloud."""

import json
import math
import socket
import time
from pathlib import Path

import pytest

from pipeline import layout, params
from pipeline.adapters import runs, tracking

ROOT = Path(__file__).parents[2]
SECTION = params.load(ROOT / "params.yaml").section("split")


@pytest.mark.parametrize(
    "uri", ["postgresql://me:secret@127.0.0.1:{}/mlflow", "http://127.0.0.1:{}"]
)
def test_nobody_at_the_address_costs_seconds(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """MLflow by itself would try for 100 s to reach a database."""
    monkeypatch.chdir(tmp_path)
    with socket.socket() as bound:  # and not listening, so that nobody else can
        bound.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.format(bound.getsockname()[1]))
        with runs.stage_run("split", SECTION) as track:
            track.metrics({"rows": 3.0}, 0)
            start = time.monotonic()
        waited_s = time.monotonic() - start
    told = capfd.readouterr().err
    assert "WARNING: split: its MLflow run at" in told
    assert "secret" not in told
    assert waited_s < 25


def test_what_a_lost_database_did_not_take_is_sent_when_it_is_there_again(
    tmp_path: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the recorder of the next stage, under the parent and with the times of the first."""
    monkeypatch.chdir(tmp_path)
    Path("away").touch()  # no folder, so that there can be no database in it
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/away/mlflow.db")
    monkeypatch.setenv(tracking.PARENT_RUN, "0" * 32)
    with runs.stage_run("split", SECTION) as track:
        track.metrics({"rows": 3.0, "share": math.nan}, 0)
        track.artifact(Path("gone"))
    (kept,) = layout.UNSENT.glob("*.json")
    ended_s = kept.stat().st_mtime

    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
    monkeypatch.delenv(tracking.PARENT_RUN)
    with runs.stage_run("features", SECTION):
        pass
    assert list(layout.UNSENT.glob("*.json")) == []
    client = tracking.connect()
    experiment = client.get_experiment_by_name("charter").experiment_id
    (run,) = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{'0' * 32}'")
    assert run.data.tags["stage"] == "split"
    assert run.data.metrics["rows"] == 3.0
    assert run.data.params.keys() == runs.flatten(SECTION.model_dump(mode="json")).keys()
    assert run.info.status == "FINISHED"
    assert 0 < run.info.end_time - run.info.start_time < 1000 * 60
    assert run.info.end_time / 1000 < ended_s + 1
    assert json.loads(layout.run_path("features").read_text())["tracking_error"] == ""


def test_a_stage_waits_for_another_that_is_still_running_it_and_says_so(
    tmp_path: Path,
    mlflow_uri: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """One whose DVC was killed writes the same folder."""
    import threading

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
    order: list[str] = []

    def second() -> None:
        with runs.stage_run("split", SECTION):
            order.append("second")

    with runs.stage_run("split", SECTION):
        waiting = threading.Thread(target=second)
        waiting.start()
        time.sleep(0.5)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]
    assert "split.lock: waiting for the process that holds it" in capfd.readouterr().err
