"""Approval as a flow: wait for a person's decision on a version, then carry it out."""

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput

from pipeline import approve as approval
from pipeline import params
from pipeline import promote as promotion
from pipeline.errors import InputError
from pipeline.policy.approvals import Answer
from pipeline.publish import Publication

_APPROVE = "approve/approve"  # flow and deployment
_HOUR_S = 3600
_MAX_ANSWERS = 10


class Form(RunInput):
    """The form that an approver fills in."""

    name: str  # as it stands among policy.yaml's approvers
    decision: Answer
    reason: str


@flow(name="approve", validate_parameters=True)
def approve(version: str, card: str = "", timeout_h: float = 72) -> str:
    """Wait, without a worker, for an approver's decision on a version; then carry it out.

    An answer that is not valid is asked for again. Where nobody answers in time the run fails, and
    the version stays the challenger.

    Args:
        version: Its number in the registry.
        card: What the form says about it.
        timeout_h: Hours to wait for each answer.
    """
    asked = f"May version {version} be champion?\n\n{card}"
    why = ""
    for _ in range(_MAX_ANSWERS):
        form = Form.with_initial_data(description=f"{why}\n\n{asked}".strip())
        answer = suspend_flow_run(wait_for_input=form, timeout=int(timeout_h * _HOUR_S))
        assert answer is not None
        try:
            return _carry_out(version, answer.name, answer.decision, answer.reason)
        except InputError as error:
            why = f"**Not accepted:** {error}"
            get_run_logger().warning("%s", why)
    raise InputError(f"version {version}: none of {_MAX_ANSWERS} answers was valid")


def _carry_out(version: str, name: str, decision: Answer, reason: str) -> str:
    bundle = params.load().bundle
    said = approval.answer(bundle, version, name, decision, reason)
    if decision == "approve":
        said = f"{said}\n{promotion.promote(bundle, version).summary()}"
    get_run_logger().info("%s", said)
    create_markdown_artifact(key="approval", markdown=said, description="What the approver said")
    return said


def ask_for_approval(publication: Publication) -> None:
    """Start the flow that waits for a person, once for each version, where it is deployed."""
    try:
        run_deployment(
            _APPROVE,
            parameters={"version": publication.version, "card": publication.markdown()},
            timeout=0,
            as_subflow=False,
            idempotency_key=f"approve {publication.name} {publication.version}",
        )
    except ObjectNotFound:
        get_run_logger().info("no deployment %s: %s", _APPROVE, publication.withheld)
        return
    get_run_logger().info("%s waits for a person's decision", _APPROVE)
