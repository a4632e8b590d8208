"""Methods of mitigation, compared on the same rows, and the best of them by a rule."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from pipeline.measure import fairness, paired
from pipeline.measure.intervals import (
    Bootstrap,
    percentile,
    resample_weights,
    undefined,
    wilson,
)
from pipeline.measure.outcomes import Outcomes
from pipeline.reports import Estimate, MitigationScore

Constraint = Literal["equalized_odds", "demographic_parity"]


@dataclass(frozen=True)
class Trial:
    """One method's predictions for rows that it was not fitted to."""

    method: str
    validation: Outcomes
    test: Outcomes
    group_at_use: bool = False
    random_answers: bool = False


@dataclass(frozen=True)
class Frame:
    """Which gap is meant: the rows' groups (n,), their column, and the least rows of a group."""

    column: str
    groups: np.ndarray
    values: Sequence[str]  # all that any part of the data has
    constraint: Constraint
    min_rows: int


@dataclass(frozen=True)
class Choice:
    """The method that the rule chooses, and the rule in words."""

    best: str
    rule: str


class GapChanges(NamedTuple):
    """How a method's gap differs from the gap without mitigation; None for the latter."""

    validation: Estimate | None
    test: Estimate | None


def score_trials(
    trials: Sequence[Trial], validation: Frame, test: Frame, bootstrap: Bootstrap
) -> tuple[MitigationScore, ...]:
    """Score each method against the first, which is no mitigation.

    Changes on validation rows, which decide the choice, are at a stricter confidence (Bonferroni),
    so that none of many methods is chosen by luck.
    """
    strict = replace(bootstrap, confidence=1 - (1 - bootstrap.confidence) / max(1, len(trials) - 1))
    seen = gap_changes([trial.validation for trial in trials], validation, strict)
    found = gap_changes([trial.test for trial in trials], test, bootstrap)
    return tuple(
        _score(trial, trials[0], test, bootstrap, GapChanges(before, after))
        for trial, before, after in zip(trials, seen, found, strict=True)
    )


def _score(
    trial: Trial, none: Trial, frame: Frame, bootstrap: Bootstrap, changes: GapChanges
) -> MitigationScore:
    outcomes = trial.test
    gaps = fairness.gaps(
        *(outcomes, frame.column, frame.groups, frame.values),
        min_rows=frame.min_rows,
        bootstrap=bootstrap,
    )
    versus = paired.compare("none", outcomes.correct, none.test.correct, bootstrap.confidence)
    return MitigationScore(
        method=trial.method,
        group_at_use=trial.group_at_use,
        random_answers=trial.random_answers,
        accuracy=_accuracy(outcomes, bootstrap),
        accuracy_change=None if trial is none else versus.difference,
        gaps={gap.metric: gap.gap for gap in gaps},
        gap_change=changes.test,
        validation_accuracy=_accuracy(trial.validation, bootstrap),
        validation_gap_change=changes.validation,
    )


def _accuracy(outcomes: Outcomes, bootstrap: Bootstrap) -> Estimate:
    return wilson(int(outcomes.correct.sum()), len(outcomes.labels), bootstrap.confidence)


def gap_changes(
    answers: Sequence[Outcomes], frame: Frame, bootstrap: Bootstrap
) -> list[Estimate | None]:
    """Return how the gap of each answer differs from the first's, by a bootstrap of the same rows.

    The gap is the widest difference between two groups' rates: true and false positive rates under
    equalized odds, selection rates under demographic parity. The first's own entry is None.
    """
    members, families = _members(answers[0], frame)
    if not families:
        few = undefined(0, bootstrap.confidence, f"fewer than two groups of {frame.min_rows} rows")
        return [None, *([few] * (len(answers) - 1))]
    hits = [
        np.stack([(said.predicted == target) & member for target, member in members])
        for said in answers
    ]
    counted = np.concatenate([[member for _, member in members], *hits]).T.astype(np.float64)
    points = _widest(counted.sum(axis=0, keepdims=True), families)[0]  # (M,)
    draws = np.concatenate(
        [
            _widest(weights @ counted, families)
            for weights in resample_weights(len(counted), bootstrap)
        ]
    )  # (R, M)
    rows = int(np.any([member for _, member in members], axis=0).sum())
    changes = [
        percentile(
            float(points[m] - points[0]), draws[:, m] - draws[:, 0], rows, bootstrap.confidence
        )
        for m in range(1, len(answers))
    ]
    return [None, *changes]


def _members(
    outcomes: Outcomes, frame: Frame
) -> tuple[list[tuple[int, np.ndarray]], list[list[int]]]:
    """Return each rate's label and rows (n,), and the families of rates that are compared.

    A rate is of one group, with at least ``min_rows`` rows in its denominator.
    """
    members: list[tuple[int, np.ndarray]] = []
    families: list[list[int]] = []
    for target in fairness.targets(outcomes):
        positive = outcomes.labels == target
        every = np.ones_like(positive)
        for among in [positive, ~positive] if frame.constraint == "equalized_odds" else [every]:
            each = [among & (frame.groups == value) for value in frame.values]
            usable = [(target, member) for member in each if member.sum() >= frame.min_rows]
            if len(usable) > 1:
                families.append(list(range(len(members), len(members) + len(usable))))
                members += usable
    return members, families


def _widest(counts: np.ndarray, families: Sequence[Sequence[int]]) -> np.ndarray:
    """Return the widest gap (R, M) of counts (R, (1 + M) C): C supports, then C hits an answer."""
    cells = sum(len(family) for family in families)
    table = counts.reshape(len(counts), -1, cells)  # (R, 1 + M, C)
    with np.errstate(invalid="ignore"):
        rates = table[:, 1:] / table[:, :1]  # NaN where no row was drawn
    gaps = [np.ptp(rates[:, :, list(family)], axis=2) for family in families]
    widest: np.ndarray = np.max(gaps, axis=0)
    return widest


def judged_groups(outcomes: Outcomes, frame: Frame) -> tuple[str, ...]:
    """Return the groups that take part in any comparison of the frame's gap."""
    members, _ = _members(outcomes, frame)
    return tuple(sorted({str(frame.groups[member.argmax()]) for _, member in members}))


def choose_best(
    scores: Sequence[MitigationScore], max_accuracy_loss: float, group_at_use: bool
) -> Choice:
    """Choose the best method on validation rows; "none" if none is shown to be better.

    A method qualifies if its gap is smaller beyond chance and its accuracy at most
    ``max_accuracy_loss`` below that of no mitigation; one that needs each text's group qualifies
    only under ``group_at_use``. Of these the one with the smallest gap is named.
    """
    floor = (scores[0].validation_accuracy.point or 0.0) - max_accuracy_loss
    fit = {
        score.method: change.point
        for score in scores[1:]
        if (change := score.validation_gap_change) is not None
        and change.point is not None
        and change.high is not None
        and change.high < 0
        and (score.validation_accuracy.point or 0.0) >= floor
        and (group_at_use or not score.group_at_use)
    }
    best = min(fit, key=lambda method: fit[method]) if fit else "none"
    rule = (
        "on validation rows, the smallest gap among the ways whose gap is smaller than without "
        "mitigation beyond chance, all ways considered, whose accuracy is at most "
        f"{max_accuracy_loss:g} lower"
        + ("" if group_at_use else ", and which need not be told a text's group")
    )
    found = f"{len(fit)} of {len(scores) - 1} ways qualify"
    return Choice(best, f"{rule}; {found}" + ("" if fit else ", so none is named"))
