"""The technical file and the data sheet: Markdown in which each figure names its report field.

A figure is written ``**4,102** (`evaluate.test_rows`)``, so that a reader, or a test, can look it
up in the reports that lie beside the files. The headings follow Annex IV of Regulation (EU)
2024/1689 and Gebru et al. 2021, Datasheets for Datasets.
"""

import re
from typing import Any

from pipeline import reports
from pipeline.policy import evidence as paths
from pipeline.reports import Estimate, Report
from pipeline.stages.page import card, figures, language, limits, names, origins, verdict
from pipeline.stages.page.evidence import Evidence
from pipeline.stages.page.language import mark, say
from pipeline.stages.page.render import Cited, environment

_CITABLE = re.compile(r"[A-Za-z0-9_ -]+")  # a name that can stand in a path, and in Markdown
_LEAST = 0.0005  # the least that `decimal` does not show as zero


def technical_file(evidence: Evidence) -> str:
    """Return technical_file.md."""
    return _render(evidence, "technical_file.md")


def data_sheet(evidence: Evidence) -> str:
    """Return data_sheet.md."""
    return _render(evidence, "data_sheet.md")


def _render(evidence: Evidence, template: str) -> str:
    as_json = {
        stage: report.model_dump(mode="json")
        for stage, report in vars(evidence).items()
        if isinstance(report, Report) and stage in reports.STAGE_REPORTS
    }
    with language.speaking(evidence.params.language):
        views = _views(evidence, as_json)
        return environment(finalize=card.escape).get_template(template).render(views)


def cite(as_json: dict[str, Any], path: str) -> Cited:
    """Return the figure at a path of the reports with the path, as Markdown."""
    found = [show(value) for value in paths.find(as_json, path)]
    return Cited(f"**{card.escape('; '.join(found))}** (`{path}`)")


def show(value: Any) -> str:
    """Return a value of a report as text."""
    if isinstance(value, dict):
        return _show_mapping(value)
    if isinstance(value, list):
        return say(", ").join(map(show, value))
    if value is None or isinstance(value, bool):
        return say({None: mark("none"), True: mark("yes"), False: mark("no")}[value])
    if isinstance(value, int):
        return figures.count(value)
    if isinstance(value, float) and 0 < abs(value) < _LEAST:
        return f"{value:.2g}"  # a delta of 1e-5 is not 0.000
    return figures.decimal(value) if isinstance(value, float) else str(value)


def _show_mapping(value: dict[str, Any]) -> str:
    if "point" in value:
        return figures.figure(Estimate.model_validate(value))
    return say(", ").join(f"{name} {show(item)}" for name, item in sorted(value.items())) or say(
        "none"
    )


def _views(evidence: Evidence, as_json: dict[str, Any]) -> dict[str, Any]:
    gaps, groups = _group_paths(evidence)
    return {
        **vars(evidence),
        "cite": lambda path: cite(as_json, path),
        "baselines": sorted(filter(_CITABLE.fullmatch, evidence.evaluate.baselines)),
        "metrics": ("accuracy", "macro_f1", "roc_auc", "brier", "ece"),
        "gaps": gaps,
        "groups": groups,
        "swaps": [
            f"audit.counterfactuals[name={each.name}].flip_rate"
            for each in evidence.audit.counterfactuals
            if _CITABLE.fullmatch(each.name)
        ],
        "observed": _observed(evidence, as_json),
        "laws": verdict.laws(evidence.decision),
        "sources": origins.summary(evidence.provenance),
        "limits": limits.told(),
    }


def _group_paths(evidence: Evidence) -> tuple[list[str], list[str]]:
    """Return the paths of the gaps, and of the test rows' groups, whose names can be cited."""
    gaps = [
        f"audit.gaps[column={gap.column},metric={gap.metric}].gap"
        for gap in evidence.audit.gaps
        if _CITABLE.fullmatch(gap.column)
    ]
    groups = [
        f"split.test.groups.{column}"
        for column in sorted(evidence.split.test.groups)
        if _CITABLE.fullmatch(column)
    ]
    return gaps, groups


def _observed(evidence: Evidence, as_json: dict[str, Any]) -> list[tuple[str, Any, str]]:
    """Return each rule with what it looks at and its verdict."""
    rows = []
    for each in evidence.decision.verdicts:
        try:
            seen: str = cite(as_json, each.metric)
        except paths.MissingEvidenceError:
            seen = say("nothing")
        rows.append((each.rule, seen, names.plain(each.verdict, first=False)))
    return rows
