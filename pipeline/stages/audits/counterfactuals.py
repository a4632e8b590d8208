"""The classifier's answers to texts and to the same texts with terms exchanged."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline import layout
from pipeline import params as settings
from pipeline.adapters import rows
from pipeline.encoder import classifier
from pipeline.measure import counterfactual
from pipeline.measure.counterfactual import Answers
from pipeline.measure.intervals import Bootstrap
from pipeline.params import AuditParams
from pipeline.reports import Counterfactual
from pipeline.stages.audits.tested import Tested
from pipeline.text import gender_swap, identity_templates, names
from pipeline.text.names import NamePair
from pipeline.track import Track

Classify = Callable[[Sequence[str]], Answers]


def compare_counterfactuals(
    tested: Tested,
    params: AuditParams,
    bootstrap: Bootstrap,
    track: Track,
    folder: Path,
) -> tuple[Counterfactual, ...]:
    """Compare the answers to test texts with terms exchanged, and to the identity templates.

    The terms are gendered words, and first names of pairs of groups. For names, the text with only
    the first group's names is compared with the text with only the second's.
    """
    classify = load_classifier(track)
    limit = params.max_counterfactuals
    answers = {"gender_swap": _swap_genders(tested, limit, classify)}
    answers |= {
        f"names: {pair.name}": _rename(tested, pair, limit, classify) for pair in names.PAIRS
    }
    compared = identity_templates.comparisons() + names.comparisons()
    sentences = classify(sorted({text for pair in compared for text in pair.first + pair.second}))
    answers |= {
        pair.name: (sentences.of(pair.first), sentences.of(pair.second)) for pair in compared
    }
    write_answers(answers, folder / "counterfactuals.parquet")
    return tuple(
        counterfactual.compare(name, before, after, bootstrap)
        for name, (before, after) in answers.items()
    )


def load_classifier(track: Track) -> Classify:
    """Load the trained classifier as a function from texts to its answers."""
    model = classifier.load(
        layout.encoder_dir(), layout.stage_dir("finetune"), settings.load().features
    )

    def classify(texts: Sequence[str]) -> Answers:
        said = model.probabilities(texts, lambda done, n: track.progress(done, n, "texts"))
        return Answers(texts, said)

    return classify


def _swap_genders(tested: Tested, limit: int | None, classify: Classify) -> tuple[Answers, Answers]:
    """Answer to the test texts with a gendered word, and to the same with the words swapped.

    Rows are sorted by id, which is a hash: the first ``limit`` of them are a random sample.
    """
    found = [row for row, text in enumerate(tested.texts) if gender_swap.has_term(text)][:limit]
    texts = [tested.texts[row] for row in found]
    before = Answers(texts, tested.outcomes.probabilities[found])
    return before, classify([gender_swap.swap(text) for text in texts])


def _rename(
    tested: Tested, pair: NamePair, limit: int | None, classify: Classify
) -> tuple[Answers, Answers]:
    """Answer to the test texts with a name of a pair, as the first group's and as the second's."""
    renamed = [both for text in tested.texts if (both := names.rename(text, pair))][:limit]
    return classify([first for first, _ in renamed]), classify([second for _, second in renamed])


def write_answers(answers: Mapping[str, tuple[Answers, Answers]], path: Path) -> None:
    """Write the texts, their counterparts and the answers to both, one row per pair."""
    pairs = list(answers.values())
    probabilities = [counterfactual.followed(*pair) for pair in pairs]
    rows.write_table(
        path,
        {
            "name": [name for name, (before, _) in answers.items() for _ in before.texts],
            "text": [text for before, _ in pairs for text in before.texts],
            "counterpart": [text for _, after in pairs for text in after.texts],
            "probability_before": np.concatenate([old for old, _ in probabilities]),
            "probability_after": np.concatenate([new for _, new in probabilities]),
            "predicted_before": np.concatenate([before.predicted for before, _ in pairs]),
            "predicted_after": np.concatenate([after.predicted for _, after in pairs]),
        },
    )
