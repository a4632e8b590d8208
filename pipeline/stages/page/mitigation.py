"""Methods of mitigation: what each gains and what it costs."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pipeline.reports import Mitigation, MitigationScore
from pipeline.stages.page import charts, figures, names, shapes
from pipeline.stages.page.language import mark, reported, say
from pipeline.stages.page.shapes import Mark

WAYS = {
    "none": mark("nothing is done"),
    "resample": mark("training rows are drawn so that every group and label is as frequent"),
    "reweigh": mark("training rows are weighted so that labels do not depend on groups"),
    "augment": mark("training texts are added with their gendered words swapped"),
    "leace": mark(
        "the groups are taken out of the features, as far as a line can find them (LEACE)"
    ),
    "reductions": mark("a mixture of heads is fitted under a bound on the gap (fairlearn)"),
    "thresholds": mark("each group has a threshold of its own (fairlearn)"),
}
_CONSTRAINTS = {
    "equalized_odds": mark("the wider of the gaps in the true and the false positive rate"),
    "demographic_parity": mark("the gap in the selection rate"),
}


@dataclass(frozen=True)
class View:
    """What the template shows."""

    column: str
    gap: str  # the gap that is to become smaller, in words
    shipped: str
    best: str
    ways: shapes.Table
    picture: Markup | None
    legend: tuple[str, ...]  # of the picture: number and name
    gaps: shapes.Intervals
    probes: shapes.Intervals | None


def view(report: Mitigation) -> View | None:
    """Return the view; None where nothing was compared."""
    if not report.methods or report.column is None:
        return None
    drawn = [
        score
        for score in report.methods[1:]
        if score.gap_change is not None and score.gap_change.point is not None
    ]
    return View(
        column=names.plain(report.column, first=False),
        gap=say(_CONSTRAINTS[report.constraint]),
        shipped=report.shipped,
        best=report.best or "none",
        ways=_ways(report),
        picture=_picture(drawn, report.best) if drawn else None,
        legend=tuple(f"{number} {score.method}" for number, score in enumerate(drawn, start=1)),
        gaps=_gaps(report),
        probes=_probes(report) if report.probes else None,
    )


def _ways(report: Mitigation) -> shapes.Table:
    columns = (say("Way"), say("Accuracy"), say("Accuracy, changed by"), say("Gap, changed by"))
    rows = [
        (
            figures.sentence(
                say(
                    "%(method)s: %(what)s%(needs)s",
                    method=score.method,
                    what=say(WAYS[score.method]),
                    needs=_needs(score),
                )
            ),
            figures.value(score.accuracy),
            "" if score.accuracy_change is None else figures.value(score.accuracy_change),
            "" if score.gap_change is None else figures.value(score.gap_change),
        )
        for score in report.methods
    ]
    rows += [
        (
            figures.sentence(
                say("%(method)s, not evaluated: %(why)s", method=method, why=reported(why))
            ),
            "",
            "",
            "",
        )
        for method, why in report.left_out.items()
    ]
    return shapes.Table(say("What each way gains and costs, on test rows"), columns, tuple(rows))


def _needs(score: MitigationScore) -> str:
    needs = [
        *([say("it must be told each text's group when it answers")] if score.group_at_use else []),
        *([say("its answers are drawn at random")] if score.random_answers else []),
    ]
    return "".join(say("; ") + need for need in needs)


def _picture(drawn: Sequence[MitigationScore], best: str | None) -> Markup:
    spots = [
        charts.Spot(
            number,
            "best" if score.method == best else "other",
            score.gap_change,
            score.accuracy_change,
        )
        for number, score in enumerate(drawn, start=1)
        if score.gap_change is not None and score.accuracy_change is not None
    ]
    title = say("Change of the accuracy against change of the gap, of each way")
    return charts.scatter(
        spots, title=title, x_name=say("change of the gap"), y_name=say("change of the accuracy")
    )


def _gaps(report: Mitigation) -> shapes.Intervals:
    metrics = dict.fromkeys(metric for score in report.methods for metric in score.gaps)
    listed = [
        (
            say("Gap in the %(metric)s", metric=names.plain(metric, first=False)),
            [Mark(score.method, score.gaps[metric]) for score in report.methods],
        )
        for metric in metrics
    ]
    column = names.plain(report.column or "", first=False)
    caption = say("Widest gap between groups of %(column)s", column=column)
    return shapes.intervals(caption, listed, include=(0.0,))


def _probes(report: Mitigation) -> shapes.Intervals:
    chance = report.probes[0].chance
    listed = [
        (
            say("%(kind)s probe", kind=names.plain(kind)),
            [
                Mark(say("after LEACE") if probe.erased else say("before"), probe.balanced_accuracy)
                for probe in report.probes
                if probe.kind == kind
            ],
        )
        for kind in dict.fromkeys(probe.kind for probe in report.probes)
    ]
    return shapes.intervals(
        say("How well a probe tells the groups apart, mean over groups"),
        listed,
        reference=(chance, say("guessing")),
    )
