"""The report of the stage audit."""

from typing import Literal

from pipeline.reports.base import Estimate, Report
from pipeline.reports.behaviour import Behaviour
from pipeline.reports.explanation import ExplanationReport
from pipeline.reports.intrinsic import IntrinsicReport, PairScore
from pipeline.reports.mitigation import Mitigation
from pipeline.reports.privacy import PrivacyReport


class GroupScore(Report):
    """The classifier on the test rows of one group; beyond two labels, one score for each label."""

    value: str
    label: str = ""  # the positive label: the second of two, or each in turn
    rows: int
    positives: int
    accuracy: Estimate
    selection_rate: Estimate
    true_positive_rate: Estimate
    false_positive_rate: Estimate
    subgroup_auc: Estimate  # of the group's rows alone (Borkan et al. 2019)
    bpsn_auc: Estimate  # the others' positive rows against the group's negative ones
    bnsp_auc: Estimate  # the group's positive rows against the others' negative ones
    ece: Estimate  # over all labels, as the Brier score
    brier: Estimate


class Detectable(Report):
    """The smallest true gap that would probably have been found; smaller ones may be missed."""

    gap: float | None  # None where not even the widest possible gap would
    power: float  # the probability of finding it, at the gap's confidence
    n: int  # rows of the two smallest groups that are compared
    note: str  # which groups those are


class Gap(Report):
    """The largest difference of a metric between two groups of a column."""

    column: str
    metric: Literal["accuracy", "selection_rate", "true_positive_rate", "false_positive_rate"]
    gap: Estimate  # high is a simultaneous upper bound over the pairs of groups
    widest: tuple[str, str]  # the two groups, or empty names where undefined
    label: str = ""  # the positive label of the widest difference; empty for accuracy
    p_value: float | None  # that no two groups differ, simultaneous over the pairs
    p_adjusted: float | None = None  # by Holm (1979), over all gaps of the report
    detectable: Detectable
    groups_compared: tuple[str, ...]  # those with enough rows of every label
    groups_left_out: dict[str, str]  # value -> why; the gap does not cover them


class Counterfactual(Report):
    """The classifier on texts and on the same texts with terms exchanged.

    P is the probability of labels[1]. With three labels or more it is that of the label predicted
    for the original, and the absolute change is the distributions' total variation distance.
    """

    name: str
    texts: int  # that contain a term to exchange
    flip_rate: Estimate
    mean_change: Estimate  # of P: swapped minus original
    mean_absolute_change: Estimate
    examples: tuple[tuple[str, str, float, float], ...]  # text, swapped, P before, P after


class AuditReport(Report):
    """The report of the stage audit."""

    groups: dict[str, tuple[GroupScore, ...]]  # by column
    group_sources: dict[str, str]  # column -> where its values come from
    gaps: tuple[Gap, ...]
    counterfactuals: tuple[Counterfactual, ...]
    behaviour: tuple[Behaviour, ...]
    crows_pairs: PairScore | None
    intrinsic: IntrinsicReport  # the other benchmarks of the language model
    explanation: ExplanationReport
    privacy: PrivacyReport
    competent: bool  # whether the language model's scores mean anything
    competence: str  # why, in words with figures
    mitigation: Mitigation
    benchmark_digests: dict[str, str]  # file -> SHA-256
