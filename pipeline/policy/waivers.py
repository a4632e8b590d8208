"""Waivers: an approver signs that one bundle may pass without one rule, for a limited time.

A waiver is a file in the folder waivers/. It can be given only for a rule that policy.yaml calls
``waivable``, and only if the rule was measured: missing evidence cannot be waived.
"""

import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import pydantic

from pipeline import files
from pipeline.errors import InputError, first_problem
from pipeline.policy.persons import is_same_person
from pipeline.policy.rules import Policy
from pipeline.policy.statements import Statement, Words

FOLDER = Path("waivers")


class Waiver(Statement):
    """What an approver signs so that a bundle may pass without a rule."""

    purpose: ClassVar[bytes] = b"charter waiver 1\n"

    rule: str  # its id in policy.yaml
    compensating_measure: str = Words  # what is done in place of the rule
    expires: datetime.date  # the last day on which it holds, UTC


def load(folder: Path = FOLDER) -> tuple[Waiver, ...]:
    """Read the waivers of a folder; none where there is no folder.

    Raises:
        InputError: naming the file and the key.
    """
    return tuple(_parse(path) for path in sorted(folder.glob("*.yaml")))


def _parse(path: Path) -> Waiver:
    try:
        return Waiver.model_validate(files.read_yaml(path))
    except pydantic.ValidationError as error:
        key, problem = first_problem(error)
        raise InputError(
            f"{path}: {key or 'waiver'}: {problem}; correct it or remove the file"
        ) from error


def accept(
    waivers: Iterable[Waiver], policy: Policy, bundle: str, author: str, today: datetime.date
) -> tuple[dict[str, Waiver], tuple[str, ...]]:
    """Return the waivers that are valid for an author's bundle, by rule, and why others are not."""
    accepted, refused = {}, []
    for waiver in waivers:
        if waiver.bundle != bundle:
            continue
        why = refusal(waiver, policy, bundle, author, today)
        if why:
            refused.append(f"the waiver of {waiver.rule} is not valid: {why}")
        else:
            accepted[waiver.rule] = waiver
    return accepted, tuple(refused)


def refusal(waiver: Waiver, policy: Policy, bundle: str, author: str, today: datetime.date) -> str:
    """Return why a waiver is not valid for a bundle of this author; empty where it is."""
    if why := _refuse_rule(waiver.rule, policy):
        return why
    if waiver.bundle != bundle:
        return f"it is for the bundle {waiver.bundle[:12]}, not {bundle[:12]}"
    if not is_same_person(waiver.author, author):
        return f"it is for a bundle by {waiver.author}, not {author or 'nobody known'}"
    if waiver.approver not in policy.approvers:
        return f"{waiver.approver} is not among policy.yaml's approvers"
    if not waiver.is_signed_by(policy.approvers[waiver.approver]):
        return f"it is not signed by {waiver.approver}'s key"
    return f"it expired on {waiver.expires}" if today > waiver.expires else ""


def _refuse_rule(name: str, policy: Policy) -> str:
    rule = next((rule for rule in policy.rules if rule.id == name), None)
    if rule is None:
        return f"policy.yaml has no rule {name}"
    return "" if rule.waivable else f"policy.yaml does not call {name} waivable"
