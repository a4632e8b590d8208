"""Where stages run: here, one after another, or on the work pools named in dvc.yaml's ``meta:``."""

from collections.abc import Sequence
from typing import Any, Literal

from prefect import get_client, get_run_logger, runtime, task
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterKey,
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterParentFlowRunId,
)
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.futures import PrefectFuture
from prefect.settings import get_current_settings
from prefect.states import Cancelling, Completed

from flows import exchange, snapshot
from flows.graph import Node
from flows.retried import RETRIED, WRONG_INPUT
from flows.stage import StageError, dvc_for, run_stage
from pipeline.errors import InputError

Placement = Literal["here", "pools"]
_POLL_S = 1.0


def run_stages(nodes: Sequence[Node], placement: Placement, parent_run: str | None) -> None:
    """Run the stages where ``placement`` says, each after the stages it needs.

    Here they run one after another, since each uses all the cores. On pools, stages that do not
    need each other run at the same time.

    Raises:
        InputError: a stage refused its input, or the pools are not set up.
        StageError: a stage failed otherwise, after its retries.
    """
    if placement == "here" or all(node.current for node in nodes):
        with dvc_for(parent_run) as dvc:
            for node in nodes:
                _named(run_stage, node)(node.name, dvc, node.current)
        return
    commit = snapshot.commit()
    check_pools(nodes)
    exchange.push()  # data/, and outputs that are already here
    futures: dict[str, PrefectFuture[Any]] = {}
    try:
        for node in nodes:
            futures[node.name] = _named(send_stage, node).submit(
                node, commit, parent_run, wait_for=[futures[name] for name in node.needs]
            )
        for future in futures.values():
            future.result()
    except BaseException:
        cancel_sent()
        raise


def _named(stage_task: Any, node: Node) -> Any:
    return stage_task.with_options(name=node.name, tags=[node.pool])


@task(task_run_name="{node.name}", **RETRIED)  # the time limit is on the worker's flow
def send_stage(node: Node, commit: str, parent_run: str | None) -> State[Any]:
    """Have a worker of the stage's pool run it, then take its outputs from the DVC remote.

    If any machine has already run it on these inputs nothing is sent, and it ends as Cached.

    Raises:
        InputError: the stage refused its input, or the worker refused the stage; not retried.
        StageError: the stage failed otherwise, or its worker was lost.
    """
    if node.current or exchange.restore(node.name):
        return Completed(name="Cached", message="inputs, parameters and code as in the run-cache")
    sent = run_deployment(
        f"stage/{node.pool}",
        flow_run_name=f"{node.name} of {runtime.flow_run.name}",
        parameters={
            "stage": node.name,
            "commit": commit,
            "files": snapshot.files(),
            "parent_run": parent_run,
        },
        poll_interval=_POLL_S,
        tags=[node.name, node.pool],
    )
    assert isinstance(sent, FlowRun)
    assert sent.state
    _show_report(node.name, sent)
    if sent.state.is_cancelled():
        return sent.state
    if not sent.state.is_completed():
        wrong = sent.state.name == WRONG_INPUT
        raise (InputError if wrong else StageError)(f"{node.name}: {sent.state.message}")
    if not exchange.restore(node.name):
        raise StageError(f"{node.name}: its worker left no result for these inputs in the remote")
    return Completed(message=f"done by a worker of the pool {node.pool}")


def _show_report(stage: str, sent: FlowRun) -> None:
    """Copy the report from the page of the worker's run to the page of this one."""
    with get_client(sync_client=True) as client:
        reports = client.read_artifacts(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[sent.id])),
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[f"report-{stage}"])),
        )
    for report in reports:
        create_markdown_artifact(
            key=report.key, markdown=str(report.data), description=report.description
        )


def check_pools(nodes: Sequence[Node]) -> None:
    """Refuse to start without a server, a DVC remote, and a pool and deployment for each stage.

    Raises:
        InputError: saying what is missing, with the command that makes it.
    """
    if not get_current_settings().api.url:
        raise InputError("placement: pools needs a Prefect server: set PREFECT_API_URL")
    exchange.check_remote()
    with get_client(sync_client=True) as client:
        for pool in sorted({node.pool for node in nodes}):
            try:
                client.read_work_pool(pool)
            except ObjectNotFound:
                raise InputError(
                    f"no work pool {pool}; run `prefect work-pool create {pool} --type process` "
                    "(or docker, or kubernetes), then `prefect deploy --all`"
                ) from None
            try:
                client.read_deployment_by_name(f"stage/{pool}")
            except ObjectNotFound:
                raise InputError(
                    f"no deployment stage/{pool}; run `prefect deploy --all` in the repository"
                ) from None


def cancel_sent() -> None:
    """Cancel the runs that this flow run has sent; their workers stop the processes."""
    mine = FlowRunFilterParentFlowRunId(any_=[runtime.flow_run.id])
    with get_client(sync_client=True) as client:
        for run in client.read_flow_runs(flow_run_filter=FlowRunFilter(parent_flow_run_id=mine)):
            if run.state and not run.state.is_final():
                get_run_logger().warning("cancelling %s", run.name)
                client.set_flow_run_state(run.id, Cancelling())
