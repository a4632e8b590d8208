"""Whether words' shares explain a classifier: tests by erasing words and by random weights.

DeYoung et al. 2020, "ERASER", section 4; Adebayo et al. 2018, "Sanity Checks for Saliency Maps".
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from pipeline.reports import Term

ERASED = (0.1, 0.2, 0.5)  # shares of a text's words that are erased: three of ERASER's five
_TERMS = 8


def choose_words(shares: np.ndarray) -> list[np.ndarray]:
    """Return masks (words,) of the words with the largest shares, one for each of `ERASED`.

    Each has at least one word. Of equal shares the earlier word counts as the larger.
    """
    order = np.argsort(-shares, kind="stable")
    ranks = np.empty(len(shares), np.int64)
    ranks[order] = np.arange(len(shares))
    return [ranks < max(1, round(part * len(shares))) for part in ERASED]


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Return Spearman's correlation; NaN where a text has too few words or all shares are equal."""
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(stats.spearmanr(one, other).statistic)


def top_terms(
    labels: Sequence[str],
    answers: Sequence[int],
    texts: Sequence[Mapping[str, float]],
) -> dict[str, tuple[Term, ...]]:
    """Return the words that add most to each label, over the texts answered with it.

    ``texts`` map the words of a text to their shares in the probability of its answer.
    """
    return {
        name: _rank([text for text, answer in zip(texts, answers, strict=True) if answer == k])
        for k, name in enumerate(labels)
    }


def _rank(texts: Sequence[Mapping[str, float]]) -> tuple[Term, ...]:
    words = sorted({word for text in texts for word in text})
    terms = [
        Term(
            word=word,
            texts=sum(word in text for text in texts),
            share=sum(text.get(word, 0.0) for text in texts),
        )
        for word in words
    ]
    ranked = sorted(terms, key=lambda term: -term.share)
    return tuple(term for term in ranked[:_TERMS] if term.share > 0)
