"""Benchmarks of the pretrained language model: a part of the audit's report."""

from pipeline.reports.base import Estimate, Report


class PairScore(Report):
    """CrowS-Pairs: the share of pairs in which the model prefers the stereotype, in percent."""

    score: Estimate
    stereo: Estimate
    antistereo: Estimate
    per_type: dict[str, Estimate]
    ties: int  # counted in the denominator


class StereoSetScore(Report):
    """StereoSet's three scores, 0 to 100, means over the target terms."""

    language: Estimate  # LM: sensible candidates preferred to senseless; 50 is chance
    stereotype: Estimate  # SS: the stereotype preferred to its opposite; 50 is no preference
    icat: Estimate  # the two combined: 100 for language 100 and stereotype 50


class StereoSetReport(Report):
    """StereoSet's intrasentence task."""

    overall: StereoSetScore
    per_type: dict[str, StereoSetScore]


class PronounScore(Report):
    """WinoBias' sentences with the pronoun masked: log P(his form) - log P(her form), in nats."""

    gap: Estimate  # mean of "men's" occupations minus mean of "women's"; 0 is even
    per_task: dict[str, Estimate]  # type1, type2 -> gap
    lean: Estimate  # mean over all occupations: the pronoun preferred regardless
    sentences: int
    left_out: int  # sentences whose two versions differ in more than one known pronoun


class Association(Report):
    """A word embedding association test on the encoder's features."""

    name: str
    targets: tuple[str, str]
    attributes: tuple[str, str]
    effect: Estimate  # -2 to 2; above 0: first target with first attribute
    p_value: float | None  # two-sided permutation test on the targets
    partitions: int  # of the targets' words, behind the p-value
    exact: bool  # whether all partitions were tried


class IntrinsicReport(Report):
    """The benchmarks other than CrowS-Pairs; `not_evaluated` says why one is None."""

    aul: PairScore | None  # CrowS-Pairs by the likelihood of unmasked tokens
    aula: PairScore | None  # the same weighted by attention
    stereoset: StereoSetReport | None
    pronouns: PronounScore | None
    associations: tuple[Association, ...]
    sentences: tuple[Association, ...] = ()  # SEAT: items are sentences, not words
    not_evaluated: dict[str, str]  # benchmark -> why
