"""Stages of one DVC share the process that records them, which ends with it: with real DVC."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from pipeline import files, layout
from pipeline.adapters import tracking

ROOT = Path(__file__).parents[2]
STAGE = """
import json, sys, time
from pathlib import Path
from pipeline import layout, lifeline, params
from pipeline.adapters import runs
from tests.adapters.test_recorder import recorders
lifeline.end_with_dvc()
stage, seconds = sys.argv[1], float(sys.argv[2])
section = params.load(Path({params!r})).section(stage)
with runs.stage_run(stage, section) as track:
    track.metrics({{"rows": float(len(stage))}}, 0)
    layout.stage_dir(stage).mkdir(parents=True)
    track.artifact(Path("stage.py"))
    time.sleep(seconds)
    Path(layout.stage_dir(stage), "recorders.json").write_text(json.dumps(recorders()))
"""


def recorders() -> list[int]:
    """Return the recorders that work in the working directory."""
    here = str(Path.cwd())
    return [
        process.pid
        for process in psutil.process_iter()
        if files.is_alive(process.pid)
        and "pipeline.adapters.recorder" in process.cmdline()
        and process.cwd() == here
    ]


@pytest.fixture(params=["/bin/sh", "/bin/bash"])  # Debian's dash waits for its last command
def dvc(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    mlflow_uri: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str, str], "subprocess.Popen[str]"]:
    """What starts `dvc repro` of two stages, whose names and seconds are given."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHELL", request.param)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"], check=True)
    Path("stage.py").write_text(STAGE.format(params=str(ROOT / "params.yaml")))

    def start(*calls: str) -> "subprocess.Popen[str]":
        stages: dict[str, dict[str, Any]] = {}
        for call in calls:
            name = call.split()[0]
            needs = [f"build/{before}" for before in stages]
            command = f"{sys.executable} stage.py {call}"
            stages[name] = {"cmd": command, "deps": needs, "outs": [f"build/{name}"]}
        Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
        return subprocess.Popen([sys.executable, "-m", "dvc", "repro"], text=True)

    return start


def seen_by(stage: str) -> list[int]:
    found: list[int] = json.loads((layout.stage_dir(stage) / "recorders.json").read_text())
    return found


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.05)
    assert holds()


def run_of(stage: str) -> Any:
    known = files.read_json(layout.run_path(stage))
    return tracking.connect().get_run(known["mlflow_run_id"])


def test_stages_of_one_dvc_share_a_recorder_that_ends_with_it(
    dvc: Callable[..., "subprocess.Popen[str]"],
) -> None:
    running = dvc("split 0", "finetune 0")
    assert running.wait() == 0
    first, second = seen_by("split"), seen_by("finetune")
    assert len(first) == 1
    assert first == second
    for stage in ("split", "finetune"):
        assert run_of(stage).info.status == "FINISHED"
        assert run_of(stage).data.tags["stage"] == stage
        assert run_of(stage).data.metrics["rows"] == len(stage)
    wait_until(lambda: not recorders())
    assert not layout.recorder_socket(running.pid).exists()


def test_a_recorder_that_was_killed_is_followed_by_another(
    dvc: Callable[..., "subprocess.Popen[str]"],
) -> None:
    running = dvc("split 2", "finetune 0")
    wait_until(lambda: layout.run_path("split").exists() and len(recorders()) == 1)
    (killed,) = recorders()
    os.kill(killed, signal.SIGKILL)
    assert running.wait() == 0
    assert "lost" in files.read_json(layout.run_path("split"))["tracking_error"]
    assert seen_by("finetune") != [killed]
    assert run_of("finetune").info.status == "FINISHED"


def test_a_dvc_that_is_killed_leaves_no_recorder_and_no_open_run(
    dvc: Callable[..., "subprocess.Popen[str]"],
) -> None:
    running = dvc("split 0", "finetune 60")
    wait_until(lambda: layout.run_path("finetune").exists())
    wait_until(lambda: files.read_json(layout.run_path("finetune"))["mlflow_run_id"] is not None)
    running.kill()
    running.wait()
    wait_until(lambda: not recorders())
    assert run_of("split").info.status == "FINISHED"
    assert run_of("finetune").info.status == "KILLED"
    assert not layout.recorder_socket(running.pid).exists()
