"""Approvals: where policy.yaml asks for a person, that person's word on one bundle.

A word is for one bundle under one policy. It is signed by the approver's key where policy.yaml has
``require_signature``; elsewhere a form suffices, and a signature that is there must hold.
"""

import json
from typing import Literal, Self

import pydantic

from pipeline.params import Section
from pipeline.policy import waivers
from pipeline.policy.persons import is_same_person
from pipeline.policy.rules import Policy

Word = Literal["approve", "reject"]

_PURPOSE = b"charter approval 1\n"  # a signature for something else is none for this
_Words = pydantic.Field(min_length=1, pattern=r"\S")
_Sha256 = pydantic.Field(pattern=r"^[0-9a-f]{64}$")


class Approval(Section):
    """What an approver says of a bundle."""

    bundle: str = _Sha256  # in its report.json, `digest`
    policy_digest: str = _Sha256  # of the policy.yaml under which the gate passes it
    author: str = _Words  # who made the commit that the bundle is of
    approver: str = _Words  # a name of policy.yaml's `approvers`, another than the author
    decision: Word
    reason: str = _Words
    signature: str = ""  # by the approver's key, over all the rest; base64

    @pydantic.model_validator(mode="after")
    def _has_two_persons(self) -> Self:
        if is_same_person(self.author, self.approver):
            raise ValueError(f"the approver must be another person than the author, {self.author}")
        return self

    def message(self) -> bytes:
        """Return the bytes that are signed."""
        said = self.model_dump(mode="json", exclude={"signature"})
        return _PURPOSE + json.dumps(said, sort_keys=True, ensure_ascii=False).encode()


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
    if asked and not waivers.is_signed(approval, policy.approvers[approval.approver]):
        return f"it is not signed by {approval.approver}'s key"
    return ""
