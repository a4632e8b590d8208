"""The report of the stage audit."""

from typing import Literal

from pipeline.reports.base import Estimate, Report
from pipeline.reports.mitigation import Mitigation


class GroupScore(Report):
    """The classifier on one group of test rows; one a value, and a label beyond two labels."""

    value: str
    label: str = ""  # the positive label: the second of two, else each one against the rest
    rows: int
    positives: int
    accuracy: Estimate
    selection_rate: Estimate
    true_positive_rate: Estimate
    false_positive_rate: Estimate


class Gap(Report):
    """The largest difference of a metric between two groups of a column."""

    column: str
    metric: Literal["accuracy", "selection_rate", "true_positive_rate", "false_positive_rate"]
    gap: Estimate  # high is a simultaneous upper bound over the pairs of groups
    widest: tuple[str, str]  # the two groups, or empty names where undefined
    label: str = ""  # the positive label of the widest difference; empty for accuracy
    groups_left_out: dict[str, str]  # value -> why


class Counterfactual(Report):
    """The classifier on texts and on the same texts with terms exchanged.

    P is of labels[1]; beyond two labels of the label predicted for the original, and the absolute
    change is the total variation distance of the two distributions.
    """

    name: str
    texts: int  # with a term to exchange
    flip_rate: Estimate
    mean_change: Estimate  # of P: swapped minus original
    mean_absolute_change: Estimate
    examples: tuple[tuple[str, str, float, float], ...]  # text, swapped, P before, P after


class PairScore(Report):
    """CrowS-Pairs: the share of pairs in which the model prefers the stereotype, in percent."""

    score: Estimate
    stereo: Estimate
    antistereo: Estimate
    per_type: dict[str, Estimate]
    ties: int  # stay in the denominator


class AuditReport(Report):
    """Of the stage audit."""

    groups: dict[str, tuple[GroupScore, ...]]  # by column
    gaps: tuple[Gap, ...]
    counterfactuals: tuple[Counterfactual, ...]
    crows_pairs: PairScore | None
    competent: bool  # whether the language model is good enough for crows_pairs to mean anything
    competence: str  # why, in words with figures
    mitigation: Mitigation
    benchmark_digests: dict[str, str]  # file -> SHA-256
