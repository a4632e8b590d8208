"""The flow ``stage``, which a work pool's worker runs in a clone of its own."""

from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows import exchange, snapshot
from flows.retried import WRONG_INPUT
from flows.stage import TIMEOUT_S, dvc_for, reproduce, show_report
from pipeline import layout
from pipeline.errors import InputError
from pipeline.files import locked

_LOCK = layout.STATE / "worker.lock"  # a clone runs one stage at a time


@flow(name="stage", timeout_seconds=TIMEOUT_S, persist_result=False)
def run_sent_stage(
    stage: str, commit: str, files: dict[str, str], parent_run: str | None = None
) -> State[Any]:
    """Run one stage as the flow's host would: inputs from the DVC remote, outputs to it.

    If any machine has already run it on these inputs, its result is taken from the run-cache.

    Args:
        stage: A stage of dvc.yaml.
        commit: The commit that this clone must be at.
        files: The host's params.yaml, policy.yaml, data.dvc and dvc.lock.
        parent_run: MLflow run under which the stage's own run is nested.
    """
    try:
        with locked(_LOCK, get_run_logger().info):
            _check_commit(commit)
            snapshot.write(files)
            exchange.pull_inputs(stage)
            exchange.restore(stage)  # if another machine has done it meanwhile
            with dvc_for(parent_run) as dvc:
                ran = reproduce(stage, dvc)
            exchange.push(stage, anew=ran)
            show_report(stage)
    except InputError as error:
        return Failed(name=WRONG_INPUT, message=str(error))
    return Completed(message="done, and pushed to the DVC remote")


def _check_commit(wanted: str) -> None:
    here = snapshot.commit()
    if here != wanted:
        raise InputError(
            f"this worker's clone is at {here[:12]} and the flow is at {wanted[:12]}; "
            f"here: `git fetch && git checkout {wanted}`"
        )
