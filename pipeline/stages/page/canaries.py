"""What the language model remembers of secrets that were planted in its training text."""

from pipeline.reports import CanaryReport, Estimate, PrivacyReport
from pipeline.stages.page import figures, shapes
from pipeline.stages.page.shapes import Mark

_NAME = "Planted secrets"
_SEEN = 0.025  # one-sided: what the two-sided 95% of the intervals leaves above


def exposures(report: PrivacyReport) -> shapes.Intervals | None:
    """The mean exposure of secrets by how often they stand in the text, beside chance."""
    found = report.canaries
    if found is None:
        return None
    marks = [Mark(f"Planted {level.name}", level.exposure) for level in found.levels]
    return shapes.intervals(
        "Exposure of planted secrets, in bits",
        [("", marks)],
        reference=(found.chance_bits, f"chance, {figures.decimal(found.chance_bits, 2)}"),
        include=(0.0, found.most_bits),
        digits=2,
    )


def in_words(report: PrivacyReport) -> str:
    """Say what was remembered, of secrets planted how often."""
    found = report.canaries
    if found is None:
        why = report.not_evaluated.get(_NAME, "no reason given")
        return f"Whether the language model remembers its text was not tested: {why}."
    return f"{_remembered(found)} {_read(found)}"


def _remembered(found: CanaryReport) -> str:
    planted = [level for level in found.levels if level.repeats]
    known = [level for level in planted if level.p_value is not None and level.p_value < _SEEN]
    if not known:
        least = _least([level.exposure for level in planted])
        return f"No memory of a planted secret was shown{least}."
    least_often = min(known, key=lambda level: level.repeats)
    return (
        f"The language model remembers secrets that were planted {least_often.name}: they rank "
        f"higher among {figures.count(found.candidates)} others than chance explains."
    )


def _least(estimates: list[Estimate]) -> str:
    seen = [each.detectable for each in estimates if each.detectable is not None]
    return f"; a mean of {figures.decimal(max(seen), 1)} bits would be seen" if seen else ""


def _read(found: CanaryReport) -> str:
    """Say how often training met the secrets: it may read a part of its text."""
    most = max(found.levels, key=lambda level: level.repeats)
    times = figures.decimal(most.times_read / most.repeats, 2)
    return f"Training met each planted copy {times} times on average."
