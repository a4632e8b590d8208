"""What is done with versions, as flows: promote, roll back, verify, compare.

Each is also a command of `python -m pipeline`, with the same effect.
"""

from pathlib import Path

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact

from pipeline import champion, params
from pipeline import promote as promotion
from pipeline import verify as verification
from pipeline.errors import InputError


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
