"""All that the page and the card are made from."""

from dataclasses import dataclass
from typing import Any

from pipeline import reports
from pipeline.params import ReportParams
from pipeline.policy.gate import Decision


@dataclass(frozen=True)
class Evidence:
    """The reports of every stage before, the data's provenance, and the gate's decision."""

    params: ReportParams
    validate: reports.ValidateReport
    split: reports.SplitReport
    tokenise: reports.TokeniseReport
    pretrain: reports.PretrainReport
    compress: reports.CompressReport
    features: reports.FeaturesReport
    finetune: reports.FinetuneReport
    evaluate: reports.EvaluateReport
    audit: reports.AuditReport
    export: reports.ExportReport
    provenance: dict[str, Any]
    decision: Decision
    later_rules: tuple[str, ...]  # ids of rules that are judged at publish
