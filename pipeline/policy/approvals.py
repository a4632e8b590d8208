"""Approvals: where policy.yaml asks for a person, that person's word on one bundle.

A word is for one bundle under one policy. It is signed by the approver's key where policy.yaml has
``require_signature``; elsewhere a form suffices, and a signature that is there must hold.
"""

from typing import ClassVar, Literal

from pipeline.policy.persons import is_same_person
from pipeline.policy.rules import Policy
from pipeline.policy.statements import Sha256, Statement

Word = Literal["approve", "reject"]


class Approval(Statement):
    """What an approver says of a bundle."""

    purpose: ClassVar[bytes] = b"charter approval 1\n"

    policy_digest: str = Sha256  # of the policy.yaml under which the gate passes it
    decision: Word


def refusal(approval: Approval, policy: Policy, bundle: str, author: str) -> str:
    """Return why a word does not hold for a bundle of this author; empty where it does."""
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
