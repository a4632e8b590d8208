"""Waivers: an approver lets one bundle pass one rule, for a time, and signs for it.

A waiver is a file of the folder waivers/. It can be given only for a rule that policy.yaml calls
``waivable`` and only for what was measured: evidence that is missing cannot be waived.
"""

import base64
import binascii
import datetime
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, Self

import pydantic

from pipeline import files
from pipeline.errors import InputError
from pipeline.params import Section
from pipeline.policy.persons import is_same_person
from pipeline.policy.rules import Policy

FOLDER = Path("waivers")

_PURPOSE = b"charter waiver 1\n"  # a signature for something else is none for a waiver
_Words = pydantic.Field(min_length=1, pattern=r"\S")


class Waiver(Section):
    """What an approver signs."""

    rule: str  # its id in policy.yaml
    bundle: str = pydantic.Field(pattern=r"^[0-9a-f]{64}$")  # in its report.json, `digest`
    author: str = _Words  # who made the commit that the bundle is of
    approver: str = _Words  # a name of policy.yaml's `approvers`, another than the author
    reason: str = _Words
    compensating_measure: str = _Words  # what is done in place of the rule
    expires: datetime.date  # the last day on which it holds, UTC
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
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "waiver"
        raise InputError(
            f"{path}: {key}: {first['msg'].removeprefix('Value error, ')}; mend it or remove it"
        ) from error


def accept(
    waivers: Iterable[Waiver], policy: Policy, bundle: str, author: str, today: datetime.date
) -> tuple[dict[str, Waiver], tuple[str, ...]]:
    """Return the waivers that hold for an author's bundle, by rule, and why its others do not."""
    accepted, refused = {}, []
    for waiver in waivers:
        if waiver.bundle != bundle:
            continue
        why = refusal(waiver, policy, bundle, author, today)
        if why:
            refused.append(f"the waiver of {waiver.rule} does not hold: {why}")
        else:
            accepted[waiver.rule] = waiver
    return accepted, tuple(refused)


def refusal(waiver: Waiver, policy: Policy, bundle: str, author: str, today: datetime.date) -> str:
    """Return why a waiver does not hold for a bundle of this author; empty where it does."""
    if why := _refuse_rule(waiver.rule, policy):
        return why
    if waiver.bundle != bundle:
        return f"it is for the bundle {waiver.bundle[:12]}, not {bundle[:12]}"
    if not is_same_person(waiver.author, author):
        return f"it is for a bundle by {waiver.author}, not {author or 'nobody known'}"
    if waiver.approver not in policy.approvers:
        return f"{waiver.approver} is not among policy.yaml's approvers"
    if not is_signed(waiver, policy.approvers[waiver.approver]):
        return f"it is not signed by {waiver.approver}'s key"
    return f"it expired on {waiver.expires}" if today > waiver.expires else ""


def _refuse_rule(name: str, policy: Policy) -> str:
    rule = next((rule for rule in policy.rules if rule.id == name), None)
    if rule is None:
        return f"policy.yaml has no rule {name}"
    return "" if rule.waivable else f"policy.yaml does not call {name} waivable"


class Signed(Protocol):
    """What a person has signed."""

    @property
    def signature(self) -> str: ...  # noqa: D102

    def message(self) -> bytes: ...  # noqa: D102


def is_signed(signed: Signed, public_key: str) -> bool:
    """Return whether the signature is the approver's: ECDSA, SHA-256 (FIPS 186-5, section 6).

    ``public_key`` is what stands between the lines BEGIN and END of a PEM public key.
    """
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        key = serialization.load_der_public_key(base64.b64decode(public_key))
        if not isinstance(key, ec.EllipticCurvePublicKey):
            return False
        signature = base64.b64decode(signed.signature, validate=True)
        key.verify(signature, signed.message(), ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, UnsupportedAlgorithm, binascii.Error, ValueError):
        return False
    return True
