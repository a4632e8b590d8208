"""The few figures of a report that DVC's tables show side by side; the report holds them all."""

from pipeline.reports.audit import AuditReport
from pipeline.reports.base import Estimate, Report
from pipeline.reports.model import EvaluateReport, PretrainReport

_SCORES = ("accuracy", "macro_f1", "roc_auc", "brier", "ece")
_SWAPS = {"gender_swap"}  # the audit's others are tens of pairs of groups


def headline(report: Report) -> dict[str, float]:
    """Return name -> figure, such as ``versus.tfidf``; what is undefined is left out."""
    figures: dict[str, float | None] = {}
    if isinstance(report, PretrainReport):
        figures = {"initial_loss": report.initial_loss, "final_loss": report.final_loss}
    elif isinstance(report, EvaluateReport):
        estimates = {name: getattr(report.model, name) for name in _SCORES}
        estimates |= {f"versus.{name}": test.difference for name, test in report.versus.items()}
        figures = _points(estimates)
    elif isinstance(report, AuditReport):
        estimates = {f"gap.{gap.column}.{gap.metric}": gap.gap for gap in report.gaps}
        swaps = {swap.name: swap.flip_rate for swap in report.counterfactuals}
        estimates |= {f"flip.{name}": swaps[name] for name in _SWAPS & swaps.keys()}
        figures = _points(estimates)
    return {name: figure for name, figure in figures.items() if figure is not None}


def _points(estimates: dict[str, Estimate]) -> dict[str, float | None]:
    return {name: estimate.point for name, estimate in estimates.items()}
