"""Groups of rows compared: rates with intervals, and the widest gap with simultaneous bounds."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from pipeline.measure import calibration
from pipeline.measure.intervals import Bootstrap, bootstrap_mean, undefined, wilson
from pipeline.measure.outcomes import Outcomes
from pipeline.measure.power import POWER
from pipeline.measure.ranking import group_aucs
from pipeline.measure.simultaneous import hardest_pair, least_detectable, simultaneous_gap
from pipeline.reports import Detectable, Estimate, Gap, GroupScore

Metric = Literal["accuracy", "selection_rate", "true_positive_rate", "false_positive_rate"]
METRICS: tuple[Metric, ...] = get_args(Metric)


@dataclass(frozen=True)
class Cells:
    """Binomial counts of one metric: C cells, one for each target label and group."""

    labels: tuple[str, ...]  # (C,) name of the target label; empty for accuracy
    values: tuple[str, ...]  # (C,) the group
    hits: np.ndarray  # (C,)
    support: np.ndarray  # (C,) rows that the rate rests on: its denominator


def targets(outcomes: Outcomes) -> tuple[int, ...]:
    """Return the labels that are treated as positive, in turn.

    Of two labels that is the second; of more, each against the rest, so that none is favoured.
    """
    return (1,) if len(outcomes.names) == 2 else tuple(range(len(outcomes.names)))


def group_scores(
    outcomes: Outcomes,
    groups: np.ndarray,
    values: Sequence[str],
    *,
    min_rows: int,
    bins: int,
    bootstrap: Bootstrap,
) -> tuple[GroupScore, ...]:
    """Score each declared value of a column; ``groups`` (n,) holds the rows' values.

    Beyond two labels there is an entry for each value and target label, each label against the
    rest. A value without rows is kept, with 0 rows and undefined figures. The calibration error (of
    ``bins``) and Brier score of fewer than ``min_rows`` rows are undefined: the first would be
    mostly bias, and the bootstrap of the second would have too few rows.
    """
    scores = []
    for value in values:
        member = groups == value
        calibrated = _calibration(outcomes, member, min_rows, bins, bootstrap)
        for target in targets(outcomes):
            rates = _rates(outcomes, member, target, bootstrap.confidence)
            positive = outcomes.labels == target
            of_target = outcomes.probabilities[:, target]
            scores.append(
                GroupScore(
                    value=value,
                    label=outcomes.names[target],
                    rows=int(member.sum()),
                    positives=int((member & positive).sum()),
                    **rates,
                    **group_aucs(of_target, positive, member, bootstrap.confidence),
                    **calibrated,
                )
            )
    return tuple(scores)


def _rates(
    outcomes: Outcomes, member: np.ndarray, target: int, confidence: float
) -> dict[str, Estimate]:
    rates: dict[str, Estimate] = {}
    for metric in METRICS:
        event, among = _event(outcomes, metric, target)
        rates[metric] = wilson(
            int((event & among & member).sum()), int((among & member).sum()), confidence
        )
    return rates


def _calibration(
    outcomes: Outcomes, member: np.ndarray, min_rows: int, bins: int, bootstrap: Bootstrap
) -> dict[str, Estimate]:
    rows = int(member.sum())
    if rows < min_rows:
        few = undefined(rows, bootstrap.confidence, f"fewer than {min_rows} rows")
        return {"ece": few, "brier": few}
    labels, probabilities = outcomes.labels[member], outcomes.probabilities[member]
    losses = calibration.brier_losses(labels, probabilities)
    return {
        "ece": calibration.calibration_error(labels, probabilities, bins, bootstrap),
        "brier": bootstrap_mean(losses, bootstrap),
    }


def _event(outcomes: Outcomes, metric: Metric, target: int) -> tuple[np.ndarray, np.ndarray]:
    """Return masks (n,) of the rows that a metric counts, and of its denominator."""
    selected, positive = outcomes.predicted == target, outcomes.labels == target
    everyone = np.ones_like(positive)
    return {
        "accuracy": (outcomes.correct, everyone),
        "selection_rate": (selected, everyone),
        "true_positive_rate": (selected, positive),
        "false_positive_rate": (selected, ~positive),
    }[metric]


def count_cells(
    outcomes: Outcomes, groups: np.ndarray, values: Sequence[str], metric: Metric
) -> Cells:
    """Count a metric's hits and support in every declared group, for every target label."""
    positive = targets(outcomes)[:1] if metric == "accuracy" else targets(outcomes)
    labels, hits, support = [], [], []
    for target in positive:
        event, among = _event(outcomes, metric, target)
        for value in values:
            member = among & (groups == value)
            labels.append("" if metric == "accuracy" else outcomes.names[target])
            hits.append(int((event & member).sum()))
            support.append(int(member.sum()))
    return Cells(tuple(labels), tuple(values) * len(positive), np.array(hits), np.array(support))


def gaps(
    outcomes: Outcomes,
    column: str,
    groups: np.ndarray,
    values: Sequence[str],
    *,
    min_rows: int,
    bootstrap: Bootstrap,
) -> tuple[Gap, ...]:
    """Return the widest gap of every metric over the declared values of one column.

    Beyond two labels a gap is also the widest over target labels, and names its label.
    """
    return tuple(
        widest_gap(
            column, metric, count_cells(outcomes, groups, values, metric), min_rows, bootstrap
        )
        for metric in METRICS
    )


def widest_gap(
    column: str, metric: Metric, cells: Cells, min_rows: int, bootstrap: Bootstrap
) -> Gap:
    """Return the gap of one metric over the groups with a support of ``min_rows`` or more.

    The other groups are named as left out; the gate passes no rule that asks for one of them.
    """
    usable = cells.support >= min_rows
    pairs = [
        (i, j)
        for i, j in itertools.combinations(range(len(usable)), 2)
        if usable[i] and usable[j] and cells.labels[i] == cells.labels[j]
    ]
    rows = int(cells.support[usable].sum())
    left_out = _left_out(cells, min_rows)
    compared = tuple(value for value in dict.fromkeys(cells.values) if value not in left_out)
    if not pairs:
        few = f"fewer than two groups of {min_rows} rows"
        return Gap(
            column=column,
            metric=metric,
            gap=undefined(rows, bootstrap.confidence, few),
            widest=("", ""),
            p_value=None,
            detectable=Detectable(gap=None, power=POWER, n=rows, note=few),
            groups_compared=compared,
            groups_left_out=left_out,
        )
    widest = simultaneous_gap(cells.hits, cells.support, pairs, bootstrap)
    first, second = widest.pair
    return Gap(
        column=column,
        metric=metric,
        label=cells.labels[first],
        gap=Estimate(
            point=widest.point,
            low=widest.low,
            high=widest.high,
            n=rows,
            confidence=bootstrap.confidence,
            note=f"simultaneous over {len(pairs)} pairs of groups; {len(left_out)} groups left out",
        ),
        widest=(cells.values[first], cells.values[second]),
        p_value=widest.p_value,
        detectable=_detectable(cells, pairs, widest.critical),
        groups_compared=compared,
        groups_left_out=left_out,
    )


def _detectable(cells: Cells, pairs: Sequence[tuple[int, int]], critical: float) -> Detectable:
    """Return the least gap that the two smallest groups would show, given the label's rate."""
    i, j = hardest_pair(cells.support, pairs)
    alike = np.array([label == cells.labels[i] for label in cells.labels])
    rate = float(cells.hits[alike].sum() / cells.support[alike].sum())
    rows = int(cells.support[i]), int(cells.support[j])
    gap = least_detectable(rate, rows, critical, POWER)
    between = f"between {cells.values[i]} ({rows[0]} rows) and {cells.values[j]} ({rows[1]} rows)"
    return Detectable(
        gap=gap,
        power=POWER,
        n=sum(rows),
        note=between if gap is not None else f"no gap, however wide, would be shown {between}",
    )


def _left_out(cells: Cells, min_rows: int) -> dict[str, str]:
    """Return the groups that could not be compared for at least one label, and why."""
    reasons: dict[str, list[str]] = {}
    for label, value, rows in zip(cells.labels, cells.values, cells.support, strict=True):
        if rows < min_rows:
            of = f" for label {label}" if label else ""
            reasons.setdefault(value, []).append(f"{rows} of the {min_rows} rows needed{of}")
    return {value: "; ".join(why) for value, why in reasons.items()}
