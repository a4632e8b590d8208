"""Membership inference: whether a model's answer to a row tells that it learnt from that row.

The likelihood ratio attack (LiRA) of Carlini et al. 2022, "Membership Inference Attacks From First
Principles", algorithm 1, with shadow models.
"""

import math

import numpy as np
from scipy import special, stats

from pipeline.measure.intervals import Bootstrap, percentile, resample_weights, undefined
from pipeline.measure.power import POWER
from pipeline.measure.ranking import auc
from pipeline.reports import Estimate, Membership

FALSE_POSITIVE_RATE = 0.01


def draw_halves(shadows: int, rows: int, seed: int) -> np.ndarray:
    """Return which rows each shadow model learns, (S, N) bool: each row is in half of the models.

    ``shadows`` is even, so that a row has as many models that learnt it as that did not.
    """
    assert shadows % 2 == 0, shadows
    half = np.arange(shadows)[:, None] < shadows // 2
    draw = np.random.default_rng(seed)
    return draw.permuted(np.broadcast_to(half, (shadows, rows)), axis=0)


def confidence(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return ``phi = log(p / (1 - p))`` of each row's own label, (..., N), from (..., N, K) logits.

    This is equation 4 of the paper, computed by differences of logits, which do not round 1 - p to
    0. Over models phi is nearly normal, while p itself is not.
    """
    own = np.arange(logits.shape[-1]) == labels[:, None]
    rivals = np.where(own, -np.inf, logits.astype(np.float64))
    mine: np.ndarray = np.where(own, logits, 0.0).sum(axis=-1) - special.logsumexp(rivals, axis=-1)
    return mine


def likelihood_ratios(target: np.ndarray, shadows: np.ndarray, learnt: np.ndarray) -> np.ndarray:
    """Return log Lambda (N,): how much likelier the target's phi is if it learnt the row.

    For each row, the shadow models that learnt it give one normal distribution, and those that did
    not give the other. With few models, as here, the two variances are pooled over all rows, as the
    paper advises.

    Args:
        target: phi (N,) of the model that is attacked.
        shadows: phi (S, N) of the shadow models.
        learnt: (S, N) whether a shadow model learnt a row.
    """
    surprise = []
    for of in (learnt, ~learnt):
        counts = of.sum(axis=0)
        means = np.where(of, shadows, 0).sum(axis=0) / counts
        squares = np.where(of, (shadows - means) ** 2, 0).sum()
        variance = squares / (counts - 1).sum() + np.finfo(np.float64).tiny
        surprise.append((target - means) ** 2 / (2 * variance) + math.log(variance) / 2)
    ratio: np.ndarray = surprise[1] - surprise[0]
    return ratio


def judge_membership(
    ratios: np.ndarray, member: np.ndarray, learnt: np.ndarray, bootstrap: Bootstrap
) -> Membership:
    """Report how well ratios (N,) find members, (N,) bool; ``learnt`` (S, N) is the shadows'."""
    return Membership(
        true_positive_rate=true_positive_rate(ratios, member, bootstrap),
        false_positive_rate=FALSE_POSITIVE_RATE,
        auc=auc(ratios[member], ratios[~member], bootstrap.confidence),
        members=int(member.sum()),
        others=int((~member).sum()),
        shadow_heads=len(learnt),
        shadow_rows=round(learnt.sum() / len(learnt)),
    )


def true_positive_rate(ratios: np.ndarray, member: np.ndarray, bootstrap: Bootstrap) -> Estimate:
    """Return the share of members found when 1% of the others are taken for members.

    The interval resamples members and others, so it includes the variation of the threshold. It
    takes the rows as independent given the heads, and is about this one head: other heads, fitted
    to other rows or with other noise, would vary more. It is undefined if there are fewer than a
    hundred others, because 1% of them is less than one row.
    """
    members, others = int(member.sum()), int((~member).sum())
    fewer, level = min(members, others), bootstrap.confidence
    if others * FALSE_POSITIVE_RATE < 1 or not members:
        return undefined(fewer, level, "fewer than 100 rows that were not learnt, or none that was")
    order = np.argsort(-ratios, kind="stable")
    member = member[order]
    ends = np.diff(ratios[order], append=-np.inf) != 0  # of runs of equal ratios

    def found(weights: np.ndarray) -> np.ndarray:
        weights = weights[:, order]
        misses = np.cumsum(weights * ~member, axis=1)
        allowed = (misses <= FALSE_POSITIVE_RATE * misses[:, -1:]) & ends
        hits = np.cumsum(weights * member, axis=1)
        shares: np.ndarray = (hits * allowed).max(axis=1) / hits[:, -1]
        return shares

    draws = np.concatenate([found(w) for w in resample_weights(len(ratios), bootstrap)])
    rate = percentile(float(found(np.ones((1, len(ratios))))[0]), draws, fewer, level)
    return rate.model_copy(update={"detectable": _detectable(members, others, level)})


def _detectable(members: int, others: int, level: float) -> float:
    """Return the least rise above 1% that is found with 80% power, by the normal approximation."""
    rate = FALSE_POSITIVE_RATE
    error = math.sqrt(rate * (1 - rate) * (1 / members + 1 / others))
    return float(stats.norm.ppf((1 + level) / 2) + stats.norm.ppf(POWER)) * error
