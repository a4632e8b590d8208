"""Two processes: started by the command, killed, resumed; and by a launcher on two machines.

Both against one process.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import servers
import yaml
from toy_model import pretrain_params, write_tokenised

from pipeline import files, layout, reports
from pipeline.adapters import tracking
from pipeline.encoder.digest import encoder_digest
from pipeline.reports import PretrainReport
from pipeline.stages import pretrain
from pipeline.track import Silent

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
STEPS = 60


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mlflow_uri: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("CHARTER_PARENT_RUN", "WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    write_tokenised(Path("build/tokenise"))


def _toy(**changes: Any) -> dict[str, Any]:
    toy = pretrain_params(tokens=STEPS * 64, dropout=0.0, masking_rate=0.4, **changes)
    return toy.model_dump()


def _write_params(**changes: Any) -> None:
    raw = yaml.safe_load((ROOT / "params.yaml").read_text())
    raw |= {"size": "default", "pretrain": _toy(**changes)}
    layout.PARAMS.write_text(yaml.safe_dump(raw))


def _start() -> "subprocess.Popen[str]":
    _write_params(processes=2)
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", "pretrain"], stderr=subprocess.PIPE, text=True
    )


def _runs_since(time_ms: float) -> list[str]:
    client = tracking.connect()
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT).experiment_id
    runs = client.search_runs([experiment], order_by=["attributes.start_time"])
    return [run.info.status for run in runs if run.info.start_time >= time_ms]


def _wait_for_checkpoint(process: "subprocess.Popen[str]", step: int) -> None:
    deadline = time.monotonic() + 120
    while not any(int(p.name[5:]) >= step for p in layout.CHECKPOINTS.glob("*/step-*")):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _ranks(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    children = psutil.Process(process.pid).children()
    spawned = [child for child in children if "--multiprocessing-fork" in child.cmdline()]
    return sorted(spawned, key=lambda child: child.pid)


def test_a_killed_process_ends_the_stage_which_then_resumes_to_what_one_process_gives() -> None:
    """SIGKILL of the second process; the same command again; the same in this process, alone."""
    began_ms = time.time() * 1000
    process = _start()
    _wait_for_checkpoint(process, 6)
    first, second = _ranks(process)
    second.send_signal(signal.SIGKILL)
    assert process.wait(60) == 1
    assert not first.is_running()
    assert not (layout.stage_dir("pretrain") / "model").exists()
    assert files.read_json(layout.run_path("pretrain"))["state"] == "failed"

    again = _start()
    _, said = again.communicate(timeout=120)
    assert again.returncode == 0, said
    assert said.count("resuming after step") == 1  # by the first process alone
    shared = reports.read(PretrainReport)
    assert (shared.processes, shared.steps) == (2, STEPS)
    assert shared.encoder_digest == encoder_digest(layout.stage_dir("pretrain") / "model")
    assert not list(layout.CHECKPOINTS.iterdir())
    assert _runs_since(began_ms) == ["FAILED", "FINISHED"]  # one a stage, not one a process

    alone = pretrain.run(pretrain_params(**_toy()), Silent())
    assert alone.processes == 1
    assert shared.tokens == alone.tokens
    losses = [[point.loss for point in report.curve] for report in (shared, alone)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert shared.final_loss == pytest.approx(alone.final_loss, rel=1e-4)


def _launch(pattern: str, machine: int, port: str, **variables: str) -> "subprocess.Popen[str]":
    """Start the operations page's command on one of two machines, each in a folder of its own."""
    (written,) = re.findall(pattern, (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    command = re.sub(r"(node-|machine_)rank 0", rf"\1rank {machine}", written)
    command = command.replace("head.example.org", "127.0.0.1").replace("-node 8", "-node 1")
    command = command.replace("_processes 16", "_processes 2").replace("29500", port)
    folder = Path(f"machine{machine}")
    shutil.copytree("build", folder / "build")
    shutil.copy(layout.PARAMS, folder)
    return subprocess.Popen(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, **variables, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    "pattern",
    ["^torchrun .*$", "^accelerate .*$", "^srun (bash .*)$"],
    ids=["torchrun", "accelerate", "srun"],
)
def test_two_machines_that_share_no_disk_train_as_one_process(pattern: str) -> None:
    """A launcher's own variables; what srun does is to run the command on each machine."""
    _write_params()
    port = str(servers.free_port())
    of_srun = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    told: dict[str, str] = of_srun if "srun" in pattern else {"PET_MASTER_PORT": port}
    machines = [
        _launch(pattern, number, port, **told, SLURM_PROCID=str(number), SLURM_LOCALID="0")
        for number in range(2)
    ]
    said = [machine.communicate(timeout=120)[1] for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], said
    written = [Path(f"machine{number}") / layout.stage_dir("pretrain") for number in range(2)]
    assert not written[1].exists()
    shared = PretrainReport.model_validate(files.read_json(written[0] / "report.json"))
    alone = pretrain.run(pretrain_params(**_toy()), Silent())
    assert (shared.processes, alone.processes) == (2, 1)
    assert shared.final_loss == pytest.approx(alone.final_loss, rel=1e-4)
