"""The classifier's rates in each group of test rows, and the gaps between groups."""

from collections.abc import Mapping, Sequence

from pipeline.measure import fairness
from pipeline.measure.intervals import Bootstrap
from pipeline.reports import Gap, GroupScore
from pipeline.stages.audits.tested import Tested


def compare_groups(
    tested: Tested, values: Mapping[str, Sequence[str]], min_rows: int, bootstrap: Bootstrap
) -> tuple[dict[str, tuple[GroupScore, ...]], tuple[Gap, ...]]:
    """Compare the groups of each column, given every value that any part of the data has."""
    scores: dict[str, tuple[GroupScore, ...]] = {}
    gaps: list[Gap] = []
    for column, declared in values.items():
        groups = tested.groups[column]
        scores[column] = fairness.group_scores(
            tested.outcomes, groups, declared, bootstrap.confidence
        )
        gaps += fairness.gaps(
            tested.outcomes, column, groups, declared, min_rows=min_rows, bootstrap=bootstrap
        )
    return scores, tuple(gaps)
