"""What the model gives away of its training rows."""

from pipeline.reports import FinetuneReport, Membership, PrivacyReport
from pipeline.stages.page import figures, shapes
from pipeline.stages.page.language import mark, reported, say
from pipeline.stages.page.shapes import Mark

_ATTACK = "Membership inference"
_EVEN = 0.5  # of pairs, ordered correctly by chance


def membership(report: PrivacyReport) -> shapes.Intervals | None:
    """How well an attacker tells training rows from others, beside chance."""
    found = report.membership
    if found is None:
        return None
    rate = found.false_positive_rate
    return shapes.intervals(
        say("Training rows found by an attacker"),
        [("", [Mark(say("Share of training rows found"), found.true_positive_rate)])],
        reference=(rate, say("chance, %(rate)s", rate=figures.decimal(rate, 2))),
        include=(0.0,),
    )


def auc(report: PrivacyReport) -> str:
    """The share of pairs of a training row and another that the attack orders correctly."""
    return figures.value(report.membership.auc) if report.membership else figures.unmeasured()


def in_words(report: PrivacyReport) -> str:
    """Say what the attack on the head found."""
    found = report.membership
    if found is None:
        return say(
            "%(what)s was not evaluated: %(why)s.",
            what=reported(_ATTACK),
            why=reported(report.not_evaluated.get(_ATTACK, "no reason given")),
        )
    rate, chance = found.true_positive_rate, 100 * found.false_positive_rate
    if rate.point is None or rate.low is None or rate.high is None:
        return say(
            "Whether training rows can be told from others was not measured: %(why)s.",
            why=reported(rate.note),
        )
    low, point, high = (f"{100 * value:.1f}" for value in (rate.low, rate.point, rate.high))
    return say(
        _finding(found),
        chance=f"{chance:g}",
        point=point,
        low=low,
        high=high,
        auc=figures.value(found.auc),
    )


def _finding(found: Membership) -> str:
    """Return the message that says how well rows are remembered: clearly, a little or not seen."""
    rate = found.true_positive_rate
    if rate.low is not None and rate.low > found.false_positive_rate:
        return mark(
            "An attacker who may take %(chance)s%% of strangers for training rows finds %(point)s%%"
            " of the training rows [%(low)s, %(high)s], more than the %(chance)s%% of chance: the"
            " head remembers some of its rows."
        )
    if found.auc.low is not None and found.auc.low > _EVEN:
        return mark(
            "An attacker who may take %(chance)s%% of strangers for training rows finds %(point)s%%"
            " of the training rows [%(low)s, %(high)s]; chance alone gives %(chance)s%%. But over"
            " all pairs of a training row and another the attack is right more often than chance,"
            " in %(auc)s of them: the head remembers a little of its rows."
        )
    return mark(
        "An attacker who may take %(chance)s%% of strangers for training rows finds %(point)s%% of"
        " the training rows [%(low)s, %(high)s]; chance alone gives %(chance)s%%, so no memory of"
        " its rows was shown."
    )


def private_in_words(report: FinetuneReport) -> str:
    """Say what differential privacy the head has, and what that does not cover."""
    found = report.private
    if found is None:
        return say("The head was fitted without differential privacy.")
    return say(
        "The head was fitted with differential privacy: whether one training row was there or not"
        " changes the odds of any head by a factor of e to the %(epsilon)s at most, but for a"
        " chance of %(delta)s. Each row's gradient was cut to a norm of %(norm)s, and noise of"
        " %(noise)s times that was added in each of %(steps)s. Settings that were chosen by trying"
        " several on the same rows spend more than is counted here. Validation rows, the figures of"
        " these reports and the text that the encoder read are not covered. The noise comes from a"
        " generator that the operating system seeded, which is not a cryptographic one.",
        epsilon=figures.decimal(found.epsilon, 2),
        delta=f"{found.delta:g}",
        norm=f"{found.clip_norm:g}",
        noise=figures.decimal(found.noise_multiplier, 2),
        steps=figures.plural(found.steps, "step"),
    )
