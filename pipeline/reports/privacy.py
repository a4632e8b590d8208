"""Attacks on the model's privacy: a part of the audit's report."""

from pipeline.reports.base import Estimate, Report


class Membership(Report):
    """The likelihood ratio attack on the head: which rows was it trained on?"""

    true_positive_rate: Estimate  # of members; by chance it equals the false positive rate
    false_positive_rate: float  # of the others
    auc: Estimate  # 0.5 is chance
    members: int  # training rows that were attacked
    others: int  # rows that were not trained on
    shadow_heads: int
    shadow_rows: int  # that a shadow head is trained on, on average
    shadow_batch_rows: int | None = None  # of a private one, where the head's has more


class Exposure(Report):
    """How well the language model remembers secrets that were planted a number of times."""

    name: str  # once, 4 times, 16 times; never: the control
    repeats: int
    times_read: float  # in training, on average: it may read its text in part, or more than once
    exposure: Estimate  # bits, mean over secrets; `detectable` is the smallest mean found
    p_value: float | None  # of a mean so high if nothing was learnt, one-sided


class CanaryReport(Report):
    """Planted secrets, each ranked by the language model among secrets that were not planted."""

    levels: tuple[Exposure, ...]
    candidates: int  # that each secret was ranked among
    most_bits: float  # the exposure of a secret that is ranked first
    chance_bits: float  # the mean exposure of a secret that was not learnt


class PrivacyReport(Report):
    """Attacks on the trained model; `not_evaluated` says why one is None."""

    membership: Membership | None
    canaries: CanaryReport | None = None
    not_evaluated: dict[str, str]  # attack -> why
