"""The classifier's scores in each group of test rows, and the gaps between groups."""

from collections.abc import Mapping

from pipeline.measure import fairness
from pipeline.measure.intervals import Bootstrap
from pipeline.params import AuditParams
from pipeline.policy.multiplicity import holm
from pipeline.reports import Gap, GroupScore
from pipeline.stages.audits.columns import Column
from pipeline.stages.audits.tested import Tested


def compare_groups(
    tested: Tested, columns: Mapping[str, Column], params: AuditParams, bootstrap: Bootstrap
) -> tuple[dict[str, tuple[GroupScore, ...]], tuple[Gap, ...]]:
    """Compare the groups of each column; the gaps' p-values are adjusted as one family."""
    scores: dict[str, tuple[GroupScore, ...]] = {}
    gaps: list[Gap] = []
    for name, column in columns.items():
        scores[name] = fairness.group_scores(
            tested.outcomes,
            column.of_rows,
            column.values,
            min_rows=params.min_group_rows,
            bins=params.calibration_bins,
            bootstrap=bootstrap,
        )
        gaps += fairness.gaps(
            tested.outcomes,
            name,
            column.of_rows,
            column.values,
            min_rows=params.min_group_rows,
            bootstrap=bootstrap,
        )
    adjusted = holm([gap.p_value for gap in gaps])
    return scores, tuple(
        gap.model_copy(update={"p_adjusted": p}) for gap, p in zip(gaps, adjusted, strict=True)
    )
