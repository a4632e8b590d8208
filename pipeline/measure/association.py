"""Association tests: whether one group of words is nearer to some attributes than another is."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from pipeline.measure import power
from pipeline.measure.intervals import undefined
from pipeline.reports import Association, Estimate

MAX_PARTITIONS = 20_000  # up to so many are enumerated; of more, so many are sampled


@dataclass(frozen=True)
class WordSets:
    """The four word sets of one test."""

    name: str
    targets: tuple[tuple[str, Sequence[str]], tuple[str, Sequence[str]]]  # name, words
    attributes: tuple[tuple[str, Sequence[str]], tuple[str, Sequence[str]]]


def associate(
    sets: WordSets, vectors: Mapping[str, np.ndarray], confidence: float, seed: int
) -> Association:
    """Test a word embedding association (Caliskan et al. 2017, WEAT) on the words' vectors (H,).

    With ``s(w) = mean_a cos(w, a) - mean_b cos(w, b)`` of a target word, the effect is the
    difference of the two targets' means of s over the deviation of s on all target words. A set
    with a word that has no vector is not tested, and the word is named: without it, it would be
    another test.
    """
    names = [name for name, _ in (*sets.targets, *sets.attributes)]
    x, y, a, b = (words for _, words in (*sets.targets, *sets.attributes))
    lacking = [word for word in (*x, *y, *a, *b) if word not in vectors]
    if lacking:
        why = f"not tested, as these words have no vector: {', '.join(dict.fromkeys(lacking))}"
        effect = undefined(len(x) + len(y), confidence, why)
        p_value, partitions, exact = None, 0, False
    else:
        first, second = (
            _associations(*(np.stack([vectors[w] for w in words]) for words in (target, a, b)))
            for target in (x, y)
        )
        effect = estimate_effect(first, second, confidence)
        p_value, partitions, exact = permute(first, second, seed)
    return Association(
        name=sets.name,
        targets=(names[0], names[1]),
        attributes=(names[2], names[3]),
        effect=effect,
        p_value=p_value,
        partitions=partitions,
        exact=exact,
    )


def _associations(words: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return s (n,) of words (n, H) with the attributes a (A, H) and b (B, H)."""
    w, a, b = (m / np.linalg.norm(m, axis=1, keepdims=True) for m in (words, a, b))
    return (w @ a.T).mean(axis=1) - (w @ b.T).mean(axis=1)


def estimate_effect(first: np.ndarray, second: np.ndarray, confidence: float) -> Estimate:
    """Return the effect of two targets' associations (m,) and (n,), with interval and power.

    The interval is that of Cohen's d by the noncentral t distribution (Steiger and Fouladi 1997;
    Cumming and Finch 2001), which takes s as normal with one variance; `_on_scale` carries
    it, and the least detectable d, to the scale of the effect.
    """
    m, n = len(first), len(second)
    freedom, root = m + n - 2, math.sqrt(1 / m + 1 / n)
    pooled = math.sqrt((m * first.var() + n * second.var()) / freedom)
    if pooled == 0:
        return undefined(m + n, confidence, "no word is associated otherwise than its group")
    t = float(first.mean() - second.mean()) / (pooled * root)
    low, high = (
        _on_scale(float(special.nctdtrinc(freedom, tail, t)) * root, m, n)
        for tail in ((1 + confidence) / 2, (1 - confidence) / 2)
    )
    return Estimate(
        point=_on_scale(t * root, m, n),
        low=low,
        high=high,
        n=m + n,
        confidence=confidence,
        detectable=_on_scale(power.detectable(root, confidence, freedom), m, n),
        note="noncentral t interval over the target words",
    )


def _on_scale(d: float, m: int, n: int) -> float:
    """Return Cohen's d, a difference over the deviation within groups, over that of all words.

    All words' squares are those within plus those between the groups, ``mn / (m + n)`` times the
    squared difference. The deviation has N - 1 in its denominator, as gives Caliskan's figures.
    """
    total = m + n
    return d / math.sqrt((total - 2 + m * n / total * d * d) / (total - 1))


def permute(first: np.ndarray, second: np.ndarray, seed: int) -> tuple[float, int, bool]:
    """Return the two-sided p-value of exchanging the targets, how many partitions, and whether all.

    It is the share of the partitions of all words whose difference is as large. If there are more
    than `MAX_PARTITIONS` it is that of a sample, with 1 added to both counts (Phipson and Smyth
    2010, eq. 2), so never 0. Caliskan's one-sided p-value is half of it.
    """
    every = int(special.comb(len(first) + len(second), len(first), exact=True))
    found = stats.permutation_test(
        (first, second),
        lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis),
        vectorized=True,
        n_resamples=MAX_PARTITIONS,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue), min(every, MAX_PARTITIONS), every <= MAX_PARTITIONS
