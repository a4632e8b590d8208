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
        [
            Level(f"guessing evenly, {report.uniform_loss:.2f}", "first", report.uniform_loss),
            Level(
                f"untrained weights, {report.untrained_loss:.2f}", "second", report.untrained_loss
            ),
        ],
        title=f"Held-out loss goes from {report.initial_loss:.2f} to {report.final_loss:.2f} nats "
        f"over {figures.count(report.tokens)} tokens",
        axes=("tokens seen", "nats a masked token"),
    )


def head(report: FinetuneReport) -> shapes.Chart | None:
    """Training and validation loss of the head over epochs, the kept epoch marked."""
    if not report.curve:
        return None
    train = tuple((float(point.epoch), point.train_loss) for point in report.curve)
    validation = tuple((float(point.epoch), point.validation_loss) for point in report.curve)
    return shapes.chart(
        "Classification loss during fine-tuning",
        [Line("training", "train", train), Line("validation", "heldout", validation)],
        title=f"Loss over {figures.plural(len(report.curve), 'epoch')}; the lowest on validation "
        f"is at epoch {report.best_epoch}",
        axes=("epoch", "nats a text"),
        marked=(float(report.best_epoch), f"epoch kept, {report.best_epoch}"),
    )


def losses(report: PretrainReport) -> shapes.Table:
    """The losses that the chart shows, in figures."""
    rows = (
        ("Guessing evenly over the vocabulary", report.uniform_loss),
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
