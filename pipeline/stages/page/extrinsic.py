"""The classifier's audit, closer: groups in numbers, what could be seen, changed texts."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.policy.gate import Decision
from pipeline.reports import AuditReport, Behaviour, Gap, GroupScore
from pipeline.stages.page import figures, names, shapes
from pipeline.stages.page.language import mark, reported, say
from pipeline.stages.page.shapes import Mark
from pipeline.stages.page.verdict import upper_limit

_AUCS = ("subgroup_auc", "bpsn_auc", "bnsp_auc")
_CHANGES = {  # test -> what is done to the text
    "typos": mark("Two letters exchanged"),
    "case": mark("Capitals for small letters"),
    "negation": mark("A “not” added"),
}


@dataclass(frozen=True)
class Failure:
    """A text that fails a test, with the probability of the label that it was given."""

    change: str
    text: str
    changed: str
    before: str
    after: str


def group_tables(report: AuditReport) -> tuple[shapes.Table, ...]:
    """The groups of each column, empty ones too: rows, positives, accuracy and calibration."""
    return tuple(
        shapes.Table(
            say("Groups by %(column)s", column=names.plain(column, first=False)),
            (
                say("Group"),
                say("Rows"),
                say("Positive"),
                say("Accuracy"),
                say("Calibration error"),
                say("Brier score"),
            ),
            tuple(_group(score, scores) for score in scores),
            frozenset({1, 2}),
        )
        for column, scores in report.groups.items()
        if scores
    )


def _group(score: GroupScore, scores: Sequence[GroupScore]) -> tuple[str, ...]:
    measured = (
        score.accuracy,
        score.ece,
        score.brier,
    )  # all are figures of the rows in the second cell
    return (
        _named(score, scores),
        figures.count(score.rows),
        figures.count(score.positives),
        *(figures.value(each) for each in measured),
    )


def _named(score: GroupScore, scores: Sequence[GroupScore]) -> str:
    """Return a group's name, and which label is the positive one where there are several."""
    several = len({each.label for each in scores}) > 1
    return names.group(score.value) + (say(" (%(label)s)", label=score.label) if several else "")


def rankings(report: AuditReport) -> tuple[shapes.Intervals, ...]:
    """The three AUCs of each group, a column at a time."""
    return tuple(
        shapes.intervals(
            say("Ranking by %(column)s", column=names.plain(column, first=False)),
            [
                (
                    names.plain(auc),
                    [Mark(_named(score, scores), getattr(score, auc)) for score in scores],
                )
                for auc in _AUCS
            ],
            reference=(0.5, say("no better than chance")),
            include=(1.0,),
        )
        for column, scores in report.groups.items()
        if scores
    )


def detectable(report: AuditReport) -> shapes.Table | None:
    """The smallest gap that each gap's rows would show, and whether one was found."""
    if not report.gaps:
        return None
    return shapes.Table(
        say("What these rows could show"),
        (say("Gap"), say("Least gap that would be seen"), say("For"), say("Adjusted p-value")),
        tuple(_reach(gap) for gap in report.gaps),
        frozenset({3}),
    )


def _reach(gap: Gap) -> tuple[str, ...]:
    least = gap.detectable
    return (
        say(
            "%(column)s: %(metric)s",
            column=names.plain(gap.column),
            metric=names.plain(gap.metric, first=False),
        ),
        figures.unmeasured() if least.gap is None else figures.decimal(least.gap),
        reported(least.note),
        figures.p_value(gap.p_adjusted),
    )


def behaviour(report: AuditReport, decision: Decision) -> shapes.Intervals | None:
    """The share of texts that fail each test of changed texts, beside its tolerance."""
    kinds = {
        "invariance": say("The label must stay"),
        "direction": say("The label given before must become less likely"),
    }
    listed = [
        (heading, [_failing(each, decision) for each in report.behaviour if each.kind == kind])
        for kind, heading in kinds.items()
    ]
    listed = [group for group in listed if group[1]]
    if not listed:
        return None
    return shapes.intervals(
        say("Share of texts that fail"), listed, limit_name=say("tolerance"), include=(0.0,)
    )


def _failing(each: Behaviour, decision: Decision) -> Mark:
    limit = upper_limit(decision, "audit.behaviour.failure_rate", each)
    return Mark(_change(each), each.failure_rate, limit=limit)


def _change(each: Behaviour) -> str:
    known = _CHANGES.get(each.name)
    return say(known) if known else names.plain(each.name)


def failures(report: AuditReport) -> Sequence[Failure]:
    """The worst failures of each test."""
    return tuple(
        Failure(_change(each), text, changed, figures.decimal(before), figures.decimal(after))
        for each in report.behaviour
        for text, changed, before, after in each.examples
    )
