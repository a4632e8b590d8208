"""What can be learnt of the training rows from the model."""

from pipeline.reports import PrivacyReport
from pipeline.stages.page import figures, shapes
from pipeline.stages.page.shapes import Mark

_EVEN = 0.5  # of pairs ordered rightly by chance


def membership(report: PrivacyReport) -> shapes.Intervals | None:
    """How well an attacker tells training rows from others, beside chance."""
    found = report.membership
    if found is None:
        return None
    rate = found.false_positive_rate
    return shapes.intervals(
        "Training rows found by an attacker",
        [("", [Mark("Share of training rows found", found.true_positive_rate)])],
        reference=(rate, f"chance, {figures.decimal(rate, 2)}"),
        include=(0.0,),
    )


def auc(report: PrivacyReport) -> str:
    """The share of pairs of a training row and another that the attack orders rightly."""
    return figures.value(report.membership.auc) if report.membership else figures.UNMEASURED


def in_words(report: PrivacyReport) -> str:
    """Say what the attack on the head found."""
    found = report.membership
    if found is None:
        return "".join(
            f"{attack} was not evaluated: {why}." for attack, why in report.not_evaluated.items()
        )
    rate, chance = found.true_positive_rate, 100 * found.false_positive_rate
    if rate.point is None or rate.low is None or rate.high is None:
        return f"Whether training rows can be told from others was not measured: {rate.note}."
    low, point, high = (f"{100 * value:.1f}" for value in (rate.low, rate.point, rate.high))
    told = (
        f"An attacker who may take {chance:g}% of strangers for training rows finds "
        f"{point}% of the training rows [{low}, {high}]"
    )
    if rate.low > found.false_positive_rate:
        return f"{told}, more than the {chance:g}% of chance: the head remembers some of its rows."
    if found.auc.low is not None and found.auc.low > _EVEN:
        return (
            f"{told}; chance alone gives {chance:g}%. But over all pairs of a training row and "
            f"another the attack is right more often than chance, in {figures.value(found.auc)} of "
            "them: the head remembers a little of its rows."
        )
    return f"{told}; chance alone gives {chance:g}%, so no memory of its rows was shown."
