"""The audits: groups, gaps, exchanged terms, CrowS-Pairs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.policy.gate import Decision
from pipeline.reports import AuditReport, Counterfactual, Gap, GroupScore, PairScore
from pipeline.stages.page import figures, names, shapes
from pipeline.stages.page.language import say
from pipeline.stages.page.shapes import Mark
from pipeline.stages.page.verdict import upper_limit

_EVEN_PERCENT = 50.0  # of a model that prefers neither sentence of a pair
_RATES = ("selection_rate", "true_positive_rate", "false_positive_rate")
_TEMPLATES = "identity: "  # the start of the name of every comparison of templates
_MAX_EXAMPLES = 6


@dataclass(frozen=True)
class Example:
    """A text and its exchanged form, with the score of each."""

    name: str
    text: str
    swapped: str
    before: str
    after: str


def gaps(report: AuditReport, decision: Decision) -> shapes.Intervals | None:
    """The widest gap of each metric between two groups of a column, and its tolerance."""
    columns = dict.fromkeys(gap.column for gap in report.gaps)
    if not columns:
        return None
    listed = [
        (
            say("Between groups of %(column)s", column=names.plain(column, first=False)),
            [_gap(gap, decision) for gap in report.gaps if gap.column == column],
        )
        for column in columns
    ]
    return shapes.intervals(
        say("Widest gap between two groups"), listed, limit_name=say("tolerance"), include=(0.0,)
    )


def _gap(gap: Gap, decision: Decision) -> Mark:
    name = names.plain(gap.metric) + (say(" (%(label)s)", label=gap.label) if gap.label else "")
    between = ""
    if any(gap.widest):
        one, other = map(names.group, gap.widest)
        between = say(", %(one)s and %(other)s", one=one, other=other)
    limit = upper_limit(decision, "audit.gaps.gap", gap)
    return Mark(name + between, gap.gap, limit=limit)


def groups(report: AuditReport) -> tuple[shapes.Intervals, ...]:
    """The rates of each column's groups, one rate after another, for each positive label."""
    return tuple(
        shapes.intervals(
            say("Rates by %(column)s", column=names.plain(column, first=False)),
            [group for rate in _RATES for group in _rate(scores, rate)],
        )
        for column, scores in report.groups.items()
        if scores
    )


def _rate(scores: Sequence[GroupScore], rate: str) -> Iterable[tuple[str, list[Mark]]]:
    for label in dict.fromkeys(score.label for score in scores):
        marks = [Mark(names.group(s.value), getattr(s, rate)) for s in scores if s.label == label]
        yield names.plain(rate) + (say(", %(label)s", label=label) if label else ""), marks


def flips(report: AuditReport, decision: Decision) -> shapes.Intervals | None:
    """The share of texts whose predicted label changes with the terms, beside its tolerance."""
    marks = {
        each.name: Mark(
            _pair(each.name),
            each.flip_rate,
            limit=upper_limit(decision, "audit.counterfactuals.flip_rate", each),
        )
        for each in report.counterfactuals
    }
    return _exchanges(say("Share of texts whose predicted label changes"), marks)


def changes(report: AuditReport) -> shapes.Intervals | None:
    """The mean change of the score when the terms change."""
    marks = {each.name: Mark(_pair(each.name), each.mean_change) for each in report.counterfactuals}
    return _exchanges(say("Mean change of the score"), marks, reference=(0.0, say("no change")))


def _exchanges(
    caption: str, marks: dict[str, Mark], reference: tuple[float, str] | None = None
) -> shapes.Intervals | None:
    """Draw the exchanges in test texts apart from those in templates."""
    if not marks:
        return None
    texts = [mark for name, mark in marks.items() if not name.startswith(_TEMPLATES)]
    templates = [mark for name, mark in marks.items() if name.startswith(_TEMPLATES)]
    listed = [
        (say("Terms exchanged in test texts"), texts),
        (say("Two groups in templates"), templates),
    ]
    return shapes.intervals(
        caption,
        [group for group in listed if group[1]],
        reference=reference,
        limit_name=say("tolerance"),
        include=(0.0,),
    )


def _pair(name: str) -> str:
    return names.plain(name.removeprefix(_TEMPLATES))


def examples(report: AuditReport) -> tuple[Example, ...]:
    """The texts whose score moves most, over all exchanges."""
    moved = [(each, *example) for each in report.counterfactuals for example in _largest(each)]
    moved.sort(key=lambda item: -abs(item[4] - item[3]))
    return tuple(
        Example(_pair(each.name), text, swapped, figures.decimal(before), figures.decimal(after))
        for each, text, swapped, before, after in moved[:_MAX_EXAMPLES]
    )


def _largest(each: Counterfactual) -> Sequence[tuple[str, str, float, float]]:
    """Return the examples to choose from: one a pair of templates, or these would fill the list."""
    return each.examples[:1] if each.name.startswith(_TEMPLATES) else each.examples


def crows_pairs(score: PairScore) -> shapes.Intervals:
    """The share of pairs in which the stereotype is preferred, in percent, beside an even 50."""
    whole = [
        Mark(say("All pairs"), score.score),
        Mark(names.plain("stereo"), score.stereo),
        Mark(names.plain("antistereo"), score.antistereo),
    ]
    types = [Mark(names.plain(kind), estimate) for kind, estimate in score.per_type.items()]
    return shapes.intervals(
        say("CrowS-Pairs: pairs in which the stereotype is preferred, in percent"),
        [("", whole), *([(say("By type of bias"), types)] if types else [])],
        reference=(_EVEN_PERCENT, say("no preference, 50")),
        include=(0.0, 100.0),
        digits=1,
    )
