"""The training curves: masked-language-model loss, and the head's."""

from pipeline.reports import FinetuneReport, PretrainReport
from pipeline.stages.page import figures, shapes
from pipeline.stages.page.charts import Level, Line
from pipeline.stages.page.language import mark, say


def pretraining(report: PretrainReport) -> shapes.Chart | None:
    """Training and held-out loss over tokens, with what guessing would cost; None untrained."""
    if not report.curve:
        return None
    heldout = [(0.0, report.initial_loss)]
    heldout += [(p.tokens, p.heldout_loss) for p in report.curve if p.heldout_loss is not None]
    train = [(float(point.tokens), point.loss) for point in report.curve]
    return shapes.chart(
        say("Masked-token loss during pretraining"),
        [
            Line(say("training"), "train", tuple(train)),
            Line(say("held out"), "heldout", tuple(heldout)),
        ],
        [Level(name, kind, loss) for name, kind, loss in _guesses(report)],
        title=say(
            "Held-out loss goes from %(first)s to %(last)s nats over %(tokens)s tokens",
            first=f"{report.initial_loss:.2f}",
            last=f"{report.final_loss:.2f}",
            tokens=figures.count(report.tokens),
        ),
        axes=(say("tokens seen"), say("nats a masked token")),
    )


def _guesses(report: PretrainReport) -> list[tuple[str, str, float]]:
    """Name, style and loss of guessing blindly, and of guessing by token frequencies."""
    uniform, untrained, unigram = report.uniform_loss, report.untrained_loss, report.unigram_loss
    return [
        (say("guessing evenly, %(loss)s", loss=f"{uniform:.2f}"), "first", uniform),
        (say("untrained weights, %(loss)s", loss=f"{untrained:.2f}"), "second", untrained),
        (say("guessing by frequency, %(loss)s", loss=f"{unigram:.2f}"), "third", unigram),
    ]


def head(report: FinetuneReport) -> shapes.Chart | None:
    """Training and validation loss over passes through the rows, the one kept marked.

    None for a linear head, which is solved and has no passes.
    """
    if not report.curve or report.gradient_norm is not None:
        return None
    unit = mark("iteration") if report.mode == "frozen" else mark("epoch")
    train = tuple((float(point.epoch), point.train_loss) for point in report.curve)
    validation = tuple((float(point.epoch), point.validation_loss) for point in report.curve)
    return shapes.chart(
        say("Classification loss during fine-tuning"),
        [Line(say("training"), "train", train), Line(say("validation"), "heldout", validation)],
        title=say(
            "Loss over %(units)s; the lowest on validation is at %(unit)s %(best)s",
            units=figures.plural(len(report.curve), unit),
            unit=say(unit),
            best=report.best_epoch,
        ),
        axes=(say(unit), say("nats a text")),
        marked=(
            float(report.best_epoch),
            say("%(unit)s kept, %(best)s", unit=say(unit), best=report.best_epoch),
        ),
    )


def losses(report: PretrainReport) -> shapes.Table:
    """The losses that the chart shows, in figures."""
    rows = (
        (say("Guessing evenly over the vocabulary"), report.uniform_loss),
        (say("Guessing by the tokens' frequency"), report.unigram_loss),
        (say("Same architecture, untrained weights"), report.untrained_loss),
        (say("This model before training"), report.initial_loss),
        (say("This model after training"), report.final_loss),
    )
    return shapes.Table(
        say(
            "Loss at %(tokens)s fixed masked tokens held out",
            tokens=figures.count(report.heldout_masked_tokens),
        ),
        (say("Model"), say("Nats a masked token")),
        tuple((name, figures.decimal(loss)) for name, loss in rows),
        numeric=frozenset({1}),
    )
