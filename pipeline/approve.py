"""``python -m pipeline approve VERSION``, or reject: the word of a person, where policy asks.

It is kept with the version's run, its digest on the version, and in the log.
"""

from typing import Literal, NamedTuple

import pydantic

from pipeline import champion, files, trust
from pipeline.adapters import signing
from pipeline.adapters.registry import AUTHOR_TAG, BUNDLE_TAG, Registry, Version
from pipeline.errors import InputError, first_problem
from pipeline.params import BundleParams
from pipeline.policy import approvals, rules
from pipeline.policy.approvals import Approval, Word
from pipeline.policy.rules import Policy

APPROVAL = "approval"  # the person's last word on a version, kept by this name


class Standing(NamedTuple):
    """Where a version stands with the person whose word is asked for."""

    word: Literal["given", "not asked for", "awaited", "rejected"]
    why: str = ""  # it may not be promoted


def look_up(registry: Registry, version: Version, policy: Policy) -> Standing:
    """Say whether a version may be promoted as far as persons go; doubt means that it may not."""
    if policy.approval == "none":
        return Standing("not asked for")
    try:
        said = trust.read_record(registry, version, APPROVAL, Approval)
    except InputError as error:
        return Standing("awaited", f"its approval does not hold: {error}")
    if said is None:
        return Standing("awaited", f"policy.yaml asks for a person's word: {_how(version)}")
    author = version.tags.get(AUTHOR_TAG, "")
    why = approvals.refusal(said, policy, version.tags[BUNDLE_TAG], author)
    if why:
        return Standing("awaited", f"its approval does not hold: {why}; {_how(version)}")
    if said.decision == "reject":
        return Standing("rejected", f"rejected by {said.approver}: {said.reason}")
    return Standing("given")


def say(params: BundleParams, number: str, approver: str, decision: Word, reason: str) -> str:
    """Record a person's word on a version, signed where CHARTER_SIGNING_KEY names a key.

    The same word twice is recorded once. A champion cannot be rejected.

    Raises:
        InputError: where the word would not hold, or policy.yaml asks for none.
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
        word = _sign(_make(version, policy, approver.strip(), decision, reason.strip()))
        why = approvals.refusal(word, policy, word.bundle, word.author)
        if why:
            raise InputError(f"version {number}: the word would not hold: {why}")
        if not _is_recorded(registry, version, word):
            _record(registry, version, word)
    done = "approves" if decision == "approve" else "rejects"
    return f"{word.approver} {done} {params.name} version {number}"


def tell(registry: Registry, version: Version) -> str:
    """Return who approved a version, empty where nobody was asked.

    Raises:
        InputError: where what is kept is not what was said.
    """
    said = trust.read_record(registry, version, APPROVAL, Approval)
    if said is None:
        return ""
    signed = "signed" if said.signature else "not signed"
    return f"{said.approver} said {said.decision} ({signed}): {said.reason}"


def _make(version: Version, policy: Policy, approver: str, decision: Word, reason: str) -> Approval:
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
            f"version {version.number} names no author, so nobody can be known to be another;"
            " commit to git, then publish"
        )
    return author


def _sign(word: Approval) -> Approval:
    key = signing.key_path(signing.PRIVATE_KEY)
    if key is None:
        return word
    return word.model_copy(update={"signature": signing.sign_bytes(word.message(), key)})


def _is_recorded(registry: Registry, version: Version, word: Approval) -> bool:
    try:
        known = trust.read_record(registry, version, APPROVAL, Approval)
    except InputError:  # edited by hand: it is recorded anew
        return False
    return known is not None and (
        known.message() == word.message() and bool(known.signature) == bool(word.signature)
    )


def _record(registry: Registry, version: Version, word: Approval) -> None:
    champion.record(word.decision, registry, version, approval=word.model_dump(mode="json"))
    trust.keep_record(registry, version, APPROVAL, word)


def _how(version: Version) -> str:
    return f"`python -m pipeline approve {version.number} --approver NAME --reason ...`, or reject"
