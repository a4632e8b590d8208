"""``python -m pipeline waive RULE``: an approver lets build/bundle pass without a rule."""

import datetime
from pathlib import Path

import pydantic
import yaml

from pipeline import decisions, files, layout, reports, trust
from pipeline.adapters import signing, tracking
from pipeline.errors import InputError, first_problem
from pipeline.policy import rules, waivers
from pipeline.policy.persons import is_same_person
from pipeline.policy.waivers import Waiver
from pipeline.reports import BundleReport

FIELDS = ("rule", "author", "approver", "reason", "compensating_measure", "expires")


def waive(**fields: str) -> str:
    """Sign a waiver with the key that CHARTER_SIGNING_KEY names; return a line with its path.

    ``fields`` are those of `FIELDS`. An empty author stands for the author of the commit; another
    one is refused. The waiver is written to waivers/ and to the log; `publish` reads it.

    Raises:
        InputError: where a field is bad, or the waiver would not be valid.
    """
    bundle = reports.read(BundleReport)
    trust.check_files(layout.stage_dir("bundle"))
    author = _find_author(fields["author"])
    waiver = _sign(_make(bundle.digest, fields | {"author": author}))
    why = waivers.refusal(waiver, rules.load(), bundle.digest, author, trust.today())
    if why:
        raise InputError(f"the waiver of {waiver.rule} would not be valid: {why}")
    path = waivers.FOLDER / f"{waiver.rule}-{waiver.bundle[:12]}.yaml"
    as_json = waiver.model_dump(mode="json")
    decisions.append("waive", name=bundle.name, waiver=as_json)
    _write(path, waiver)
    return f"{path}: {waiver.approver} waives {waiver.rule} until {waiver.expires}"


def _find_author(said: str) -> str:
    """Return the author of the commit that the bundle was made from, as a version's tag has it."""
    author = tracking.git_author()
    if not author:
        raise InputError(
            "git names no author, and the approver must be another person; commit first"
        )
    if said and not is_same_person(said, author):
        raise InputError(f"--author {said}: the commit is by {author}; leave --author out")
    return author


def _make(bundle: str, fields: dict[str, str]) -> Waiver:
    try:
        expires = datetime.date.fromisoformat(fields["expires"])
    except ValueError:
        raise InputError(
            f"--expires {fields['expires']}: not a date; write it as 2027-01-31"
        ) from None
    try:
        return Waiver.model_validate({**fields, "bundle": bundle, "expires": expires})
    except pydantic.ValidationError as error:
        key, problem = first_problem(error)
        raise InputError(f"--{key}: {problem}" if key else problem) from error


def _sign(waiver: Waiver) -> Waiver:
    key = signing.key_path(signing.PRIVATE_KEY)
    if key is None:
        raise InputError(f"{signing.PRIVATE_KEY} names no key; set it to the approver's PEM file")
    signature = signing.sign_bytes(waiver.message(), key)
    return waiver.model_copy(update={"signature": signature})


def _write(path: Path, waiver: Waiver) -> None:
    fields = waiver.model_dump()
    ordered = {name: fields[name] for name in (*FIELDS, "bundle", "signature")}
    text = yaml.safe_dump(ordered, sort_keys=False, allow_unicode=True)
    files.write_text(path, text)
