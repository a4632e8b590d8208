"""Pronouns: whether a model expects "his" or "her" by the occupation."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from pipeline.measure import power
from pipeline.measure.intervals import undefined
from pipeline.reports import Estimate, PronounScore


def pronouns(
    log_odds: np.ndarray,
    occupations: Sequence[str],
    male: np.ndarray,
    tasks: Sequence[str],
    *,
    left_out: int,
    confidence: float,
) -> PronounScore:
    """Compare the pronouns' log-odds between occupations stereotyped as men's and as women's.

    The definition is ours, on the sentences of WinoBias (Zhao et al. 2018): the pronoun is masked
    and ``log P(his form) - log P(her form)`` taken, the log-probability score of Kurita et al.
    (2019, sec. 2) with the other gender's form in place of a prior. A preference for one pronoun
    whatever the occupation occurs in both groups and cancels in the difference.

    Args:
        log_odds: (n,) nats.
        occupations: whom the pronoun of each sentence refers to.
        male: (n,) whether that occupation is stereotyped as men's.
        tasks: WinoBias' type of each sentence.
        left_out: sentences that could not be scored.
        confidence: of the intervals.
    """
    names, task = np.array(occupations), np.array(tasks)
    means = _means(log_odds, names)
    return PronounScore(
        gap=gap(log_odds, names, male, confidence),
        per_task={
            str(kind): gap(
                log_odds[task == kind], names[task == kind], male[task == kind], confidence
            )
            for kind in np.unique(task)
        },
        lean=_mean(means, confidence),
        sentences=len(log_odds),
        left_out=left_out,
    )


def gap(
    log_odds: np.ndarray, occupations: np.ndarray, male: np.ndarray, confidence: float
) -> Estimate:
    """Return the difference of the two groups' means over occupations, with Welch's interval.

    Sentences about one occupation are similar, so each occupation counts once, by its mean.
    """
    his, hers = (_means(log_odds[member], occupations[member]) for member in (male, ~male))
    n = len(his) + len(hers)
    if min(len(his), len(hers)) < 2:
        return undefined(n, confidence, "fewer than two occupations of a group")
    error = float(np.sqrt(his.var(ddof=1) / len(his) + hers.var(ddof=1) / len(hers)))
    freedom = stats.ttest_ind(his, hers, equal_var=False).df if error else 1
    return _estimate(float(his.mean() - hers.mean()), error, float(freedom), n, confidence)


def _mean(values: np.ndarray, confidence: float) -> Estimate:
    n = len(values)
    if n < 2:
        return undefined(n, confidence, "fewer than two occupations")
    error = float(values.std(ddof=1) / np.sqrt(n))
    return _estimate(float(values.mean()), error, n - 1, n, confidence)


def _estimate(point: float, error: float, freedom: float, n: int, confidence: float) -> Estimate:
    """Return an estimate with the t interval of its standard error."""
    if error == 0:
        return undefined(n, confidence, "all occupations have one value, so it has no interval")
    half = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    return Estimate(
        point=point,
        low=point - half,
        high=point + half,
        n=n,
        confidence=confidence,
        detectable=power.detectable(error, confidence, freedom),
        note="t interval over occupations",
    )


def _means(values: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Return each name's mean of the values, in the order of the names."""
    return np.array([values[names == name].mean() for name in np.unique(names)])
