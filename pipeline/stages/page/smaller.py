"""The smaller encoder and the exported formats, beside the model they were made from."""

from pipeline.reports import CompressReport, Exported, ExportReport
from pipeline.stages.page import figures, names, shapes
from pipeline.stages.page.language import mark, say

_MB = 1e6
_METHODS = {"distil": mark("fewer layers"), "prune": mark("fewer feed-forward units")}


def compressed(report: CompressReport) -> shapes.Table | None:
    """The smaller encoder beside the one that it was cut from; None where none was made."""
    if report.method == "none":
        return None
    losses = (report.teacher_loss, report.initial_loss, report.final_loss)
    whole, cut, taught = ("" if loss is None else figures.decimal(loss, 2) for loss in losses)
    before, after = figures.count(report.teacher_parameters), figures.count(report.parameters)
    return shapes.Table(
        say(
            "The encoder was made smaller (%(how)s) before all that follows",
            how=say(_METHODS[report.method]),
        ),
        (say("Encoder"), say("Parameters"), say("Held-out loss, nats a token")),
        (
            (say("As pretrained"), before, whole),
            (say("As it was cut"), after, cut),
            (
                say(
                    "After %(tokens)s tokens with its teacher", tokens=figures.count(report.tokens)
                ),
                after,
                taught,
            ),
        ),
        frozenset({1, 2}),
    )


def formats(report: ExportReport) -> shapes.Table | None:
    """Size, accuracy and gaps of each format beside the model; None where there is none."""
    if not report.formats:
        return None
    return shapes.Table(
        say("The model in other formats, on the same test rows"),
        (
            say("Format"),
            say("Size, MB"),
            say("Accuracy"),
            say("Accuracy less the model's"),
            say("Widest gap, upper bound"),
        ),
        tuple(_format(each) for each in report.formats),
        frozenset({1}),
    )


def _format(made: Exported) -> tuple[str, ...]:
    return (
        say(
            "%(file)s (probabilities differ by %(most)s at most)",
            file=made.file,
            most=f"{made.difference:.1g}",
        ),
        figures.decimal(made.size_bytes / _MB, 1),
        figures.value(made.accuracy),
        figures.value(made.versus.difference),
        _widest(made),
    )


def _widest(made: Exported) -> str:
    bounds = [
        (gap.gap.high, gap.metric, gap.column) for gap in made.gaps if gap.gap.high is not None
    ]
    if not bounds:
        return figures.unmeasured()
    high, metric, column = max(bounds)
    return say(
        "%(gap)s, %(metric)s by %(column)s",
        gap=figures.decimal(high),
        metric=names.plain(metric, first=False),
        column=names.group(column),
    )
