"""The training curves: masked-language-model loss, and the head's."""

from pipeline.reports import FinetuneReport, PretrainReport
from pipeline.stages.page import figures, shapes
from pipeline.stages.page.charts import Level, Line


def pretraining(report: PretrainReport) -> shapes.Chart | None:
    """Training and held-out loss over tokens, with what guessing would cost; None untrained."""
    if not report.curve:
        return None
    heldout = [(0.0, report.initial_loss)]
    heldout += [(p.tokens, p.heldout_loss) for p in report.curve if p.heldout_loss is not None]
    train = [(float(point.tokens), point.loss) for point in report.curve]
    return shapes.chart(
        "Masked-token loss during pretraining",
        [Line("training", "train", tuple(train)), Line("held out", "heldout", tuple(heldout))],
        [Level(name, kind, loss) for name, kind, loss in _guesses(report)],
        title=f"Held-out loss goes from {report.initial_loss:.2f} to {report.final_loss:.2f} nats "
        f"over {figures.count(report.tokens)} tokens",
        axes=("tokens seen", "nats a masked token"),
    )


def _guesses(report: PretrainReport) -> list[tuple[str, str, float]]:
    """Name, style and loss of what knows nothing, or no more than which tokens are common."""
    return [
        (f"guessing evenly, {report.uniform_loss:.2f}", "first", report.uniform_loss),
        (f"untrained weights, {report.untrained_loss:.2f}", "second", report.untrained_loss),
        (f"guessing by frequency, {report.unigram_loss:.2f}", "third", report.unigram_loss),
    ]


def head(report: FinetuneReport) -> shapes.Chart | None:
    """Training and validation loss over passes through the rows, the one kept marked.

    None for a linear head, which is solved and has no passes.
    """
    if not report.curve or report.gradient_norm is not None:
        return None
    unit = "iteration" if report.mode == "frozen" else "epoch"
    train = tuple((float(point.epoch), point.train_loss) for point in report.curve)
    validation = tuple((float(point.epoch), point.validation_loss) for point in report.curve)
    return shapes.chart(
        "Classification loss during fine-tuning",
        [Line("training", "train", train), Line("validation", "heldout", validation)],
        title=f"Loss over {figures.plural(len(report.curve), unit)}; the lowest on validation"
        f" is at {unit} {report.best_epoch}",
        axes=(unit, "nats a text"),
        marked=(float(report.best_epoch), f"{unit} kept, {report.best_epoch}"),
    )


def losses(report: PretrainReport) -> shapes.Table:
    """The losses that the chart shows, in figures."""
    rows = (
        ("Guessing evenly over the vocabulary", report.uniform_loss),
        ("Guessing by the tokens' frequency", report.unigram_loss),
        ("Same architecture, untrained weights", report.untrained_loss),
        ("This model before training", report.initial_loss),
        ("This model after training", report.final_loss),
    )
    return shapes.Table(
        f"Loss at {figures.count(report.heldout_masked_tokens)} fixed masked tokens held out",
        ("Model", "Nats a masked token"),
        tuple((name, figures.decimal(loss)) for name, loss in rows),
        numeric=frozenset({1}),
    )
