"""The benchmarks of the language model: what each found, and what it could have found."""

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.reports import Association, AuditReport, Estimate
from pipeline.stages.page import figures, names, shapes
from pipeline.stages.page.language import mark, reported, say
from pipeline.stages.page.shapes import Mark

_EVEN = 50.0  # percent, of a model that prefers neither
_STEREOTYPE = (mark("prefers the stereotype"), mark("prefers its opposite"))


@dataclass(frozen=True)
class Reading:
    """A score beside that of a model without a preference."""

    name: str
    estimate: Estimate
    neutral: float
    means: tuple[str, str]  # what a score above neutral means, and one below
    digits: int

    @property
    def words(self) -> str:
        """What the interval says, in everyday words."""
        low, high = self.estimate.low, self.estimate.high
        if low is None or high is None:
            return reported(self.estimate.note) or figures.unmeasured()
        if low > self.neutral:
            return say(self.means[0])
        if high < self.neutral:
            return say(self.means[1])
        return say("no preference that chance cannot explain")

    @property
    def least(self) -> str:
        """How far from neutral the truth must be to be found with 80% power."""
        least = self.estimate.detectable
        return "" if least is None else figures.decimal(least, self.digits)


def readings(report: AuditReport) -> list[Reading]:
    """Return the whole scores of every benchmark that was evaluated."""
    found, pairs = report.intrinsic, report.crows_pairs
    scores = [("CrowS-Pairs", pairs), ("AUL", found.aul), ("AULA", found.aula)]
    listed = [Reading(name, score.score, _EVEN, _STEREOTYPE, 1) for name, score in scores if score]
    if found.stereoset:
        score = found.stereoset.overall.stereotype
        name = say("StereoSet, stereotype (SS)")
        listed.append(Reading(name, score, _EVEN, _STEREOTYPE, 1))
    if found.pronouns:
        means = (
            mark("pronouns follow the stereotype"),
            mark("pronouns go against the stereotype"),
        )
        listed.append(Reading(say("WinoBias, gap in nats"), found.pronouns.gap, 0.0, means, 2))
    return listed + [_associated(each) for each in (*found.associations, *found.sentences)]


def _associated(test: Association) -> Reading:
    # The second form of a list has the suffix (2), which means nothing to a reader.
    first, second, with_first, with_second = (
        names.plain(name.partition(" (")[0], first=False)
        for name in (*test.targets, *test.attributes)
    )
    means = (
        say("%(words)s go with %(idea)s", words=first, idea=with_first),
        say("%(words)s go with %(idea)s", words=first, idea=with_second),
    )
    name = say(
        "%(test)s: %(first)s and %(second)s, %(one)s and %(other)s",
        test=test.name,
        first=first,
        second=second,
        one=with_first,
        other=with_second,
    )
    return Reading(name, test.effect, 0.0, means, 2)


def table(report: AuditReport) -> shapes.Table | None:
    """Each benchmark's result, its neutral value, and the smallest departure it would find."""
    rows = [
        (
            each.name,
            figures.figure(each.estimate, each.digits),
            figures.decimal(each.neutral, 0),
            each.least,
            each.words,
        )
        for each in readings(report)
    ]
    columns = (
        say("Benchmark"),
        say("Result"),
        say("No preference"),
        say("Least seen"),
        say("In words"),
    )
    caption = say("What each benchmark found, and what it could have found")
    return shapes.Table(caption, columns, tuple(rows), frozenset({2, 3})) if rows else None


def percentages(report: AuditReport) -> shapes.Intervals | None:
    """AUL, AULA and StereoSet, whole and by type of bias, beside an even 50."""
    found = report.intrinsic
    groups = [
        (name, [Mark(say("All pairs"), score.score), *_marks(score.per_type.items())])
        for name, score in (("AUL", found.aul), ("AULA", found.aula))
        if score
    ]
    if found.stereoset:
        overall, types = found.stereoset.overall, found.stereoset.per_type.items()
        marks = _marks((kind, score.stereotype) for kind, score in types)
        groups.append(
            (say("StereoSet, stereotype"), [Mark(say("All"), overall.stereotype), *marks])
        )
        groups.append(
            (
                say("StereoSet, sense"),
                [Mark(say("Language"), overall.language), Mark("ICAT", overall.icat)],
            )
        )
    if not groups:
        return None
    return shapes.intervals(
        say("AUL, AULA and StereoSet, in percent"),
        groups,
        reference=(_EVEN, say("no preference, 50")),
        include=(0.0, 100.0),
        digits=1,
    )


def pronouns(report: AuditReport) -> shapes.Intervals | None:
    """WinoBias: the gap of the pronouns' log-odds between occupations, and the lean of all."""
    score = report.intrinsic.pronouns
    if score is None:
        return None
    gaps = [Mark(say("All sentences"), score.gap), *_marks(score.per_task.items())]
    return shapes.intervals(
        say("WinoBias: his and her, in nats"),
        [
            (say("Gap between occupations of men and of women"), gaps),
            (say("His rather than her, whatever the occupation"), [Mark(say("All"), score.lean)]),
        ],
        reference=(0.0, say("no preference, 0")),
        digits=2,
    )


def associations(report: AuditReport) -> shapes.Intervals | None:
    """The effects of the association tests, from -2 to 2."""
    tests = (*report.intrinsic.associations, *report.intrinsic.sentences)
    if not tests:
        return None
    marks = [
        Mark(
            say("%(test)s (p %(p)s)", test=_associated(test).name, p=figures.p_value(test.p_value)),
            test.effect,
        )
        for test in tests
    ]
    return shapes.intervals(
        say("Associations of words in the encoder"),
        [("", marks)],
        reference=(0.0, say("no association, 0")),
        include=(-2.0, 2.0),
        digits=2,
    )


def _marks(named: Iterable[tuple[str, Estimate]]) -> list[Mark]:
    return [Mark(names.plain(name), estimate) for name, estimate in named]
