"""Whether scheduled runs with nothing to do leave memory, open files and disk as they were.

Needs a workspace whose stages are current. A Prefect server and a worker of its own run the
deployment `retrain` again and again, as its schedule would; the memory and open files of both, and
the disk, are read after each run. Prefect keeps a record of each run in its database: that this
grows is stated, and is not a leak.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from prefect.deployments import run_deployment
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

from flows.server import free_port
from pipeline import telemetry

RUNS = 100
_POOL = "flow"
_WARM_RUNS = 3  # caches fill, libraries load
_START_S = 120.0
_KEPT = ("build", ".charter", ".dvc", "mlruns", "mlflow.db", "dvc.lock")


class Reading(NamedTuple):
    """What is in use after a run."""

    run: int
    seconds: float
    worker_mb: float
    worker_files: int
    server_mb: float
    server_files: int
    workspace_kb: float
    prefect_kb: float


def compare(runs: int = RUNS) -> list[str]:
    """Run the deployment again and again; return a Markdown table of what is in use meanwhile."""
    assert runs > _WARM_RUNS, f"more than {_WARM_RUNS} runs are needed"
    return table(measure(runs))


def measure(runs: int) -> list[Reading]:
    """Run the deployment ``runs`` times; return a reading after each."""
    with tempfile.TemporaryDirectory() as home, _servers(Path(home)) as (server, worker):
        readings = []
        for number in range(1, runs + 1):
            started = time.monotonic()
            _run_once()
            seconds = time.monotonic() - started
            readings.append(_read(number, seconds, server, worker, Path(home)))
            print(readings[-1], flush=True)
        return readings


def _run_once() -> None:
    run = run_deployment("retrain/retrain", parameters={"promote": False, "placement": "here"})
    if not run.state or not run.state.is_completed():
        raise SystemExit(f"the run ended as {run.state}; see above")


def _read(number: int, seconds: float, server: int, worker: int, home: Path) -> Reading:
    workspace = sum(_disk_kb(Path(name)) for name in _KEPT)
    used = (_memory_mb(worker), _open_files(worker), _memory_mb(server), _open_files(server))
    return Reading(number, seconds, *used, workspace, _disk_kb(home))


def _memory_mb(pid: int) -> float:
    """Resident memory without what is shared (PSS needs more rights): RssAnon, in MB."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith("RssAnon"))


def _open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _disk_kb(path: Path) -> float:
    files = path.rglob("*") if path.is_dir() else [path]
    size = 0
    for each in files:
        with contextlib.suppress(FileNotFoundError):
            size += each.lstat().st_blocks * 512
    return size / 1024


@contextlib.contextmanager
def _servers(home: Path) -> Iterator[tuple[int, int]]:
    """Yield the process ids of a Prefect server and of a worker with `retrain` deployed."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    own = {"PREFECT_HOME": str(home), "PREFECT_API_URL": url}
    env = {**os.environ, **telemetry.OFF, **own}
    server = ["server", "start", "--host", "127.0.0.1", "--port", port]
    with (
        temporary_settings({PREFECT_API_URL: url, PREFECT_HOME: home}),
        _prefect(server, env) as server_pid,
    ):
        _wait_for(f"{url}/health")
        for pool in (_POOL, "cpu", "gpu"):
            _call(["work-pool", "create", pool, "--type", "process"], env)
        _call(["--no-prompt", "deploy", "--all"], env)
        with _prefect(["worker", "start", "--pool", _POOL], env) as worker_pid:
            yield server_pid, worker_pid


@contextlib.contextmanager
def _prefect(arguments: list[str], env: dict[str, str]) -> Iterator[int]:
    """Yield the process id of a prefect command, which ends with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "prefect", *arguments],
        env=env,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # a worker takes more than 30 s to end of itself
        process.wait()


def _call(arguments: list[str], env: dict[str, str]) -> None:
    command = [sys.executable, "-m", "prefect", *arguments]
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)


def _wait_for(url: str) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):  # noqa: S310
            return
        time.sleep(0.2)
    raise SystemExit(f"{url} does not answer")


def table(readings: list[Reading]) -> list[str]:
    """Return the first reading after the warm ones, the middle, the last, and growth a run."""
    kept = readings[_WARM_RUNS:]
    names = Reading._fields
    rows = [kept[0], kept[len(kept) // 2], kept[-1]]
    lines = ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]
    lines += ["| " + " | ".join(f"{value:,.1f}" for value in row) + " |" for row in rows]
    span = max(kept[-1].run - kept[0].run, 1)
    growth = [(last - first) / span for first, last in zip(kept[0], kept[-1], strict=True)]
    return [*lines, "| a run | " + " | ".join(f"{each:+,.2f}" for each in growth[1:]) + " |"]
