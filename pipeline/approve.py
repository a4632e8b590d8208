"""``python -m pipeline approve VERSION``, or reject: a person's answer, where policy requires one.

The answer is kept with the version's run and in the log, its digest in a tag of the version.
"""

from typing import Literal, NamedTuple

import pydantic

from pipeline import champion, files, trust
from pipeline.adapters import signing
from pipeline.adapters.registry import AUTHOR_TAG, BUNDLE_TAG, Registry, Version
from pipeline.errors import InputError, first_problem
from pipeline.params import BundleParams
from pipeline.policy import approvals, rules
from pipeline.policy.approvals import Answer, Approval
from pipeline.policy.rules import Policy

APPROVAL = "approval"  # the name under which the last answer on a version is kept


class Standing(NamedTuple):
    """Whether the person who must approve a version has done so."""

    approval: Literal["given", "not required", "awaited", "rejected"]
    why: str = ""  # why it may not be promoted


def look_up(registry: Registry, version: Version, policy: Policy) -> Standing:
    """Say whether a person has approved a version, if one must; in doubt, nobody has."""
    if policy.approval == "none":
        return Standing("not required")
    try:
        said = trust.read_record(registry, version, APPROVAL, Approval)
    except InputError as error:
        return Standing("awaited", f"its approval is not valid: {error}")
    if said is None:
        return Standing("awaited", f"policy.yaml requires a person's approval: {_how(version)}")
    author = version.tags.get(AUTHOR_TAG, "")
    why = approvals.refusal(said, policy, version.tags[BUNDLE_TAG], author)
    if why:
        return Standing("awaited", f"its approval is not valid: {why}; {_how(version)}")
    if said.decision == "reject":
        return Standing("rejected", f"rejected by {said.approver}: {said.reason}")
    return Standing("given")


def answer(params: BundleParams, number: str, approver: str, decision: Answer, reason: str) -> str:
    """Record a person's answer on a version, signed where CHARTER_SIGNING_KEY names a key.

    The same answer given twice is recorded once. A champion cannot be rejected.

    Raises:
        InputError: where the answer would not be valid, or policy.yaml requires none.
    """
    registry, policy = Registry(params.name), rules.load()
    if policy.approval == "none":
        raise InputError("policy.yaml has `approval: none`; there is nothing to approve")
    with files.locked(champion.LOCK):
        version = registry.get(number)
        trust.check_version(registry, version, policy)
        trust.check_made(registry, version)
        if decision == "reject" and registry.points_at(champion.CHAMPION, version):
            raise InputError(f"version {number} is champion; run `python -m pipeline rollback`")
        approval = _sign(_make(version, policy, approver.strip(), decision, reason.strip()))
        why = approvals.refusal(approval, policy, approval.bundle, approval.author)
        if why:
            raise InputError(f"version {number}: the answer would not be valid: {why}")
        if not _is_recorded(registry, version, approval):
            _record(registry, version, approval)
    done = "approves" if decision == "approve" else "rejects"
    return f"{approval.approver} {done} {params.name} version {number}"


def describe(registry: Registry, version: Version) -> str:
    """Return who answered what on a version; empty where nobody did.

    Raises:
        InputError: where the answer was changed after it was recorded.
    """
    said = trust.read_record(registry, version, APPROVAL, Approval)
    if said is None:
        return ""
    signed = "signed" if said.signature else "not signed"
    return f"{said.approver} said {said.decision} ({signed}): {said.reason}"


def _make(
    version: Version, policy: Policy, approver: str, decision: Answer, reason: str
) -> Approval:
    try:
        return Approval(
            bundle=version.tags[BUNDLE_TAG],
            policy_digest=policy.digest,
            author=_author(version),
            approver=approver,
            decision=decision,
            reason=reason,
        )
    except pydantic.ValidationError as error:
        key, problem = first_problem(error)
        raise InputError(f"{key}: {problem}" if key else problem) from error


def _author(version: Version) -> str:
    author = version.tags.get(AUTHOR_TAG, "")
    if not author:
        raise InputError(
            f"version {version.number} has no author, so it is not known who else may approve;"
            " commit to git, then publish again"
        )
    return author


def _sign(approval: Approval) -> Approval:
    key = signing.key_path(signing.PRIVATE_KEY)
    if key is None:
        return approval
    return approval.model_copy(update={"signature": signing.sign_bytes(approval.message(), key)})


def _is_recorded(registry: Registry, version: Version, approval: Approval) -> bool:
    try:
        known = trust.read_record(registry, version, APPROVAL, Approval)
    except InputError:  # edited by hand: recorded again
        return False
    return known is not None and (
        known.message() == approval.message() and bool(known.signature) == bool(approval.signature)
    )


def _record(registry: Registry, version: Version, approval: Approval) -> None:
    as_json = approval.model_dump(mode="json")
    champion.record(approval.decision, registry, version, approval=as_json)
    trust.keep_record(registry, version, APPROVAL, approval)


def _how(version: Version) -> str:
    return f"`python -m pipeline approve {version.number} --approver NAME --reason ...`, or reject"
