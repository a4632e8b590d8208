"""What Prefect, DVC and MLflow cost over the bare stages.

Needs a workspace whose data is recorded. In a copy of it no stage has run yet; the time of one run
of all of them, less the times of the stages themselves in that run, is what the tools cost. A
stage's own time is Python's start, as measured with `python -m pipeline --help`, plus the time in
.charter/runs/STAGE.json: from its first line until its report is written, including its imports but
not the wait for MLflow. The databases of Prefect and MLflow are made beforehand, as in every run
but the first. The flow runs twice: with a server of its own, and on a running one, as a team has.
"""

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from flows import graph

ROOT = Path(__file__).parents[1]
_MADE = ("build", ".charter", ".venv", ".prefect", "mlruns", "mlflow.db", "runs", "dvc.lock")
_FLOW = ("flows.retrain", "--no-promote")
_WAYS = {  # the command, and whether a Prefect server is up for it
    "`dvc repro`": (("dvc", "repro"), False),
    "`python -m flows.retrain --no-promote`": (_FLOW, False),
    "the same, on a server on PostgreSQL that is up": (_FLOW, True),
}
_DATABASES = (
    ("-m", "prefect", "server", "database", "upgrade", "--yes"),
    ("-c", "from pipeline.adapters import tracking; tracking.connect().search_experiments()"),
)
_STARTS = 5
_RUN_S = 300.0  # of the goal: at most 2% of a run of five minutes


def compare() -> list[str]:
    """Run each way once; return a Markdown table of seconds."""
    stages = [node.name for node in graph.nodes()]
    lines = [
        "| run | s | the stages' own s | tools, s | a stage | share of a run of 5 minutes |",
        "|---|---|---|---|---|---|",
    ]
    started = len(stages) * _time_start()
    for name, (command, served) in _WAYS.items():
        seconds, own = measure(command, stages, served)
        own += started
        tools = seconds - own
        cells = [f"{seconds:.1f}", f"{own:.1f}", f"{tools:.1f}", f"{tools / len(stages):.2f}"]
        lines.append(f"| {name} | {' | '.join(cells)} | {tools / _RUN_S:.1%} |")
    return lines


def measure(command: tuple[str, ...], stages: list[str], served: bool) -> tuple[float, float]:
    """Return the seconds of a run in a copy of the workspace, and of its stages themselves."""
    sys.path[:0] = [str(ROOT / "tests")]
    import servers

    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        home = Path(place)
        work = home / "work"
        shutil.copytree(".", work, symlinks=True, ignore=shutil.ignore_patterns(*_MADE))
        own = {"PREFECT_HOME": str(home / "prefect"), "DVC_SITE_CACHE_DIR": place}
        for make in _DATABASES:
            _run(make, work, own)
        if served:
            server = stack.enter_context(servers.prefect_on_postgres(home / "prefect"))
            own["PREFECT_API_URL"] = server.url
        start = time.monotonic()
        _run(("-m", *command), work, own)
        seconds = time.monotonic() - start
        runs = [json.loads((work / ".charter/runs" / f"{s}.json").read_text()) for s in stages]
        return seconds, sum(run["seconds"] for run in runs)


def _time_start() -> float:
    """Return the seconds that a stage's process takes to its first line, the median of some."""
    times = []
    for _ in range(_STARTS):
        start = time.monotonic()
        _run(("-m", "pipeline", "--help"), Path(), {})
        times.append(time.monotonic() - start)
    return statistics.median(times)


def _run(arguments: tuple[str, ...], work: Path, own: dict[str, str]) -> None:
    command, env = [sys.executable, *arguments], {**os.environ, **own}
    subprocess.run(command, cwd=work, env=env, check=True, stdout=subprocess.DEVNULL)
