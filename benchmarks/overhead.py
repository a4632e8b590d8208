"""What Prefect, DVC and MLflow cost over the bare stages.

Needs a workspace whose data is recorded. In a copy of it every stage is still to do; the time
of one run of all of them, less the times of the stages themselves in that same run, is what the
tools cost. A stage's own time is what it says in .charter/runs/STAGE.json: from its first line
until its report is written, its imports included, without waiting for MLflow. The databases of
Prefect and MLflow are there before, as they are in every run but the first.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from flows import graph

_MADE = ("build", ".charter", ".venv", ".prefect", "mlruns", "mlflow.db", "runs", "dvc.lock")
_WAYS = {
    "dvc repro": ("dvc", "repro"),
    "python -m flows.retrain --no-promote": ("flows.retrain", "--no-promote"),
}
_DATABASES = (
    ("-m", "prefect", "server", "database", "upgrade", "--yes"),
    ("-c", "from pipeline.adapters import tracking; tracking.connect().search_experiments()"),
)
_RUN_S = 300.0  # of the goal: at most 2% of a run of five minutes


def compare() -> list[str]:
    """Run each way once; return a Markdown table of seconds."""
    stages = [node.name for node in graph.nodes()]
    lines = [
        "| run | s | the stages' own s | tools, s | a stage | share of a run of 5 minutes |",
        "|---|---|---|---|---|---|",
    ]
    for name, command in _WAYS.items():
        seconds, own = measure(command, stages)
        tools = seconds - own
        cells = [f"{seconds:.1f}", f"{own:.1f}", f"{tools:.1f}", f"{tools / len(stages):.2f}"]
        lines.append(f"| `{name}` | {' | '.join(cells)} | {tools / _RUN_S:.1%} |")
    return lines


def measure(command: tuple[str, ...], stages: list[str]) -> tuple[float, float]:
    """Return the seconds of a run in a copy of the workspace, and of its stages themselves."""
    with tempfile.TemporaryDirectory() as home:
        work = Path(home) / "work"
        shutil.copytree(".", work, symlinks=True, ignore=shutil.ignore_patterns(*_MADE))
        own = {"PREFECT_HOME": str(Path(home) / "prefect"), "DVC_SITE_CACHE_DIR": home}
        for database in _DATABASES:
            _run(database, work, own)
        start = time.monotonic()
        _run(("-m", *command), work, own)
        seconds = time.monotonic() - start
        runs = [json.loads((work / ".charter/runs" / f"{s}.json").read_text()) for s in stages]
        return seconds, sum(run["seconds"] for run in runs)


def _run(arguments: tuple[str, ...], work: Path, own: dict[str, str]) -> None:
    command, env = [sys.executable, *arguments], {**os.environ, **own}
    subprocess.run(command, cwd=work, env=env, check=True, stdout=subprocess.DEVNULL)
