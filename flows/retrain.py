"""``python -m flows.retrain``: each stage of dvc.yaml as a task, then the gate and registry."""

import argparse
import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any, cast, get_args

from prefect import flow, get_run_logger, runtime, tags, task
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.exceptions import MissingResult
from prefect.settings import get_current_settings
from prefect.states import Completed, Failed

from flows import graph, server
from flows.approve import ask_for_approval
from flows.placement import Placement, run_stages
from flows.retried import WRONG_INPUT
from flows.when import Answer, When, ask
from pipeline import files, ingest, layout, lifeline, params, publish
from pipeline.__main__ import REFUSED_CODE
from pipeline.adapters import recorder, tracking
from pipeline.errors import InputError

SKIPPED = "Skipped"  # the state of a run that had nothing to do
BUNDLED = "Completed"  # of one that was to stop at the bundle
WELL = {SKIPPED, BUNDLED, "Promoted", "AlreadyChampion"}
LOCK = layout.STATE / "retrain.lock"  # held by the one run in this clone


@flow(name="retrain", validate_parameters=True)
def retrain(
    when: When = "always", promote: bool = True, placement: Placement = "here"
) -> State[publish.Publication] | State[None] | None:
    """Run the stages in DVC's order, then publish the bundle that they made.

    The run ends as Promoted, Refused, AwaitingApproval, AlreadyChampion, Skipped, or WrongInput.

    Args:
        when: Run always; when DVC's hash of data/ is not the champion's; or when the new labelled
            rows differ from the champion's beyond chance (drift). Otherwise end as Skipped.
        promote: Register the bundle and let the gate decide; otherwise stop at the bundle.
        placement: Run the stages here, or send each to the work pool that dvc.yaml names for it.
    """
    try:
        with files.held(LOCK, "retrain"):
            answer = _ask(when)
            if not answer.run:
                return Completed(name=SKIPPED, message=answer.why)
            return _run(promote, placement)
    except InputError as error:  # for a person to correct, who needs no traceback
        return Failed(name=WRONG_INPUT, message=str(error))


def _ask(when: When) -> Answer:
    answer = ask(when)
    get_run_logger().info("%s: %s", "retraining" if answer.run else "skipped", answer.why)
    if when != "always":
        create_markdown_artifact(
            key="when", markdown=answer.markdown(), description="Whether there is something to do"
        )
    return answer


def _run(promote: bool, placement: Placement) -> State[publish.Publication] | None:
    nodes = graph.nodes()
    with _mlflow_run(nodes) as parent_run:
        run_stages(nodes, placement, parent_run)
    recorder.resend()
    if not promote:
        return None
    if any(not node.current for node in nodes):
        graph.check_results()
    publication = publish_bundle()
    if publication.outcome == "awaiting approval":
        ask_for_approval(publication)
    return Completed(
        name=publication.outcome.title().replace(" ", ""),  # an event that automations can expect
        message=publication.withheld or f"{publication.name} version {publication.version}",
        data=publication,
    )


@contextlib.contextmanager
def _mlflow_run(nodes: Sequence[graph.Node]) -> Iterator[str | None]:
    """Yield the MLflow run under which the stages' runs nest; none if every stage is current."""
    if all(node.current for node in nodes):
        yield None
        return
    run_id = tracking.start_parent_run(runtime.flow_run.name)
    succeeded = False
    try:
        yield run_id
        succeeded = True
    finally:
        tracking.end_parent_run(run_id, succeeded)


@task(name="publish", task_run_name="publish", tags=["registry"])
def publish_bundle() -> publish.Publication:
    """Register build/bundle as a model version and move the champion if the gate passes."""
    publication = publish.publish(params.load().bundle)
    get_run_logger().info("%s", publication.summary())
    create_markdown_artifact(
        key="decision", markdown=publication.markdown(), description="What the gate decided"
    )
    return publication


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch the data, retrain, and say where the results are; 3 means that the gate refused."""
    parser = argparse.ArgumentParser(prog="python -m flows.retrain", description=__doc__)
    parser.add_argument("--size", help="default or small; written to params.yaml first")
    parser.add_argument("--when", choices=get_args(When), default="always", help="see `retrain`")
    parser.add_argument("--no-promote", action="store_true", help="stop at the bundle")
    parser.add_argument(
        "--placement",
        choices=get_args(Placement),
        default="here",
        help="pools: each stage on a worker of the pool that dvc.yaml names for it",
    )
    parsed = parser.parse_args(arguments)
    try:
        if parsed.size:
            with files.held(LOCK, "retrain"):  # not while another run reads it
                params.set_size(parsed.size)
        chosen = params.load()
        with (
            server.at_hand(start=parsed.placement == "here") as wait,
            tags(chosen.bundle.name, f"size:{chosen.size}"),
        ):
            ingest.run(chosen.ingest, print)
            tracking.load()  # while the server starts
            wait()
            state = retrain(
                parsed.when,
                promote=not parsed.no_promote,
                placement=parsed.placement,
                return_state=True,
            )
        if state.name == WRONG_INPUT:
            raise InputError(state.message)
        return conclude(state)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2


def conclude(state: State[Any]) -> int:
    """Print what a run ended as and where its results are; return the command's exit code."""
    print(_whereabouts(_published(state), state))
    return 0 if state.name in WELL else REFUSED_CODE


def _published(state: State[Any]) -> publish.Publication | None:
    """Return the run's result; None if it stopped at the bundle, or if only its state is known.

    A server that answers too late is asked again, refuses the second request, and sends its own
    copy of the state that the first has set, which is without the result.
    """
    try:
        return cast("publish.Publication | None", state.result())
    except MissingResult:
        return None


def _whereabouts(publication: publish.Publication | None, state: State[Any]) -> str:
    settings = get_current_settings()
    here = f"http://{settings.server.api.host}:{settings.server.api.port}"
    page = f"{settings.ui_url or here}/runs/flow-run/{state.state_details.flow_run_id}"
    after = "" if settings.api.url else " (after `make ui`)"
    made = f"{str(state.name).lower():<9} {state.message}"
    if publication:
        made = publication.summary()
    elif state.name == BUNDLED:
        made = f"bundle    {layout.stage_dir('bundle')}"
    return f"\n{made}\nPrefect   {page}{after}"


if __name__ == "__main__":
    lifeline.leave(main())
