"""The report of the behavioural tests, a part of the stage audit."""

from typing import Literal

from pipeline.reports.base import Estimate, Report


class Behaviour(Report):
    """The classifier on texts and on the same texts changed in a way whose effect is known.

    A test of *invariance* fails on a text whose predicted label changes; one of *direction* on a
    text for which the probability of its predicted label does not fall (Ribeiro et al. 2020).
    """

    name: str
    kind: Literal["invariance", "direction"]
    texts: int  # that the change applies to
    failure_rate: Estimate
    mean_change: Estimate  # of the probability of the label predicted for the original
    examples: tuple[tuple[str, str, float, float], ...]  # failures: text, changed, P before, after
