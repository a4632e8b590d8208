"""Every stage's report: a frozen model that is JSON on disk, build/STAGE/report.json.

A report says what was found, never how long it took or when, so that equal inputs give equal
bytes. Times, rates and run ids go to MLflow and to .charter/runs/STAGE.json.
"""

import json
from typing import Any, TypeVar

import pydantic

from pipeline import files, layout
from pipeline.errors import InputError, first_problem
from pipeline.reports.audit import AuditReport, Counterfactual, Detectable, Gap, GroupScore
from pipeline.reports.base import Estimate, Report
from pipeline.reports.behaviour import Behaviour
from pipeline.reports.bundle import BundleReport, PageReport
from pipeline.reports.data import (
    Canary,
    Expectation,
    Split,
    SplitReport,
    Table,
    TokeniseReport,
    ValidateReport,
)
from pipeline.reports.explanation import Explained, ExplanationReport, Term
from pipeline.reports.headline import headline
from pipeline.reports.intrinsic import (
    Association,
    IntrinsicReport,
    PairScore,
    PronounScore,
    StereoSetReport,
    StereoSetScore,
)
from pipeline.reports.mitigation import Mitigation, MitigationScore, Probe
from pipeline.reports.model import (
    CurvePoint,
    EvaluateReport,
    FeaturesReport,
    FinetunePoint,
    FinetuneReport,
    PairedTest,
    PretrainReport,
    PrivateFit,
    Rounding,
    Scores,
)
from pipeline.reports.privacy import CanaryReport, Exposure, Membership, PrivacyReport
from pipeline.reports.remarks import remarks
from pipeline.reports.smaller import CompressReport, Exported, ExportReport

__all__ = [
    "STAGE_REPORTS",
    "Association",
    "AuditReport",
    "Behaviour",
    "BundleReport",
    "Canary",
    "CanaryReport",
    "CompressReport",
    "Counterfactual",
    "CurvePoint",
    "Detectable",
    "Estimate",
    "EvaluateReport",
    "Expectation",
    "Explained",
    "ExplanationReport",
    "ExportReport",
    "Exported",
    "Exposure",
    "FeaturesReport",
    "FinetunePoint",
    "FinetuneReport",
    "Gap",
    "GroupScore",
    "IntrinsicReport",
    "Membership",
    "Mitigation",
    "MitigationScore",
    "PageReport",
    "PairScore",
    "PairedTest",
    "PretrainReport",
    "PrivacyReport",
    "PrivateFit",
    "Probe",
    "PronounScore",
    "Report",
    "Rounding",
    "Scores",
    "Split",
    "SplitReport",
    "StereoSetReport",
    "StereoSetScore",
    "Table",
    "Term",
    "TokeniseReport",
    "ValidateReport",
    "headline",
    "parse",
    "read",
    "remarks",
    "write",
]

STAGE_REPORTS: dict[str, type[Report]] = {
    "validate": ValidateReport,
    "split": SplitReport,
    "tokenise": TokeniseReport,
    "pretrain": PretrainReport,
    "compress": CompressReport,
    "features": FeaturesReport,
    "finetune": FinetuneReport,
    "evaluate": EvaluateReport,
    "audit": AuditReport,
    "export": ExportReport,
    "report": PageReport,
    "bundle": BundleReport,
}

R = TypeVar("R", bound=Report)


def write(stage: str, report: Report) -> None:
    """Write a stage's report, atomically and last of its files: it marks a finished run."""
    if figures := headline(report):
        files.write_json(layout.metrics_path(stage), figures)
    files.write_json(layout.report_path(stage), report.model_dump(mode="json"))


def read(kind: type[R]) -> R:
    """Read the report of the stage whose report is of this kind.

    Raises:
        InputError: where the stage has not run, or the file is not its report.
    """
    stage = next(name for name, model in STAGE_REPORTS.items() if model is kind)
    path = layout.report_path(stage)
    if not path.is_file():
        raise InputError(f"{path}: not found; run `dvc repro {stage}` first")
    return parse(kind, files.read_json(path), str(path), stage)


def parse(kind: type[R], raw: Any, where: str, stage: str) -> R:
    """Parse JSON as a report; ``where`` is named in errors."""
    try:
        return kind.model_validate_json(json.dumps(raw))
    except pydantic.ValidationError as error:
        key, problem = first_problem(error)
        raise InputError(f"{where}: {key}: {problem}; run `dvc repro {stage}`") from error
