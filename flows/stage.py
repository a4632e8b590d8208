"""The one task: run a stage of dvc.yaml through DVC, show its progress, keep its report."""

import os
import queue
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from prefect import get_client, get_run_logger, task
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    update_progress_artifact,
)
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows import markdown, mend
from flows.retried import RETRIED
from pipeline import layout, shards
from pipeline.adapters import tracking
from pipeline.errors import InputError

_POLL_S = 1.0
_GRACE_S = 10.0  # between asking a stage to end and killing it
_INPUT_ERROR_CODE = "exited with 2"  # what DVC says of `python -m pipeline` refusing its input
_RUNNING = "Running stage"  # what DVC says where it does not skip or restore it
TIMEOUT_S = 24 * 3600


class StageError(RuntimeError):
    """A stage failed for a reason that a retry may mend."""


@task(task_run_name="{name}", timeout_seconds=TIMEOUT_S, **RETRIED)
def run_stage(name: str, parent_run: str | None = None, current: bool = False) -> State[Any]:
    """Run ``dvc repro --single-item NAME``; a stage that is current ends as Cached.

    Args:
        name: A stage of dvc.yaml.
        parent_run: MLflow run under which the stage's own run is nested.
        current: It is known to be current.

    Raises:
        InputError: the stage refused its input; not retried.
        StageError: it failed otherwise.
    """
    if current or not reproduce(name, parent_run):
        return Completed(name="Cached", message="inputs, parameters and code as in dvc.lock")
    show_report(name)
    return Completed(message="done")


def show_report(name: str) -> None:
    """Show a stage's report on the page of the run."""
    create_markdown_artifact(
        key=f"report-{name}",
        markdown=markdown.stage_report(name),
        description=f"The report of the stage {name}",
    )


def reproduce(name: str, parent_run: str | None, *options: str) -> bool:
    """Run ``dvc repro --single-item NAME``, its lines in the log, its progress in an artifact.

    Return whether DVC ran the stage: it does not where the outputs are there or in the run-cache.
    Outputs from a cache that a disk has spoilt are made again.

    Raises:
        InputError: the stage refused its input.
        StageError: it failed otherwise.
    """
    mend.remove_damaged_lists()
    ran = _run_dvc(name, parent_run, options)
    if damaged := mend.remove_damaged(name):
        get_run_logger().warning("DVC's cache is damaged, running again: %s", ", ".join(damaged))
        ran = _run_dvc(name, parent_run, options)
    return ran


def _run_dvc(name: str, parent_run: str | None, options: Sequence[str]) -> bool:
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.run_dvc", "repro", "--single-item", *options, name],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=_environment(parent_run),
        start_new_session=True,  # so that a cancelled task takes its whole family with it
    )
    tail: list[str] = []
    ran = False
    try:
        log = get_run_logger()
        for line in _follow(process, name):
            log.info("%s", line)
            tail = [*tail[-19:], line]
            ran = ran or line.startswith(_RUNNING)
        code = process.wait()
    finally:
        _stop(process)
    if code:
        message = "\n".join(tail)
        raise (InputError if _INPUT_ERROR_CODE in message else StageError)(message)
    return ran


def _environment(parent_run: str | None) -> dict[str, str]:
    """Return what the stage is told; its shards are tasks on the server that this run is on."""
    parent = {tracking.PARENT_RUN: parent_run} if parent_run else {}
    command = shlex.join([sys.executable, "-m", "flows.shards"])
    with get_client(sync_client=True) as client:
        server = str(client.api_url)
    own = {"PREFECT_API_URL": server, "PYTHONPATH": layout.python_path(), **parent}
    return {shards.COMMAND: command, **os.environ, **own}


def _follow(process: "subprocess.Popen[str]", name: str) -> Iterator[str]:
    """Yield the lines that a process prints; keep its progress artifact up to date meanwhile."""
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_pump, args=(process, lines), daemon=True).start()
    artifact: UUID | None = None
    while True:
        try:
            line = lines.get(timeout=_POLL_S)
        except queue.Empty:
            artifact = _show_progress(name, artifact)
            continue
        if line is None:
            _show_progress(name, artifact)
            return
        if line:
            yield line


def _pump(process: "subprocess.Popen[str]", lines: "queue.Queue[str | None]") -> None:
    assert process.stdout is not None
    with process.stdout as printed:
        for line in printed:
            lines.put(line.rstrip())
    lines.put(None)


def _show_progress(name: str, artifact: UUID | None) -> UUID | None:
    run = markdown.read_run(name)
    if not run.get("total"):
        return artifact
    percent = 100.0 * run["done"] / run["total"]
    if artifact is None:
        created = create_progress_artifact(percent, key=f"progress-{name}")
        return UUID(str(created))
    update_progress_artifact(artifact, percent, description=markdown.progress(run))
    return artifact


def _stop(process: "subprocess.Popen[str]") -> None:
    """End a process group that is still running; one that does not heed SIGTERM is killed."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
