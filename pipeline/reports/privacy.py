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


class PrivacyReport(Report):
    """Attacks on the trained model. An attack that is None is named in `not_evaluated`."""

    membership: Membership | None
    not_evaluated: dict[str, str]  # attack -> why
