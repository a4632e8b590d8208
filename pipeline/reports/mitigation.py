"""Methods of mitigation, compared: a part of the audit's report."""

from typing import Literal

import pydantic

from pipeline.reports.base import Estimate, Report


class MitigationScore(Report):
    """One method on the test rows, compared with no mitigation on the same rows."""

    method: str
    group_at_use: bool  # whether it must be told each text's group when it answers
    random_answers: bool  # whether the same text may get another answer next time
    accuracy: Estimate
    accuracy_change: Estimate | None  # minus none's, paired; None for none itself
    gaps: dict[str, Estimate]  # metric -> widest gap, with simultaneous bounds
    gap_change: Estimate | None  # of the constraint's gap, minus none's, paired
    validation_accuracy: Estimate
    validation_gap_change: Estimate | None  # at the confidence of the choice


class Probe(Report):
    """How well a probe fitted to training rows predicts the groups of test rows."""

    kind: Literal["linear", "nonlinear"]
    erased: bool  # whether LEACE took the groups out of the features first
    balanced_accuracy: Estimate  # mean over groups of the share predicted right
    chance: float  # that of guessing


class Mitigation(Report):
    """All methods that could be compared, and the best by a rule on validation rows."""

    column: str | None  # whose groups are to be treated alike
    constraint: Literal["equalized_odds", "demographic_parity"]
    shipped: str  # the method of the head that is shipped
    methods: tuple[MitigationScore, ...] = ()  # the first is "none"
    left_out: dict[str, str] = pydantic.Field(default_factory=dict)  # method -> why
    best: str | None = None
    rule: str = ""  # by which the best is chosen, with its figures
    judged_groups: tuple[str, ...] = ()  # groups with enough validation rows for the rule
    probes: tuple[Probe, ...] = ()
    note: str = ""  # why nothing was compared
