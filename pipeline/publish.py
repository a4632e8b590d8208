"""Publish the bundle: register it, compare it with the champion, promote it if the gate passes.

Aliases move last, and only to versions whose every byte was verified in the registry. If a
publication is cut short the next one completes it: it finds the version by its bundle's digest.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline import approve, challenge, champion, decisions, files, layout, promote, reports, trust
from pipeline.adapters import signing, tracking
from pipeline.adapters.registry import AUTHOR_TAG, BUNDLE_TAG, Registry, Version
from pipeline.champion import CHALLENGER, CHAMPION
from pipeline.errors import InputError
from pipeline.params import BundleParams
from pipeline.policy import gate, rules, waivers
from pipeline.policy.gate import Decision
from pipeline.policy.rules import Policy
from pipeline.reports import Report

_DATA_DVC = layout.DATA.with_suffix(".dvc")
_BEFORE_BUNDLE = tuple(stage for stage in reports.STAGE_REPORTS if stage != "bundle")
Outcome = Literal["promoted", "refused", "awaiting approval", "already champion"]


class Publication(Report):
    """The outcome for a bundle."""

    name: str
    version: str
    outcome: Outcome
    decision: Decision | None  # none where nothing was decided
    withheld: str = ""  # why a bundle that the gate passes is not promoted
    signature: str = ""  # what the check of the stored version's signature found
    aliases: tuple[str, ...] = ()  # those that point at the version now
    page: str  # URL or name of the version in the registry
    report: str  # path of the report's page

    @property
    def promoted(self) -> bool:
        """Whether this bundle is the champion."""
        return self.outcome in ("promoted", "already champion")

    def summary(self) -> str:
        """Return the outcome for a terminal."""
        lines = [self.decision.summary()] if self.decision else []
        lines += [f"withheld: {self.withheld}"] if self.withheld else []
        aliases = (
            f"its alias is {' and '.join(self.aliases)}" if self.aliases else "it has no alias"
        )
        lines += [
            f"{self.name} version {self.version}: {self.outcome}; {aliases}",
            f"signature {self.signature}",
            f"registry  {self.page}",
            f"report    {self.report}",
        ]
        return "\n".join(lines)

    def markdown(self) -> str:
        """Return the outcome as a heading and the rules as a table."""
        from pipeline.stages.page.card import escape

        head = f"## {self.name} version {self.version}: {self.outcome}"
        lines = [head, "", escape(self.withheld), ""]
        if self.decision:
            lines += [
                "| verdict | effect | rule | observed | required |",
                "|---|---|---|---|---|",
            ]
            lines += [
                f"| {v.verdict} | {v.effect} | {v.rule} | {escape(v.observed)} |"
                f" {escape(v.required)} |"
                for v in self.decision.verdicts
            ]
            lines += [
                "",
                *(f"- {escape(each)}" for each in gate.describe_circumstances(self.decision)),
            ]
        return "\n".join([*lines, "", f"Registry: {self.page}", "", f"Report: {self.report}"])


@dataclass(frozen=True)
class Bundle:
    """build/bundle, checked against its own digests and against the stages' reports."""

    folder: Path
    digest: str
    reports: dict[str, Any]  # of every stage, as JSON


def publish(params: BundleParams) -> Publication:
    """Register build/bundle as a version of the model ``params.name``, and let the gate decide.

    Raises:
        InputError: where the bundle was changed, or MLflow cannot be reached.
    """
    with files.locked(champion.LOCK):
        bundle, policy = read_bundle(params.name), rules.load()
        registry = Registry(params.name)
        present = registry.at(CHAMPION)
        version = registry.find(bundle.digest) or _add(registry, bundle, policy)
        if present and present.number == version.number:
            return _keep(registry, version, policy)
        return _decide(registry, version, present, bundle, policy)


def _keep(registry: Registry, version: Version, policy: Policy) -> Publication:
    """Leave the champion in place, unless a waiver that it rests on has expired."""
    checked = trust.check_version(registry, version, policy)
    trust.check_made(registry, version)
    why = trust.lapsed(registry, version, policy, trust.today())
    if not why:
        champion.check_alias(registry, version)
        promote.complete(registry, version)
        return _publication(registry, version, "already champion", checked.signature)
    withheld = champion.take_back(registry, version, policy, why)
    return _publication(registry, version, "refused", checked.signature, withheld=withheld)


def _decide(
    registry: Registry, version: Version, present: Version | None, bundle: Bundle, policy: Policy
) -> Publication:
    checked = trust.check_version(registry, version, policy)
    trust.check_made(registry, version)
    registry.point(CHALLENGER, version)
    comparison = challenge.compare(registry, present, bundle.reports) if present else None
    author = version.tags.get(AUTHOR_TAG, "")
    accepted, refused = waivers.accept(waivers.load(), policy, bundle.digest, author, trust.today())
    decision = gate.decide(bundle.reports, policy, comparison, accepted)
    before = _refused_before(bundle.reports["evaluate"]["test_digest"], policy)
    decision = decision.model_copy(update={"refused_waivers": refused, "refused_before": before})
    trust.keep_record(registry, version, trust.DECISION, decision)
    outcome, withheld = _find_outcome(registry, version, decision, policy)
    if outcome == "promoted":
        promote.crown(registry, version, present, decision)
    else:
        judged = _judged_on(bundle, decision)
        _record(registry, version, decision, (outcome, withheld), judged)
    return _publication(
        registry, version, outcome, checked.signature, decision=decision, withheld=withheld
    )


def _refused_before(test_digest: str, policy: Policy) -> tuple[str, ...]:
    """Return the refusals in the log here on the same test rows under another policy.

    After a refusal somebody may fit policy.yaml to the result. That cannot be forbidden, because a
    limit may be wrong; but it can be disclosed.
    """
    found = {
        entry["judged_by"]: f"on {entry['time']} the gate refused version {entry['version']} of"
        f" {entry['name']} on the same test rows by another policy.yaml,"
        f" {entry['judged_by'][:12]}: the limits were changed since"
        for entry in decisions.entries()
        if entry.get("test_digest") == test_digest and entry["judged_by"] != policy.digest
    }
    return tuple(found.values())


def _judged_on(bundle: Bundle, decision: Decision) -> dict[str, str]:
    """Return for the log the test rows and the policy of a refusal.

    Nothing, unless the bundle was refused by the policy that it was made under.
    """
    evaluated = bundle.reports["evaluate"]
    if decision.promote or evaluated["policy_digest"] != decision.policy_digest:
        return {}
    return {"test_digest": evaluated["test_digest"], "judged_by": decision.policy_digest}


def _find_outcome(
    registry: Registry, version: Version, decision: Decision, policy: Policy
) -> tuple[Outcome, str]:
    """Return the outcome for a version, and why it is withheld although the gate passes it."""
    if champion.ROLLED_BACK in version.tags:
        return "refused", champion.explain_rolled_back(version)
    if not decision.promote:
        return "refused", ""
    standing = approve.look_up(registry, version, policy)
    if not standing.why:
        return "promoted", ""
    return ("awaiting approval" if standing.approval == "awaited" else "refused"), standing.why


def read_bundle(name: str) -> Bundle:
    """Read build/bundle, and check that it is complete and holds the stages' own reports.

    Raises:
        InputError: naming the file that is missing, changed, or not the stage's own.
    """
    folder = layout.stage_dir("bundle")
    digests = trust.check_files(folder)
    read = {stage: reports.read(kind) for stage, kind in reports.STAGE_REPORTS.items()}
    as_json = {stage: report.model_dump(mode="json") for stage, report in read.items()}
    if as_json["bundle"]["name"] != name:
        raise InputError(
            f"{folder}: is {as_json['bundle']['name']!r}, not {name!r}; run `dvc repro`"
        )
    for stage in _BEFORE_BUNDLE:
        kept = digests.get(f"reports/{stage}.json")
        if kept != files.sha256_file(layout.report_path(stage)):
            raise InputError(
                f"{layout.report_path(stage)}: not what the bundle holds; run `dvc repro bundle`"
            )
    return Bundle(folder, files.sha256_digests(digests), as_json)


def _add(registry: Registry, bundle: Bundle, policy: Policy) -> Version:
    tags = {
        **tracking.git_tags(),
        BUNDLE_TAG: bundle.digest,
        AUTHOR_TAG: tracking.git_author(),
        "data_md5": data_md5(),
        "lock_digest": files.sha256_file(_present(layout.LOCK)),
        "policy_digest": policy.digest,
    }
    with signing.signed(bundle.folder, policy.require_signature) as folder:
        return registry.add(folder, tags)


def data_md5() -> str:
    """Return the hash under which DVC keeps data/."""
    try:
        return str(files.read_yaml(_present(_DATA_DVC))["outs"][0]["md5"])
    except (KeyError, IndexError, TypeError):
        raise InputError(f"{_DATA_DVC}: has no outs[0].md5; run `dvc add {layout.DATA}`") from None


def _present(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{path}: not found; restore it from git")
    return path


def _record(
    registry: Registry,
    version: Version,
    decision: Decision,
    found: tuple[Outcome, str],
    judged: dict[str, str],
) -> None:
    """Log that a version is not promoted, and say so in its tags."""
    outcome, withheld = found
    reasons = [*decision.reasons(), *filter(None, [withheld])]
    action = "refuse" if outcome == "refused" else "wait"
    circumstances = promote.circumstances(decision)
    champion.record(action, registry, version, reasons=reasons, **circumstances, **judged)
    registry.tag(
        version,
        decision=outcome,
        reasons="; ".join(reasons)[: champion.TAG_CHARS],
        **promote.circumstances_as_tags(decision),
    )


def _publication(
    registry: Registry,
    version: Version,
    outcome: Outcome,
    signature: str,
    *,
    decision: Decision | None = None,
    withheld: str = "",
) -> Publication:
    return Publication(
        name=registry.name,
        version=version.number,
        outcome=outcome,
        decision=decision,
        withheld=withheld,
        signature=signature,
        aliases=registry.aliases_of(version),
        page=registry.page(version),
        report=str((layout.stage_dir("report") / "index.html").resolve()),
    )
