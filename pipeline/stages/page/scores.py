"""The scores: model against baselines, classes, groups, confusion."""

from dataclasses import dataclass

from pipeline.reports import Estimate, EvaluateReport, PairedTest
from pipeline.stages.page import figures, names, shapes
from pipeline.stages.page.language import reported, say
from pipeline.stages.page.shapes import Mark

_HIGHER = ("accuracy", "macro_f1", "roc_auc")
_LOWER = ("brier", "ece")
_MAX_LABELS = 10  # a larger confusion matrix is a list of its largest cells
_MAX_CONFUSIONS = 20


@dataclass(frozen=True)
class Confusion:
    """Test rows by true and predicted label; a cell holds its count and its share of the row."""

    labels: tuple[str, ...]
    rows: tuple[tuple[tuple[str, str], ...], ...]


def comparison(report: EvaluateReport) -> tuple[shapes.Intervals, shapes.Intervals]:
    """Model and baselines: metrics where more is better, and metrics where less is."""
    return (
        shapes.intervals(
            say("Higher is better"),
            [(names.plain(metric), _rivals(report, metric)) for metric in _HIGHER],
        ),
        shapes.intervals(
            say("Lower is better"),
            [(names.plain(metric), _rivals(report, metric)) for metric in _LOWER],
            include=(0.0,),
        ),
    )


def _rivals(report: EvaluateReport, metric: str) -> list[Mark]:
    marks = [Mark(say("This model"), getattr(report.model, metric))]
    for name, scores in sorted(report.baselines.items(), reverse=True):
        kind = "rival" if name == report.better_baseline else "floor"
        marks.append(Mark(names.plain(name), getattr(scores, metric), kind))
    return marks


def paired(report: EvaluateReport) -> shapes.Table:
    """The model against each rival on the same rows."""
    return shapes.Table(
        say("Accuracy against each baseline on the same test rows"),
        (say("Against"), say("Difference"), say("p"), say("Method")),
        tuple(_paired(test) for test in report.versus.values()),
    )


def _paired(test: PairedTest) -> tuple[str, ...]:
    difference = figures.figure(test.difference)
    return (
        names.plain(test.rival),
        difference,
        figures.p_value(test.p_value),
        reported(test.method),
    )


def per_class(report: EvaluateReport) -> shapes.Intervals:
    """Precision, recall and F1 of each label."""
    labels = report.model.per_class
    return shapes.intervals(
        say("Precision, recall and F1"),
        [
            (names.plain(metric), [Mark(label, labels[label][metric]) for label in labels])
            for metric in ("precision", "recall", "f1")
        ],
    )


def per_group(report: EvaluateReport) -> tuple[shapes.Intervals, ...]:
    """Accuracy on each group of each column, beside the accuracy on all rows."""
    overall = report.model.accuracy.point
    return tuple(
        shapes.intervals(
            say("Accuracy by %(column)s", column=names.plain(column, first=False)),
            [("", [Mark(names.group(value), estimate) for value, estimate in groups.items()])],
            reference=None if overall is None else (overall, say("all test rows")),
        )
        for column, groups in report.model.per_group.items()
    )


def confusion(report: EvaluateReport) -> Confusion | None:
    """The confusion matrix; None where it has too many labels to read."""
    labels = tuple(report.model.per_class)
    if len(labels) > _MAX_LABELS:
        return None
    return Confusion(labels, tuple(_shares(row) for row in report.model.confusion))


def _shares(row: tuple[int, ...]) -> tuple[tuple[str, str], ...]:
    total = sum(row)
    return tuple((figures.count(cell), f"{cell / total if total else 0:.3f}") for cell in row)


def confusions(report: EvaluateReport) -> shapes.Table:
    """The pairs of labels most often confused."""
    labels = tuple(report.model.per_class)
    cells = [
        (cell, labels[true], labels[predicted])
        for true, row in enumerate(report.model.confusion)
        for predicted, cell in enumerate(row)
        if true != predicted and cell
    ]
    largest = sorted(cells, key=lambda cell: -cell[0])[:_MAX_CONFUSIONS]
    return shapes.Table(
        say("Labels most often confused"),
        (say("True label"), say("Predicted label"), say("Test rows")),
        tuple((true, predicted, figures.count(rows)) for rows, true, predicted in largest),
        numeric=frozenset({2}),
    )


def in_words(report: EvaluateReport) -> str:
    """Return the accuracy in everyday words, with that of the better baseline."""
    own, rival = report.model.accuracy, report.baselines[report.better_baseline].accuracy
    if own.point is None:
        return say("The model's accuracy on texts that it has not seen could not be measured.")
    if rival.point is None:
        return say(
            "Of 100 texts that it has not seen, the model labels about %(right)s as people did.",
            right=_hundred(own),
        )
    return say(
        "Of 100 texts that it has not seen, the model labels about %(right)s as people did; the"
        " better of the simple baselines (%(rival)s) labels about %(rivals)s.",
        right=_hundred(own),
        rival=names.plain(report.better_baseline, first=False),
        rivals=_hundred(rival),
    )


def _hundred(accuracy: Estimate) -> str:
    assert accuracy.point is not None
    return f"{100 * accuracy.point:.0f}"
