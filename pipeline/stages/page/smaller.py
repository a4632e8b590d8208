"""What became of the model where it was made smaller, or written in other formats."""

from pipeline.reports import CompressReport, Exported, ExportReport
from pipeline.stages.page import figures, shapes

_MB = 1e6
_METHODS = {"distil": "fewer layers", "prune": "fewer feed-forward units"}


def compressed(report: CompressReport) -> shapes.Table | None:
    """The smaller encoder beside the one that it was cut from; None where none was made."""
    if report.method == "none":
        return None
    losses = (report.teacher_loss, report.initial_loss, report.final_loss)
    whole, cut, taught = ("" if loss is None else figures.decimal(loss, 2) for loss in losses)
    before, after = figures.count(report.teacher_parameters), figures.count(report.parameters)
    return shapes.Table(
        f"The encoder was made smaller ({_METHODS[report.method]}) before all that follows",
        ("Encoder", "Parameters", "Held-out loss, nats a token"),
        (
            ("As pretrained", before, whole),
            ("As it was cut", after, cut),
            (f"After {figures.count(report.tokens)} tokens with its teacher", after, taught),
        ),
        frozenset({1, 2}),
    )


def formats(report: ExportReport) -> shapes.Table | None:
    """Size, accuracy and gaps of each format beside the model; None where there is none."""
    if not report.formats:
        return None
    return shapes.Table(
        "The model in other formats, on the same test rows",
        ("Format", "Size, MB", "Accuracy", "Accuracy less the model's", "Widest gap, upper bound"),
        tuple(_format(each) for each in report.formats),
        frozenset({1}),
    )


def _format(made: Exported) -> tuple[str, ...]:
    bounds = [
        (gap.gap.high, f"{gap.metric.replace('_', ' ')} by {gap.column}")
        for gap in made.gaps
        if gap.gap.high is not None
    ]
    widest = max(bounds, default=None)
    return (
        f"{made.file} (probabilities differ by {made.difference:.1g} at most)",
        figures.decimal(made.size_bytes / _MB, 1),
        figures.value(made.accuracy),
        figures.value(made.versus.difference),
        figures.UNMEASURED if widest is None else f"{figures.decimal(widest[0])}, {widest[1]}",
    )
