"""What becomes of versions, as flows: approve, promote, rollback, verify, compare.

Each is a command of `python -m pipeline` too, leaves an entry in the log, and changes nothing when
it is run again.
"""

from pathlib import Path
from typing import Literal

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput

from pipeline import approve as approval
from pipeline import champion, params
from pipeline import promote as promotion
from pipeline import verify as verification
from pipeline.errors import InputError
from pipeline.policy.approvals import Word
from pipeline.publish import Publication

_APPROVE = "approve/approve"  # flow and deployment
_HOUR_S = 3600
_MAX_ANSWERS = 10


class Answer(RunInput):
    """The form that an approver fills in."""

    name: str  # as policy.yaml's approvers has it
    decision: Literal["approve", "reject"]
    reason: str


@flow(name="approve", validate_parameters=True)
def approve(version: str, card: str = "", timeout_h: float = 72) -> str:
    """Wait, without a worker, for an approver's word on a version; then act on it.

    A word that would not hold is asked for again. Where nobody answers in time the run fails, and
    the version stays the challenger.

    Args:
        version: Its number in the registry.
        card: What the form says of it.
        timeout_h: Hours to wait for each answer.
    """
    asked = f"May version {version} be champion?\n\n{card}"
    why = ""
    for _ in range(_MAX_ANSWERS):
        form = Answer.with_initial_data(description=f"{why}\n\n{asked}".strip())
        answer = suspend_flow_run(wait_for_input=form, timeout=int(timeout_h * _HOUR_S))
        assert answer is not None
        try:
            return _say(version, answer.name, answer.decision, answer.reason)
        except InputError as error:
            why = f"**Not accepted:** {error}"
            get_run_logger().warning("%s", why)
    raise InputError(f"version {version}: {_MAX_ANSWERS} answers, and none that holds")


def _say(version: str, name: str, decision: Word, reason: str) -> str:
    bundle = params.load().bundle
    said = approval.say(bundle, version, name, decision, reason)
    if decision == "approve":
        said = f"{said}\n{promotion.promote(bundle, version).summary()}"
    get_run_logger().info("%s", said)
    create_markdown_artifact(key="approval", markdown=said, description="What the approver said")
    return said


def ask_for_approval(publication: Publication) -> None:
    """Start the flow that waits for a person, once a version, where it is deployed."""
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
    get_run_logger().info("%s waits for a person's word", _APPROVE)


@flow(name="promote", validate_parameters=True)
def promote(version: str) -> promotion.Promotion:
    """Make a version champion that the gate has passed.

    Args:
        version: Its number in the registry.
    """
    made = promotion.promote(params.load().bundle, version)
    get_run_logger().info("%s", made.summary())
    if made.outcome == "refused":
        raise InputError(made.summary())
    return made


@flow(name="rollback", validate_parameters=True)
def rollback(version: str) -> str:
    """Take a champion back; the one before it is champion again.

    Args:
        version: The number of the version to take back. One that is no longer champion stays so.
    """
    said = champion.rollback(params.load().bundle, version)
    get_run_logger().info("%s", said)
    return said


@flow(name="verify", validate_parameters=True)
def verify(target: str = "", with_log: bool = True) -> verification.Verification:
    """Check every byte of a version; take the alias back where a waiver has expired.

    Args:
        target: models:/NAME@champion or models:/NAME/3; the champion of params.yaml, where empty.
        with_log: Whether the log of decisions must be in this clone.
    """
    wanted = target or f"models:/{params.load().bundle.name}@{champion.CHAMPION}"
    found = verification.verify(wanted, with_log)
    get_run_logger().info("%s", found.summary())
    if found.withdrawn:
        raise InputError(found.summary())
    return found


@flow(name="compare", validate_parameters=True)
def compare(rows: Path, version: str | None = None) -> str:
    """Let a version and the champion answer fresh labelled rows; return the figures in words.

    Args:
        rows: A file or folder on the worker, with text and label.
        version: Its number in the registry; the challenger, where empty.
    """
    from pipeline import compare as comparison  # with SciPy, which no other flow here needs

    said = comparison.compare(params.load().bundle, rows, version).summary()
    get_run_logger().info("%s", said)
    create_markdown_artifact(
        key="comparison",
        markdown=f"```\n{said}\n```",
        description="A version and the champion on fresh rows",
    )
    return said
