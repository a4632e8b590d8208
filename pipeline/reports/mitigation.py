"""Ways to treat groups more alike, compared: a part of the report of the stage audit."""

from typing import Literal

import pydantic

from pipeline.reports.base import Estimate, Report


class MitigationScore(Report):
    """One way, on the test rows, and beside no mitigation on the same rows."""

    method: str
    group_at_use: bool  # whether it must be told each text's group when it answers
    random_answers: bool  # whether it may answer the same text otherwise when asked again
    accuracy: Estimate
    accuracy_change: Estimate | None  # minus none's, paired; None of none itself
    gaps: dict[str, Estimate]  # metric -> widest gap, with simultaneous bounds
    gap_change: Estimate | None  # of the constraint's gap, minus none's, paired
    validation_accuracy: Estimate
    validation_gap_change: Estimate | None  # at the confidence of the choice


class Probe(Report):
    """How well a probe, fitted to training rows, tells the groups of test rows apart."""

    kind: Literal["linear", "nonlinear"]
    erased: bool  # whether LEACE took the groups out of the features first
    balanced_accuracy: Estimate  # mean over groups of the share of its rows that are right
    chance: float  # what guessing gives


class Mitigation(Report):
    """All ways that could be compared, with the best by a rule on validation rows."""

    column: str | None  # whose groups are to be treated alike
    constraint: Literal["equalized_odds", "demographic_parity"]
    shipped: str  # the method of the head that is shipped
    methods: tuple[MitigationScore, ...] = ()  # the first is none
    left_out: dict[str, str] = pydantic.Field(default_factory=dict)  # method -> why
    best: str | None = None
    rule: str = ""  # by which the best is named, with what it found
    judged_groups: tuple[str, ...] = ()  # groups with enough validation rows for the rule
    probes: tuple[Probe, ...] = ()
    note: str = ""  # why nothing was compared
