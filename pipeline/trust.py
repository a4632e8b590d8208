"""Whether a bundle or version is what it claims to be: files, signature, decision, waivers."""

import datetime
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pydantic

from pipeline import decisions, files, reports
from pipeline.adapters import signing
from pipeline.adapters.registry import AUTHOR_TAG, BUNDLE_TAG, STORED_TAG, Registry, Version
from pipeline.errors import InputError
from pipeline.policy import waivers
from pipeline.policy.gate import Decision
from pipeline.policy.rules import Policy
from pipeline.reports import BundleReport, EvaluateReport

DECISION = "decision"  # name of the gate's last decision on a version, JSON kept with its run
PROMOTION = "promotion"  # the decision by which it became champion; a later refusal leaves it
MADE_WITH = (  # tags that a version is made with, and that never change
    BUNDLE_TAG,
    STORED_TAG,
    AUTHOR_TAG,
    "data_md5",
    "git_commit",
    "git_dirty",
    "lock_digest",
    "policy_digest",
)

R = TypeVar("R", bound=pydantic.BaseModel)


@dataclass(frozen=True)
class Checked:
    """A version whose files, signature and tags are as they should be."""

    folder: Path
    signature: str  # what the check of the signature found


def check_bundle(folder: Path, require_signature: bool) -> str:
    """Check every file of a bundle; return what the check of its signature found.

    Raises:
        InputError: naming the file that is missing, changed, not listed, or not signed.
    """
    check_files(folder)
    return signing.check(folder, require_signature)


def check_files(folder: Path) -> dict[str, str]:
    """Check every file of a bundle against its digests, and these against its report; return them.

    Raises:
        InputError: naming the file that is missing, changed or not listed.
    """
    digests = files.verify_files(folder)
    path = folder / "report.json"
    if not path.is_file():
        raise InputError(f"{path}: not found; run `dvc repro bundle`")
    report = reports.parse(BundleReport, files.read_json(path), str(path), "bundle")
    if report.files != digests or report.digest != files.sha256_digests(digests):
        raise InputError(f"{path}: does not describe the files beside it; run `dvc repro bundle`")
    return digests


def check_version(registry: Registry, version: Version, policy: Policy) -> Checked:
    """Check all that is stored for a version, its signature, and its tags against its reports.

    Raises:
        InputError: naming the file or tag that was changed.
    """
    folder = registry.fetch(version)
    signature = check_bundle(folder, policy.require_signature)
    where = folder / "reports" / "evaluate.json"
    evaluated = reports.parse(EvaluateReport, files.read_json(where), str(where), "evaluate")
    if version.tags.get("decision") == "promoted":
        _check_tag(version, "policy_digest", evaluated.policy_digest)
    return Checked(folder, signature)


def check_made(registry: Registry, version: Version) -> None:
    """Check a version's tags against its first entry in the log of decisions here, if it has one.

    Raises:
        InputError: naming the tag that was changed.
    """
    first = next((e for e in decisions.entries() if _is_of(e, registry.name, version)), None)
    if first is None:
        if version.tags.get("log", "") == decisions.log_id():
            raise InputError(
                f"version {version.number}: no entry of {decisions.LOG} fits its tags: they were"
                " changed by hand; publish again"
            )
        return
    for tag in MADE_WITH:
        if tag in first and first[tag] != version.tags.get(tag):
            raise InputError(
                f"version {version.number}: its tag {tag} is {version.tags.get(tag)!r}, and by"
                f" entry {first['entry']} of {decisions.LOG} it was {first[tag]!r}: the registry"
                " was changed by hand; set it back"
            )


def _is_of(entry: dict[str, Any], name: str, version: Version) -> bool:
    """Return whether an entry is of this version, not of an earlier one with the same number."""
    tag = STORED_TAG if STORED_TAG in entry else BUNDLE_TAG  # older entries have only this
    named = entry["name"] == name and entry.get("version") == version.number
    return named and entry.get(tag) == version.tags.get(tag)


def keep_record(
    registry: Registry, version: Version, name: str, record: pydantic.BaseModel
) -> None:
    """Keep a decision or approval with a version's run, and its digest in a tag of the version."""
    as_json = record.model_dump(mode="json")
    registry.log(version, f"{name}.json", as_json)
    registry.tag(version, **{_tag(name): _digest(as_json)})


def read_record(registry: Registry, version: Version, name: str, kind: type[R]) -> R | None:
    """Return what `keep_record` has kept; None if it has kept nothing.

    Raises:
        InputError: where it does not have the digest in its tag.
    """
    if _tag(name) not in version.tags:
        return None
    raw = registry.read(version, f"{name}.json")
    _check_tag(version, _tag(name), _digest(raw))
    try:
        return kind.model_validate_json(json.dumps(raw))
    except pydantic.ValidationError as error:
        raise InputError(
            f"{name}.json of version {version.number}: {error.errors()[0]['msg']}; publish again"
        ) from error


def read_decision(registry: Registry, version: Version, name: str) -> Decision | None:
    """Return the gate's decision that is kept by this name; see `read_record`."""
    return read_record(registry, version, name, Decision)


def lapsed(registry: Registry, version: Version, policy: Policy, today: datetime.date) -> str:
    """Return why a waiver that a version's promotion rests on is not valid; empty if all are."""
    promotion = read_decision(registry, version, PROMOTION)
    bundle, author = version.tags[BUNDLE_TAG], version.tags.get(AUTHOR_TAG, "")
    for waiver in promotion.waivers() if promotion else ():
        why = waivers.refusal(waiver, policy, bundle, author, today)
        if why:
            return f"the waiver of {waiver.rule} is not valid: {why}"
    return ""


def today() -> datetime.date:
    """Return today's date in UTC, by which waivers expire."""
    return datetime.datetime.now(datetime.UTC).date()


def _digest(value: Any) -> str:
    """Hex SHA-256 of JSON, whatever its layout."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _tag(name: str) -> str:
    return f"{name}_digest"


def _check_tag(version: Version, tag: str, found: str) -> None:
    if version.tags.get(tag) != found:
        raise InputError(
            f"version {version.number}: its tag {tag} is {version.tags.get(tag)!r}, but should be"
            f" {found!r}: the registry was changed by hand; publish again"
        )
