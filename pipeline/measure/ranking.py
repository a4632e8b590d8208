"""Ranking across groups: how well scores order rows within a group and against the others."""

import math

import numpy as np
from scipy import optimize, stats

from pipeline.measure.intervals import undefined
from pipeline.reports import Estimate


def group_aucs(
    scores: np.ndarray, positive: np.ndarray, member: np.ndarray, confidence: float
) -> dict[str, Estimate]:
    """Return the three AUCs of a group by Borkan et al. (2019, section 3.1).

    ``scores``, ``positive`` and ``member`` (n,) are of all rows: the background is the rows that
    are not of the group. A low BPSN AUC (background positive, subgroup negative) means that the
    group's negatives score like others' positives, so its false positives are many; a low BNSP AUC
    that its positives score like others' negatives.
    """
    inside, outside = member, ~member
    parts = {
        "subgroup_auc": (inside & positive, inside & ~positive),
        "bpsn_auc": (outside & positive, inside & ~positive),
        "bnsp_auc": (inside & positive, outside & ~positive),
    }
    return {
        name: auc(scores[above], scores[below], confidence)
        for name, (above, below) in parts.items()
    }


def auc(above: np.ndarray, below: np.ndarray, confidence: float) -> Estimate:
    """Return the share of pairs in which a score of ``above`` is the higher; ties are a half.

    The interval is the score-like one of Newcombe (2006, part 2, method 5), which like Wilson's
    has a width where the share is 0 or 1. Its bounds are the t at which
    ``|AUC - t| = z sqrt(V(t))``, with::

        V(t) = t (1 - t) / (m n) [1 + N ((1 - t) / (2 - t) + t / (1 + t))],  N = (m + n) / 2 - 1

    Its n is the smaller of the two numbers of rows: thousands on one side do not make up for two on
    the other.
    """
    m, n = len(above), len(below)
    if not (m and n):
        missing = " and ".join(name for name, k in (("positive", m), ("negative", n)) if not k)
        return undefined(0, confidence, f"no {missing} rows to compare")
    ranks = stats.rankdata(np.concatenate([above, below]))
    share = float((ranks[:m].sum() - m * (m + 1) / 2) / (m * n))
    z = float(stats.norm.ppf((1 + confidence) / 2))

    def excess(t: float) -> float:
        weight = 1 + ((m + n) / 2 - 1) * ((1 - t) / (2 - t) + t / (1 + t))
        return abs(share - t) - z * math.sqrt(t * (1 - t) / (m * n) * weight)

    tiny = 1e-12  # 0 and 1 also solve the equation if they are the share, but are no bounds
    return Estimate(
        point=share,
        low=optimize.brentq(excess, tiny, min(share, 1 - tiny)) if share > tiny else 0.0,
        high=optimize.brentq(excess, max(share, tiny), 1 - tiny) if share < 1 - tiny else 1.0,
        n=min(m, n),
        confidence=confidence,
        note=f"{m} against {n} rows; Newcombe interval",
    )
