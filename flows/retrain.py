"""``python -m flows.retrain``: each stage of dvc.yaml as a task, then the gate and registry."""

import argparse
import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import get_args
from uuid import UUID

from prefect import flow, get_run_logger, runtime, task
from prefect.artifacts import create_markdown_artifact
from prefect.settings import get_current_settings

from flows import graph
from flows.placement import Placement, run_stages
from pipeline import ingest, layout, params, publish
from pipeline.__main__ import REFUSED_CODE
from pipeline.adapters import tracking
from pipeline.errors import InputError


@flow(name="retrain", validate_parameters=True)
def retrain(promote: bool = True, placement: Placement = "here") -> publish.Publication | None:
    """Run the stages in DVC's order, each on what it needs, then publish what they made.

    Args:
        promote: Register the bundle and let the gate decide; otherwise stop at the bundle.
        placement: Run the stages here, or send each to the work pool that dvc.yaml names for it.
    """
    nodes = graph.nodes()
    with _mlflow_run(nodes) as parent_run:
        run_stages(nodes, placement, parent_run)
    return publish_bundle() if promote else None


@contextlib.contextmanager
def _mlflow_run(nodes: Sequence[graph.Node]) -> Iterator[str | None]:
    """Yield the MLflow run under which the stages' runs nest; none where no stage has work."""
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
    """Fetch the data, retrain, and say where everything is. 3 means refused by the gate."""
    parser = argparse.ArgumentParser(prog="python -m flows.retrain", description=__doc__)
    parser.add_argument("--size", help="written into params.yaml first: default or small")
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
            params.set_size(parsed.size)
        ingest.run(params.load().ingest, print)
        graph.check_data()
        state = retrain(
            promote=not parsed.no_promote, placement=parsed.placement, return_state=True
        )
        publication = state.result()
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    print(_whereabouts(publication, state.state_details.flow_run_id))
    return REFUSED_CODE if publication and not publication.promoted else 0


def _whereabouts(publication: publish.Publication | None, flow_run: UUID | None) -> str:
    settings = get_current_settings()
    here = f"http://{settings.server.api.host}:{settings.server.api.port}"
    prefect = f"{settings.ui_url or here}/runs/flow-run/{flow_run}"
    after = "" if settings.api.url else " (after `make ui`)"
    made = publication.summary() if publication else f"bundle    {layout.stage_dir('bundle')}"
    return f"\n{made}\nPrefect   {prefect}{after}"


if __name__ == "__main__":
    sys.exit(main())
