"""Which words of test texts the answers rest on, and whether that explanation is faithful."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline import layout
from pipeline import params as settings
from pipeline.encoder import attribution
from pipeline.encoder.attribution import Explainer, Tokens
from pipeline.measure import explanation
from pipeline.measure.explanation import ERASED
from pipeline.measure.intervals import Bootstrap, bootstrap_mean
from pipeline.params import AuditParams
from pipeline.reports import Estimate, Explained, ExplanationReport
from pipeline.stages.audits.tested import Tested
from pipeline.track import Track

STEPS = 16  # the completeness error says whether they are enough
ERRORS = 4  # wrong answers that are shown
_RANDOM_DRAWS = 3  # of words, a text


@dataclass(frozen=True)
class Account:
    """An explanation: what each word of a text adds to the probability of the answer."""

    tokens: Tokens
    answer: int
    shares: np.ndarray  # (words,)


def explain(
    tested: Tested, params: AuditParams, bootstrap: Bootstrap, track: Track
) -> ExplanationReport:
    """Explain the answers to a random sample of test texts, and the most confident errors.

    Rows are sorted by id, which is a hash: the first of them are a random sample.
    """
    explainer = attribution.load(
        layout.encoder_dir(), layout.stage_dir("finetune"), settings.load().features
    )
    drawn = range(min(params.max_explained, len(tested.texts)))
    wrong = surest_errors(tested)
    rows = [*drawn, *wrong]
    accounts = []
    for done, row in enumerate(rows, 1):
        accounts.append(account(explainer, tested.texts[row], tested.outcomes.predicted[row]))
        track.progress(done, len(rows), "texts")
    sample, errors = accounts[: len(drawn)], accounts[len(drawn) :]
    names = tested.outcomes.names
    return ExplanationReport(
        texts=len(sample),
        steps=STEPS,
        terms=explanation.top_terms(
            names, [each.answer for each in sample], [_by_word(each) for each in sample]
        ),
        errors=tuple(_show(each, tested, row) for each, row in zip(errors, wrong, strict=True)),
        **judge(explainer, sample, bootstrap),
    )


def surest_errors(tested: Tested) -> list[int]:
    """Return the rows of the wrong answers with the highest probability, in that order."""
    outcomes = tested.outcomes
    sure = np.where(outcomes.predicted != outcomes.labels, outcomes.probabilities.max(axis=1), 0)
    return [int(row) for row in np.argsort(-sure, kind="stable")[:ERRORS] if sure[row] > 0]


def account(explainer: Explainer, text: str, answer: int) -> Account:
    """Attribute a text's answer to its words."""
    tokens = explainer.encode(text)
    return Account(tokens, int(answer), explainer.attribute(tokens, int(answer), STEPS))


def judge(
    explainer: Explainer, sample: Sequence[Account], bootstrap: Bootstrap
) -> dict[str, Estimate]:
    """Test the explanations: whether shares add up, and whether erasing words has that effect."""
    sample = [each for each in sample if len(each.shares)]
    draw = np.random.default_rng(bootstrap.seed)
    falls = erase(explainer, sample, [each.shares for each in sample])
    chance = np.mean(
        [
            erase(explainer, sample, [draw.permuted(each.shares) for each in sample])
            for _ in range(_RANDOM_DRAWS)
        ],
        axis=0,
    )
    found = {
        "completeness_error": _incompleteness(explainer, sample),
        "comprehensiveness": falls[:, 0],
        "comprehensiveness_gain": falls[:, 0] - chance[:, 0],
        "sufficiency": falls[:, 1],
        "sufficiency_gain": chance[:, 1] - falls[:, 1],
        "randomised_weights": _compare_randomised(explainer.randomised(bootstrap.seed), sample),
    }
    return {name: bootstrap_mean(values, bootstrap) for name, values in found.items()}


def erase(
    explainer: Explainer, sample: Sequence[Account], shares: Sequence[np.ndarray]
) -> np.ndarray:
    """Return comprehensiveness and sufficiency of each text, (N, 2), means over `ERASED`.

    How far the probability of the answer falls without the words of the greatest shares, and with
    these alone (DeYoung et al. 2020, section 4). Words are taken out, not hidden.
    """
    ids = []
    for each, of in zip(sample, shares, strict=True):
        chosen = explanation.choose_words(of)
        kept = [np.ones(len(of), np.bool_), *(~words for words in chosen), *chosen]
        ids += [_keep(each.tokens, words) for words in kept]
    answers = np.repeat([each.answer for each in sample], 1 + 2 * len(ERASED))
    sure = explainer.probabilities(ids)[np.arange(len(ids)), answers] if ids else np.empty(0)
    sure = sure.reshape(len(sample), 1 + 2 * len(ERASED))
    falls = (sure[:, :1] - sure[:, 1:]).reshape(len(sample), 2, len(ERASED))
    means: np.ndarray = falls.mean(axis=2, dtype=np.float64)
    return means


def _keep(tokens: Tokens, words: np.ndarray) -> list[int]:
    return [i for i, word in zip(tokens.ids, tokens.words, strict=True) if word < 0 or words[word]]


def _compare_randomised(random: Explainer, sample: Sequence[Account]) -> np.ndarray:
    """Return the rank correlation of each text's shares with those of random weights."""
    found = [
        explanation.rank_correlation(each.shares, random.attribute(each.tokens, each.answer, STEPS))
        for each in sample
    ]
    return np.array([value for value in found if np.isfinite(value)])


def _incompleteness(explainer: Explainer, sample: Sequence[Account]) -> np.ndarray:
    """Return |sum of the shares - (p(text) - p(masked text))| of each text."""
    errors = []
    for each in sample:
        texts = [each.tokens.ids, explainer.hide(each.tokens)]
        whole, hidden = explainer.probabilities(texts)[:, each.answer]
        errors.append(abs(each.shares.sum() - (whole - hidden)))
    return np.array(errors)


def _by_word(each: Account) -> Counter[str]:
    """Return the shares by lower-case word, summed over repeated words."""
    found: Counter[str] = Counter()
    for word, share in zip(each.tokens.names, each.shares, strict=True):
        if word.isalpha():
            found[word.lower()] += float(share)  # type: ignore[assignment]
    return found


def _show(each: Account, tested: Tested, row: int) -> Explained:
    names = tested.outcomes.names
    return Explained(
        label=names[tested.outcomes.labels[row]],
        predicted=names[each.answer],
        probability=float(tested.outcomes.probabilities[row, each.answer]),
        words=tuple(
            (word, float(s)) for word, s in zip(each.tokens.names, each.shares, strict=True)
        ),
    )
