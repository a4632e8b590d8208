"""The one task: run a stage of dvc.yaml through DVC, show its progress, keep its report."""

import contextlib
import os
import re
import shlex
import sys
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

from flows import graph, markdown, mend
from flows.retried import RETRIED
from flows.run_dvc import Dvc
from pipeline import layout, shards
from pipeline.adapters import tracking
from pipeline.errors import InputError

_INPUT_ERROR_CODE = re.compile(r"exited with 2\b")  # DVC's, of `python -m pipeline`'s refusal
_RUNNING = "Running stage"  # what DVC says where it does not skip or restore it
TIMEOUT_S = 24 * 3600


class StageError(RuntimeError):
    """A stage failed for a reason that a retry may mend."""


@task(task_run_name="{name}", timeout_seconds=TIMEOUT_S, **RETRIED)
def run_stage(name: str, dvc: Dvc, current: bool = False) -> State[Any]:
    """Run ``dvc repro --single-item NAME``; a stage that is current ends as Cached.

    Args:
        name: A stage of dvc.yaml.
        dvc: What runs it.
        current: It is known to be current.

    Raises:
        InputError: the stage refused its input; not retried.
        StageError: it failed otherwise.
    """
    if current or not reproduce(name, dvc):
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


def reproduce(name: str, dvc: Dvc) -> bool:
    """Run ``dvc repro --single-item NAME``, its lines in the log, its progress in an artifact.

    Return whether DVC ran the stage: it does not where the outputs are there or in the run-cache.
    Outputs from a cache that a disk has spoilt are made again.

    Raises:
        InputError: the stage refused its input.
        StageError: it failed otherwise.
    """
    mend.remove_damaged_lists()
    try:
        ran = _repro(name, dvc)
        if damaged := mend.remove_damaged(name):
            get_run_logger().warning("DVC's cache is damaged, again: %s", ", ".join(damaged))
            ran = _repro(name, dvc)
    except StageError:
        graph.nodes()  # mends what a DVC that was killed has left, for the retry
        raise
    return ran


def _repro(name: str, dvc: Dvc) -> bool:
    tail: list[str] = []
    ran = False
    log = get_run_logger()
    artifact: UUID | None = None
    with contextlib.closing(dvc.run("repro", "--single-item", name)) as lines:
        for line in lines:
            if line is None:
                artifact = _show_progress(name, artifact)
                continue
            log.info("%s", line)
            tail = [*tail[-19:], line]
            ran = ran or line.startswith(_RUNNING)
    _show_progress(name, artifact)
    if dvc.code:
        message = "\n".join(tail)
        raise (InputError if _INPUT_ERROR_CODE.search(message) else StageError)(message)
    return ran


def dvc_for(parent_run: str | None) -> Dvc:
    """Return DVC for a run's stages, whose MLflow runs nest under ``parent_run``.

    Their shards are tasks on the server that this run is on.
    """
    parent = {tracking.PARENT_RUN: parent_run} if parent_run else {}
    command = shlex.join([sys.executable, "-m", "flows.shards"])
    with get_client(sync_client=True) as client:
        server = str(client.api_url)
    own = {"PREFECT_API_URL": server, "PYTHONPATH": layout.python_path(), **parent}
    return Dvc({shards.COMMAND: command, **os.environ, **own})


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
