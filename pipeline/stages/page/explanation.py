"""Which words moved the classifier, and how far to trust that account."""

from dataclasses import dataclass

from pipeline.reports import Estimate, Explained, ExplanationReport, Term
from pipeline.stages.page import figures, names, shapes
from pipeline.stages.page.language import mark, say
from pipeline.stages.page.shapes import Mark

_LEAST_SHARE = 0.02  # of the largest share in a text; words below it are not coloured


@dataclass(frozen=True)
class Word:
    """A word of a text, its weight in the answer and the direction."""

    text: str
    percent: int  # of the strongest word of the text
    way: str  # for, against or "" for the answer


@dataclass(frozen=True)
class Error:
    """A wrong answer in words."""

    words: tuple[Word, ...]
    label: str
    predicted: str
    probability: str
    strongest: str  # the words that added most to the answer


def terms(report: ExplanationReport) -> shapes.Table | None:
    """The words that added most to each label, how much they added and in how many texts."""
    rows = [
        (names.plain(label), ", ".join(_term(term) for term in ranked))
        for label, ranked in report.terms.items()
        if ranked
    ]
    caption = say(
        "Words that spoke most for each label: what each added to the scores, and its texts"
    )
    columns = (say("Label"), say("Words"))
    return shapes.Table(caption, columns, tuple(rows)) if rows else None


def _term(term: Term) -> str:
    return say(
        "%(word)s %(share)s (%(texts)s)",
        word=term.word,
        share=figures.decimal(term.share, 2),
        texts=figures.plural(term.texts, "text"),
    )


def errors(report: ExplanationReport) -> tuple[Error, ...]:
    """The most confident wrong answers, with the words that led to them."""
    return tuple(
        Error(
            _words(each),
            each.label,
            each.predicted,
            figures.decimal(each.probability, 2),
            figures.listing([f"“{word}”" for word in _strongest(each)]) or say("no word alone"),
        )
        for each in report.errors
    )


def _words(each: Explained) -> tuple[Word, ...]:
    most = max((abs(share) for _, share in each.words), default=0.0) or 1.0
    ways = [
        "" if abs(share) < _LEAST_SHARE * most else "for" if share > 0 else "against"
        for _, share in each.words
    ]
    return tuple(
        Word(word, round(100 * abs(share) / most), way)
        for (word, share), way in zip(each.words, ways, strict=True)
    )


def _strongest(each: Explained) -> list[str]:
    ranked = sorted(each.words, key=lambda item: -item[1])
    return [word for word, share in ranked[:2] if share > 0]


def faithful(report: ExplanationReport) -> shapes.Intervals:
    """How well the account predicts the model, beside random words and random weights."""
    gains = [
        Mark(say("Without these words"), report.comprehensiveness_gain),
        Mark(say("With these words alone"), report.sufficiency_gain),
    ]
    checks = [
        Mark(say("Shares against their sum"), report.completeness_error),
        Mark(say("Likeness to random weights"), report.randomised_weights),
    ]
    return shapes.intervals(
        say("Does the account hold?"),
        [
            (say("More than words drawn at random: more is better"), gains),
            (say("To be near 0"), checks),
        ],
        reference=(0.0, say("no difference, 0")),
        include=(0.0,),
    )


def in_words(report: ExplanationReport) -> str:
    """Say in everyday words whether the account can be trusted."""
    if not report.texts:
        return say("No answer was explained.")
    gains = (report.comprehensiveness_gain, report.sufficiency_gain)
    texts = figures.plural(report.texts, "test text")
    if any(each.low is None for each in gains):
        return say(
            "The answers to %(texts)s were explained by word. Whether the account holds could not "
            "be tested.",
            texts=texts,
        )
    if all(each.low is not None and each.low > 0 for each in gains):
        message = mark(
            "The answers to %(texts)s were explained by word. The words named matter more to the "
            "answer than words drawn at random (without them the score falls by %(more)s more)."
        )
    else:
        message = mark(
            "The answers to %(texts)s were explained by word. The words named were not shown to "
            "matter more than words drawn at random (without them the score falls by %(more)s "
            "more)."
        )
    return say(message, texts=texts, more=_more(gains[0]))


def _more(gain: Estimate) -> str:
    return figures.value(gain, 2)
