"""What the audit of privacy found: a part of the report of audit."""

from pipeline.reports.base import Estimate, Report


class Membership(Report):
    """The likelihood ratio attack on the head: who was in its training rows?"""

    true_positive_rate: Estimate  # members found; by chance it is the false positive rate
    false_positive_rate: float  # share of the others taken for members
    auc: Estimate  # 0.5 is chance
    members: int  # training rows that were attacked
    others: int  # rows that were not learnt
    shadow_heads: int
    shadow_rows: int  # that each shadow head learnt, on average
    shadow_batch_rows: int | None = None  # of a private one on average, where the head's has more


class Exposure(Report):
    """What the language model remembers of secrets that were planted so often."""

    name: str  # once, 4 times, 16 times; never: the control
    repeats: int
    times_read: float  # by training, on average: it may read a part of its text, or all twice
    exposure: Estimate  # bits, mean over secrets; `detectable` is the least mean seen
    p_value: float | None  # of so high a mean where nothing was learnt, one-sided


class CanaryReport(Report):
    """Secrets planted in the training text, ranked among others by the language model."""

    levels: tuple[Exposure, ...]
    candidates: int  # other secrets that each was ranked among
    most_bits: float  # the exposure of a secret that is ranked first
    chance_bits: float  # the mean exposure of a secret that was not learnt


class PrivacyReport(Report):
    """Attacks on the trained model. An attack that is None is named in `not_evaluated`."""

    membership: Membership | None
    canaries: CanaryReport | None = None
    not_evaluated: dict[str, str]  # attack -> why
