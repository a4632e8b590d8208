"""What the language model remembers of secrets that were planted in its training text."""

from pipeline.reports import CanaryReport, Estimate, PrivacyReport
from pipeline.stages.page import figures, shapes
from pipeline.stages.page.language import reported, say, space
from pipeline.stages.page.shapes import Mark

_NAME = "Planted secrets"
_SEEN = 0.025  # one-sided: what a two-sided 95% interval leaves above it


def exposures(report: PrivacyReport) -> shapes.Intervals | None:
    """The mean exposure of secrets by how often they occur in the text, and chance."""
    found = report.canaries
    if found is None:
        return None
    marks = [
        Mark(say("Planted %(often)s", often=reported(level.name)), level.exposure)
        for level in found.levels
    ]
    return shapes.intervals(
        say("Exposure of planted secrets, in bits"),
        [("", marks)],
        reference=(
            found.chance_bits,
            say("chance, %(rate)s", rate=figures.decimal(found.chance_bits, 2)),
        ),
        include=(0.0, found.most_bits),
        digits=2,
    )


def in_words(report: PrivacyReport) -> str:
    """Say which secrets were remembered, by how often they were planted."""
    found = report.canaries
    if found is None:
        why = report.not_evaluated.get(_NAME, "no reason given")
        return say(
            "Whether the language model remembers its text was not tested: %(why)s.",
            why=reported(why),
        )
    return f"{_remembered(found)}{space()}{_read(found)}"


def _remembered(found: CanaryReport) -> str:
    planted = [level for level in found.levels if level.repeats]
    known = [level for level in planted if level.p_value is not None and level.p_value < _SEEN]
    if not known:
        return _unseen([level.exposure for level in planted])
    least_often = min(known, key=lambda level: level.repeats)
    return say(
        "The language model remembers secrets that were planted %(often)s: they rank higher among"
        " %(candidates)s others than chance explains.",
        often=reported(least_often.name),
        candidates=figures.count(found.candidates),
    )


def _unseen(estimates: list[Estimate]) -> str:
    seen = [each.detectable for each in estimates if each.detectable is not None]
    if not seen:
        return say("No memory of a planted secret was shown.")
    return say(
        "No memory of a planted secret was shown; a mean of %(bits)s bits would be seen.",
        bits=figures.decimal(max(seen), 1),
    )


def _read(found: CanaryReport) -> str:
    """Say how often training read the secrets, since it may read only part of its text."""
    most = max(found.levels, key=lambda level: level.repeats)
    times = figures.decimal(most.times_read / most.repeats, 2)
    return say("Training met each planted copy %(times)s times on average.", times=times)
