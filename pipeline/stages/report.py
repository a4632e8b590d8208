"""Report: a page, a model card and other documents from the reports of the earlier stages."""

import itertools
from typing import Any

from pipeline import files, layout, reports
from pipeline.adapters import provenance
from pipeline.params import ReportParams
from pipeline.policy import gate, rules
from pipeline.reports import PageReport
from pipeline.stages.page import card, render, technical
from pipeline.stages.page.evidence import Evidence
from pipeline.track import Track


def run(params: ReportParams, track: Track) -> PageReport:
    """Write build/report: index.html, model_card.md, technical_file.md, data_sheet.md.

    Raises:
        InputError: where an earlier stage has not run, or policy.yaml is not valid.
    """
    evidence = read_evidence(params)
    written = {
        "index.html": render.page(evidence),
        "model_card.md": card.card(evidence),
        "technical_file.md": technical.technical_file(evidence),
        "data_sheet.md": technical.data_sheet(evidence),
    }
    for name, text in written.items():
        files.write_text(layout.stage_dir("report") / name, text)
        track.artifact(layout.stage_dir("report") / name)
    return PageReport(
        verdict="promote" if evidence.decision.promote else "refuse",
        files={name: files.sha256_file(layout.stage_dir("report") / name) for name in written},
    )


def read_evidence(params: ReportParams) -> Evidence:
    """Read the reports of the earlier stages, and judge them by policy.yaml."""
    before = itertools.takewhile(lambda stage: stage != "report", reports.STAGE_REPORTS)
    read: dict[str, Any] = {stage: reports.read(reports.STAGE_REPORTS[stage]) for stage in before}
    policy = rules.load()
    later = await_publish(policy)
    now = tuple(rule for rule in policy.rules if rule.id not in later)
    decision = gate.decide(
        {stage: report.model_dump(mode="json") for stage, report in read.items()},
        policy.model_copy(update={"rules": now}),
        champion=None,
    )
    return Evidence(
        params=params,
        provenance=provenance.read(layout.DATA),
        decision=decision,
        later_rules=later,
        **read,
    )


def await_publish(policy: rules.Policy) -> tuple[str, ...]:
    """Return the ids of rules about what is made later: the page, the bundle, the comparison."""
    after = {"report", "bundle", "champion"}
    return tuple(
        rule.id
        for rule in policy.rules
        if rule.applies == "with_champion"
        or after & {path.partition(".")[0] for path in (rule.metric, rule.same_as or "")}
    )
