"""Approvals: a person's answer on one bundle, where policy.yaml requires one.

An answer is for one bundle under one policy. Where policy.yaml has ``require_signature`` it must be
signed by the approver's key; elsewhere it need not be, but a signature that is given must be valid.
"""

from typing import ClassVar, Literal

from pipeline.policy.persons import is_same_person
from pipeline.policy.rules import Policy
from pipeline.policy.statements import Sha256, Statement

Answer = Literal["approve", "reject"]


class Approval(Statement):
    """An approver's answer on a bundle."""

    purpose: ClassVar[bytes] = b"charter approval 1\n"

    policy_digest: str = Sha256  # of the policy.yaml under which the gate passes it
    decision: Answer


def refusal(approval: Approval, policy: Policy, bundle: str, author: str) -> str:
    """Return why an answer is not valid for a bundle of this author; empty where it is."""
    if approval.bundle != bundle:
        return f"it is for the bundle {approval.bundle[:12]}, not {bundle[:12]}"
    if approval.policy_digest != policy.digest:
        return "it was given under another policy.yaml"
    if not is_same_person(approval.author, author):
        return f"it is for a bundle by {approval.author}, not {author or 'nobody known'}"
    if approval.approver not in policy.approvers:
        return f"{approval.approver} is not among policy.yaml's approvers"
    asked = policy.require_signature or approval.signature
    if asked and not approval.is_signed_by(policy.approvers[approval.approver]):
        return f"it is not signed by {approval.approver}'s key"
    return ""
