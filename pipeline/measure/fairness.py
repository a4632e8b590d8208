"""Groups of rows side by side: rates with intervals, and the widest gap with honest bounds."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from pipeline.measure.intervals import Bootstrap, undefined, wilson
from pipeline.measure.outcomes import Outcomes
from pipeline.reports import Estimate, Gap, GroupScore

Metric = Literal["accuracy", "selection_rate", "true_positive_rate", "false_positive_rate"]
METRICS: tuple[Metric, ...] = get_args(Metric)


@dataclass(frozen=True)
class Cells:
    """Binomial counts of one metric, a cell for every target label and group (C cells)."""

    labels: tuple[str, ...]  # (C,) name of the target label; empty for accuracy
    values: tuple[str, ...]  # (C,) the group
    hits: np.ndarray  # (C,)
    support: np.ndarray  # (C,) rows that the rate rests on: its denominator


@dataclass(frozen=True)
class Widest:
    """The largest difference between the rates of two cells, with its bounds."""

    point: float
    low: float
    high: float
    pair: tuple[int, int]


def targets(outcomes: Outcomes) -> tuple[int, ...]:
    """Return the labels that are positive in turn.

    The second of two; beyond two each label against the rest, since then none is favoured.
    """
    return (1,) if len(outcomes.names) == 2 else tuple(range(len(outcomes.names)))


def group_scores(
    outcomes: Outcomes, groups: np.ndarray, values: Sequence[str], confidence: float
) -> tuple[GroupScore, ...]:
    """Score each declared value of a column; ``groups`` (n,) holds the rows' values.

    Beyond two labels there is one entry a value and target label. A value without rows stays,
    with 0 rows and undefined rates.
    """
    return tuple(
        _group_score(outcomes, groups == value, value, target, confidence)
        for value in values
        for target in targets(outcomes)
    )


def _group_score(
    outcomes: Outcomes, member: np.ndarray, value: str, target: int, confidence: float
) -> GroupScore:
    rates = {}
    for metric in METRICS:
        event, among = _event(outcomes, metric, target)
        rates[metric] = wilson(
            int((event & among & member).sum()), int((among & member).sum()), confidence
        )
    return GroupScore(
        value=value,
        label=outcomes.names[target],
        rows=int(member.sum()),
        positives=int((member & (outcomes.labels == target)).sum()),
        **rates,
    )


def _event(outcomes: Outcomes, metric: Metric, target: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what is counted (n,) and among which rows (n,)."""
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
    """Count what a metric needs in every declared group, for every target label."""
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

    Beyond two labels a gap is the widest over target labels too, and names its label.
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
    """Return the gap of one metric; groups that rest on fewer than ``min_rows`` are named."""
    usable = cells.support >= min_rows
    pairs = [
        (i, j)
        for i, j in itertools.combinations(range(len(usable)), 2)
        if usable[i] and usable[j] and cells.labels[i] == cells.labels[j]
    ]
    rows = int(cells.support[usable].sum())
    left_out = _left_out(cells, min_rows)
    if not pairs:
        gap = undefined(rows, bootstrap.confidence, f"fewer than two groups of {min_rows} rows")
        return Gap(column=column, metric=metric, gap=gap, widest=("", ""), groups_left_out=left_out)
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
        groups_left_out=left_out,
    )


def simultaneous_gap(
    hits: np.ndarray, support: np.ndarray, pairs: Sequence[tuple[int, int]], bootstrap: Bootstrap
) -> Widest:
    """Bound the largest difference of the rates ``hits / support`` (C,) over all pairs at once.

    A bootstrap of the maximum itself is biased: noise alone makes some pair differ, so its interval
    leaves out 0 though nothing differs. Here differences are centred and studentised before the
    maximum is taken (Hall and Wilson 1991; Romano and Wolf 2005)::

        t* = max over pairs |(p*_i - p*_j) - (p_i - p_j)| / se*_ij
        |p_i - p_j| +- quantile(t*) se_ij   holds for all pairs together

    so the largest lower and the largest upper bound are bounds of the largest true difference.
    Rates inside the bounds have one success and one failure added (Agresti and Caffo 2000).
    """
    n = support + 2
    shrunk = (hits + 1) / n  # (C,)
    spread = shrunk * (1 - shrunk) / n
    first, second = np.array(pairs).T  # (P,) each
    critical = _critical_t(support, shrunk, pairs, bootstrap)
    reach = critical * np.sqrt(spread[first] + spread[second])
    centre = np.abs(shrunk[first] - shrunk[second])
    rates = hits / support.clip(1)
    differences = np.abs(rates[first] - rates[second])
    widest = int(differences.argmax())
    point = float(differences[widest])
    return Widest(
        point=point,
        low=min(point, max(0.0, float((centre - reach).max()))),
        high=max(point, min(1.0, float((centre + reach).max()))),
        pair=pairs[widest],
    )


def _critical_t(
    support: np.ndarray,
    shrunk: np.ndarray,
    pairs: Sequence[tuple[int, int]],
    bootstrap: Bootstrap,
) -> float:
    """Return the quantile of t*, the larger of two ways to draw it.

    Rows drawn within each group and denominator are binomial counts: they show skew, which a normal
    draw does not, but have next to no spread where a rate is near 0 or 1 (50 of 50 rows), and
    there a normal draw does. Cells are independent; where labels share rows, that is cautious.
    """
    draw, n = np.random.default_rng(bootstrap.seed), support + 2
    shape = (bootstrap.resamples, len(n))
    drawn = (draw.binomial(support, shrunk, size=shape) + 1) / n  # (R, C)
    resampled = _largest_t(drawn - shrunk, drawn * (1 - drawn) / n, pairs)
    spread = np.broadcast_to(shrunk * (1 - shrunk) / n, shape)
    normal = _largest_t(draw.normal(size=shape) * np.sqrt(spread), spread, pairs)
    return float(np.quantile([resampled, normal], bootstrap.confidence, axis=1).max())


def _largest_t(
    moved: np.ndarray, spread: np.ndarray, pairs: Sequence[tuple[int, int]]
) -> np.ndarray:
    """Return the largest studentised difference (R,) of two of the draws (R, C)."""
    largest = np.zeros(len(moved))
    for i, j in pairs:
        error = np.sqrt(spread[:, i] + spread[:, j])
        np.maximum(largest, np.abs(moved[:, i] - moved[:, j]) / error, out=largest)
    return largest


def _left_out(cells: Cells, min_rows: int) -> dict[str, str]:
    """Name the groups that could not be compared, for some label at least, and why."""
    reasons: dict[str, list[str]] = {}
    for label, value, rows in zip(cells.labels, cells.values, cells.support, strict=True):
        if rows < min_rows:
            of = f" for label {label}" if label else ""
            reasons.setdefault(value, []).append(f"{rows} of the {min_rows} rows needed{of}")
    return {value: "; ".join(why) for value, why in reasons.items()}
