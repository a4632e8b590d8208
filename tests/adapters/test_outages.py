"""A tracking server or database that is not there costs a stage seconds, and is said aloud."""

import socket
import time
from pathlib import Path

import pytest

from pipeline import params
from pipeline.adapters import runs

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
