"""What whoever watches a stage should know of its report at once: rows set aside, and warnings."""

from collections.abc import Iterator

from pipeline import layout
from pipeline.reports.base import Report
from pipeline.reports.data import ValidateReport


def remarks(report: Report) -> Iterator[str]:
    """Yield a line for each table with rows set aside, and for each warning of validate."""
    if not isinstance(report, ValidateReport):
        return
    aside = layout.stage_dir("validate") / "quarantine.parquet"
    for name, table in (("corpus", report.corpus), ("labelled", report.labelled)):
        if table.rows_quarantined:
            rows = f"{table.rows_quarantined} of {table.rows_in} rows"
            yield f"{name}: {rows} set aside, with the reason of each, in {aside}"
    for outcome in report.expectations:
        if outcome.severity == "warn" and not outcome.passed:
            yield f"{outcome.table}: {outcome.name}: {outcome.detail}"
