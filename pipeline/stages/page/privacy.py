"""What can be learnt of the training rows from the model."""

from pipeline.reports import FinetuneReport, PrivacyReport
from pipeline.stages.page import figures, shapes
from pipeline.stages.page.shapes import Mark

_ATTACK = "Membership inference"
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
        return (
            f"{_ATTACK} was not evaluated: {report.not_evaluated.get(_ATTACK, 'no reason given')}."
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


def private_in_words(report: FinetuneReport) -> str:
    """Say what differential privacy the head has, and what that does not cover."""
    found = report.private
    if found is None:
        return "The head was fitted without differential privacy."
    epsilon, noise = (figures.decimal(x, 2) for x in (found.epsilon, found.noise_multiplier))
    return (
        "The head was fitted with differential privacy: whether one training row was there or not "
        f"changes the odds of any head by a factor of e to the {epsilon} at most, but for a chance "
        f"of {found.delta:g}. Each row's gradient was cut to a norm of {found.clip_norm:g}, and "
        f"noise of {noise} times that was added in each of {figures.plural(found.steps, 'step')}. "
        "Settings that were chosen by trying several on the same rows spend more than is counted "
        "here. Validation rows, the figures of these reports and the text that the encoder read "
        "are not covered. The noise comes from a generator that the operating system seeded, which "
        "is not a cryptographic one."
    )
