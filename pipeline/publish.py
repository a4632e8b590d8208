"""Publish the bundle: register it, compare it with the champion, promote it if the gate passes.

Aliases move last, to versions whose every byte was verified in the registry; a publication that
was cut short is completed by the next, which finds the version by its bundle's digest.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.parquet as pq

from pipeline import files, layout, reports
from pipeline.adapters import rows, tracking
from pipeline.adapters.registry import BUNDLE_TAG, Registry, Version
from pipeline.errors import InputError
from pipeline.measure import paired
from pipeline.params import BundleParams
from pipeline.policy import gate, rules
from pipeline.policy.gate import ChampionComparison, Decision
from pipeline.reports import Estimate, FinetuneReport, Report

CHAMPION, CHALLENGER = "champion", "challenger"
DECISIONS = layout.STATE / "decisions.jsonl"
_DATA_DVC = layout.DATA.with_suffix(".dvc")
_PREVIOUS = "previous_champion"  # tag: the version that was champion before this one
_ROLLED_BACK = "rolled_back"  # tag: this version was champion and was taken back
_TAG_CHARS = 5000  # MLflow's limit
_BEFORE_BUNDLE = tuple(stage for stage in reports.STAGE_REPORTS if stage != "bundle")


class Publication(Report):
    """What became of a bundle."""

    name: str
    version: str
    outcome: Literal["promoted", "refused", "already champion"]
    decision: Decision | None  # none where nothing was decided
    withheld: str = ""  # why a bundle that the gate passes is not promoted
    page: str  # where the version is found
    report: str  # where the report is found

    @property
    def promoted(self) -> bool:
        """Whether this bundle is the champion."""
        return self.outcome != "refused"

    def summary(self) -> str:
        """Return the outcome for a terminal."""
        lines = [self.decision.summary()] if self.decision else []
        lines += [f"refused: {self.withheld}"] if self.withheld else []
        alias = CHAMPION if self.promoted else CHALLENGER
        lines += [
            f"{self.name} version {self.version}: {self.outcome}; its alias is {alias}",
            f"registry  {self.page}",
            f"report    {self.report}",
        ]
        return "\n".join(lines)

    def markdown(self) -> str:
        """Return the outcome as a heading and the rules as a table."""
        lines = [f"## {self.name} version {self.version}: {self.outcome}", "", self.withheld, ""]
        if self.decision:
            lines += [
                "| verdict | severity | rule | observed | required |",
                "|---|---|---|---|---|",
            ]
            lines += [
                f"| {v.verdict} | {v.effect} | {v.rule} | {v.observed} | {v.required} |"
                for v in self.decision.verdicts
            ]
        return "\n".join([*lines, "", f"Registry: {self.page}", "", f"Report: {self.report}"])


@dataclass(frozen=True)
class Bundle:
    """build/bundle, checked against itself and against what the stages left."""

    folder: Path
    digest: str
    reports: dict[str, Any]  # of every stage, as JSON


def publish(params: BundleParams) -> Publication:
    """Register build/bundle as a version of the model ``params.name``, and let the gate decide.

    Raises:
        InputError: where the bundle is not whole, or MLflow cannot be reached.
    """
    bundle, policy = read_bundle(params.name), rules.load()
    registry = Registry(params.name)
    version = registry.find(bundle.digest) or _add(registry, bundle, policy.digest)
    champion = registry.at(CHAMPION)
    if champion and champion.number == version.number:
        return _publication(registry, version, "already champion", None)
    registry.fetch(version)
    registry.point(CHALLENGER, version)
    comparison = compare(registry, champion, bundle) if champion else None
    decision = gate.decide(bundle.reports, policy, comparison)
    withheld = _withhold(version)
    promote = decision.promote and not withheld
    _record(registry, version, decision, withheld)
    if promote:
        registry.tag(version, **{_PREVIOUS: champion.number if champion else ""})
        registry.point(CHAMPION, version)
    return _publication(registry, version, "promoted" if promote else "refused", decision, withheld)


def rollback(params: BundleParams) -> str:
    """Make the champion before the present one champion again, and say so.

    Each rollback goes one promotion further back, never forward: a version that was taken back is
    not returned to, nor promoted again by `publish` until its tag ``rolled_back`` is deleted.

    Raises:
        InputError: where there is no earlier champion, or its files are not whole.
    """
    registry = Registry(params.name)
    champion = registry.at(CHAMPION)
    if champion is None:
        raise InputError(f"{params.name}: has no champion; run `python -m pipeline publish` first")
    earlier = _earlier(registry, champion)
    registry.fetch(earlier)
    _append("rollback", registry.name, champion, to_version=earlier.number)
    registry.tag(champion, **{_ROLLED_BACK: f"to version {earlier.number}"})
    registry.point(CHAMPION, earlier)
    return (
        f"{params.name}: version {earlier.number} is champion again,"
        f" in place of version {champion.number}"
    )


def read_bundle(name: str) -> Bundle:
    """Read build/bundle, and check that it is whole and of these reports.

    Raises:
        InputError: naming the file that is missing, changed, or not the stage's own.
    """
    folder = layout.stage_dir("bundle")
    digests = files.verify_files(folder)
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


def compare(registry: Registry, champion: Version, bundle: Bundle) -> ChampionComparison:
    """Compare the bundle's answers to the test rows with the champion's, pair by pair.

    Where that is impossible the difference is undefined, and its note says why.
    """
    confidence = bundle.reports["evaluate"]["model"]["accuracy"]["confidence"]
    tested = rows.read_split("test")
    ours = pq.read_table(layout.stage_dir("evaluate") / "predictions.parquet")
    assert tuple(ours["id"].to_pylist()) == tested.ids
    try:
        theirs = _ask(registry.fetch(champion), bundle.reports["finetune"]["labels"], tested.texts)
    except InputError as error:
        nothing = Estimate(point=None, low=None, high=None, n=0, note=str(error))
        return ChampionComparison(version=champion.number, difference=nothing, p_value=None)
    test = paired.compare(
        CHAMPION,
        ours["predicted"].to_numpy() == tested.labels,
        theirs == tested.labels,
        confidence,
    )
    return ChampionComparison(
        version=champion.number, difference=test.difference, p_value=test.p_value
    )


def _ask(folder: Path, labels: list[str], texts: Sequence[str]) -> np.ndarray:
    """Return a bundle's answers (n,) to texts: the likeliest labels."""
    from pipeline.encoder import classifier

    where = folder / "reports" / "finetune.json"
    finetuned = reports.parse(FinetuneReport, files.read_json(where), str(where), "finetune")
    if list(finetuned.labels) != labels:
        raise InputError(
            f"the champion's labels are {', '.join(finetuned.labels)} and the bundle's"
            f" {', '.join(labels)}; publish other labels under another bundle.name"
        )
    return classifier.load_bundle(folder).probabilities(texts).argmax(axis=1)


def _add(registry: Registry, bundle: Bundle, policy_digest: str) -> Version:
    tags = {
        **tracking.git_tags(),
        BUNDLE_TAG: bundle.digest,
        "data_md5": _data_md5(),
        "lock_digest": files.sha256_file(_present(layout.LOCK)),
        "policy_digest": policy_digest,
    }
    return registry.add(bundle.folder, tags)


def _data_md5() -> str:
    """Return the hash under which DVC keeps data/."""
    try:
        return str(files.read_yaml(_present(_DATA_DVC))["outs"][0]["md5"])
    except (KeyError, IndexError, TypeError):
        raise InputError(f"{_DATA_DVC}: has no outs[0].md5; run `dvc add {layout.DATA}`") from None


def _present(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{path}: not found; restore it from git")
    return path


def _withhold(version: Version) -> str:
    if _ROLLED_BACK not in version.tags:
        return ""
    return (
        f"version {version.number} was rolled back {version.tags[_ROLLED_BACK]}; delete its tag"
        f" `{_ROLLED_BACK}` in MLflow to let the gate decide again"
    )


def _record(registry: Registry, version: Version, decision: Decision, withheld: str) -> None:
    """Keep the decision with the run, on the version and in the log, before it is acted on."""
    promote = decision.promote and not withheld
    reasons = [*decision.reasons(), *filter(None, [withheld])]
    registry.log(version, "decision.json", decision.model_dump(mode="json"))
    registry.tag(
        version,
        decision="promoted" if promote else "refused",
        reasons="; ".join(reasons)[:_TAG_CHARS],
    )
    _append("promote" if promote else "refuse", registry.name, version, reasons=reasons)


def _earlier(registry: Registry, champion: Version) -> Version:
    """Return the latest champion before this one that was not itself taken back."""
    version = champion
    while previous := version.tags.get(_PREVIOUS):
        version = registry.get(previous)
        if version.number != champion.number and _ROLLED_BACK not in version.tags:
            return version
        if version.number == champion.number:
            break
    raise InputError(
        f"{registry.name}: version {champion.number} has no champion before it to go back to"
    )


def _append(action: str, name: str, version: Version, **more: Any) -> None:
    """Append to the log of decisions: who may be champion, since when and why."""
    entry = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "action": action,
        "name": name,
        "version": version.number,
        **{tag: version.tags.get(tag) for tag in (BUNDLE_TAG, "policy_digest", "git_commit")},
        **more,
    }
    files.append_line(DECISIONS, json.dumps(entry, sort_keys=True, ensure_ascii=False))


def _publication(
    registry: Registry,
    version: Version,
    outcome: Literal["promoted", "refused", "already champion"],
    decision: Decision | None,
    withheld: str = "",
) -> Publication:
    return Publication(
        name=registry.name,
        version=version.number,
        outcome=outcome,
        decision=decision,
        withheld=withheld,
        page=registry.page(version),
        report=str((layout.stage_dir("report") / "index.html").resolve()),
    )
