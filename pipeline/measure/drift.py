"""Whether new rows come from the distribution of the known ones: permutation tests of distances.

Each distance is compared with the same distance after random permutations of which rows are new.
Without drift the true assignment is one permutation among the others, so that ``p = (1 +
permutations at least as far) / (1 + permutations)`` is at most alpha with a probability of at most
alpha (Phipson and Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9(1), 39). All permutations are
computed at once: an assignment is a column of 0 and 1.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse, stats

from pipeline.measure import ranking
from pipeline.measure.power import POWER
from pipeline.reports import Estimate

Assignments = npt.NDArray[np.float64]  # (n, 1 + P): 1 where a row is new; the first is the truth
Distances = npt.NDArray[np.float64]  # (1 + P,)


@dataclass(frozen=True)
class Shift:
    """A distance between new and known rows, beside the same distance under permutation."""

    observed: float
    threshold: float  # which permutations exceed with probability ``alpha``
    detectable: float  # a true distance of this size is found about four times in five
    p_value: float


def draw_assignments(new: int, known: int, permutations: int, seed: int) -> Assignments:
    """Return the true assignment of ``new`` rows, then ``known`` ones, and permutations of it."""
    truth = np.concatenate([np.ones(new), np.zeros(known)])
    permuted = np.random.default_rng(seed).permuted(np.tile(truth, (permutations, 1)), axis=1)
    return np.concatenate([truth[None], permuted]).T.copy()


def judge(distances: Distances, alpha: float) -> Shift:
    """Compare the first distance, the true one, with those under permutation.

    ``detectable`` is ``threshold + z_power * spread``. The spread of the upper half of the permuted
    distances, ``(threshold - median) / z_(1 - alpha)``, stands for that of the distance under a
    shift: exact where that is normal, and a little low for a distance that is an absolute value.
    """
    observed, permuted = distances[0], distances[1:]
    threshold = float(np.quantile(permuted, 1 - alpha, method="higher"))
    spread = (threshold - float(np.median(permuted))) / stats.norm.ppf(1 - alpha)
    at_least_as_far = permuted >= observed - 1e-12  # sums of floats in another order are ties too
    return Shift(
        observed=float(observed),
        threshold=threshold,
        detectable=threshold + float(stats.norm.ppf(POWER) * spread),
        p_value=(1 + int(at_least_as_far.sum())) / (1 + len(permuted)),
    )


def count_words(hashes: npt.NDArray[np.uint64], texts: np.ndarray, n: int, most: int) -> np.ndarray:
    """Return how often each text has each of the ``most`` frequent words and any other; sparse.

    Args:
        hashes: (N,) the words of all texts.
        texts: (N,) which text each is of, below ``n``.
        n: Texts.
        most: How many words are counted one by one: the most frequent of all texts together, so
            that the choice says nothing about which texts are new.

    Returns:
        (n, V) with V at most ``most + 1``.
    """
    words, place, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    rank = np.empty(len(words), np.int64)
    rank[np.lexsort((words, -counts))] = np.arange(len(words))
    columns = np.minimum(rank, most)[place]
    width = min(len(words), most + 1)
    return sparse.csr_array((np.ones(len(place)), (texts, columns)), shape=(n, width))


def word_divergences(counts: np.ndarray, assignments: Assignments) -> Distances:
    """Return the divergence of Jensen and Shannon between the words of new and known rows, in bits.

    ``H(m) - (H(p) + H(q)) / 2`` with ``m = (p + q) / 2`` (Lin 1991, equal weights): 0 for
    equal shares, 1 where no word is shared. ``counts`` is (n, V), sparse.
    """
    of_new = counts.T @ assignments  # (V, 1 + P)
    of_known = np.asarray(counts.sum(axis=0)).reshape(-1, 1) - of_new
    p, q = (each / np.maximum(each.sum(axis=0), 1) for each in (of_new, of_known))
    return _entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2


def length_distances(lengths: np.ndarray, assignments: Assignments) -> Distances:
    """Return the distance of Kolmogorov and Smirnov between the lengths (n,) of new and known rows.

    It is the largest difference of the two shares of rows that are no longer than a length.
    """
    order = np.argsort(lengths, kind="stable")
    last_of_its_length = np.append(np.diff(lengths[order]) > 0, True)
    new = np.cumsum(assignments[order], axis=0)
    known = np.arange(1, len(order) + 1)[:, None] - new
    apart = np.abs(new / new[-1] - known / known[-1])
    return apart[last_of_its_length].max(axis=0)


def label_distances(labels: np.ndarray, assignments: Assignments) -> Distances:
    """Return the total variation between the labels (n,) of new and known rows: 0 to 1.

    It is half the sum of the absolute differences of the labels' shares.
    """
    values, place = np.unique(labels, return_inverse=True)
    held = (place[None] == np.arange(len(values))[:, None]).astype(np.float64)  # (K, n)
    new = held @ assignments
    known = held.sum(axis=1, keepdims=True) - new
    apart = new / new.sum(axis=0) - known / known.sum(axis=0)
    return np.abs(apart).sum(axis=0) / 2


def domain_scores(
    features: np.ndarray, assignments: Assignments, folds: int, ridge: float, seed: int
) -> np.ndarray:
    """Return how new each row looks to a linear classifier that was not fitted to it, (n, 1 + P).

    The classifier is ridge regression of new or known on the standardised features (n, H), which
    for two classes is Fisher's discriminant. Its penalty is ``ridge`` times the features' mean
    squared singular value. The folds are drawn without regard to which rows are new, so one
    factorisation serves all permutations.
    """
    n = len(features)
    spread = features.std(axis=0)
    X = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1)
    fold = np.random.default_rng(seed).permutation(n) % folds
    scores = np.empty(assignments.shape)
    for each in range(folds):
        held, seen = fold == each, fold != each
        centre = X[seen].mean(axis=0)
        S = X[seen] - centre
        gram = S.T @ S
        gram += ridge * np.trace(gram) / len(gram) * np.eye(len(gram)) + 1e-9 * np.eye(len(gram))
        weights = np.linalg.solve(gram, S.T @ (assignments[seen] - assignments[seen].mean(axis=0)))
        scores[held] = (X[held] - centre) @ weights
    return scores


def domain_aucs(scores: np.ndarray, assignments: Assignments) -> Distances:
    """Return the AUC of scores (n, 1 + P), each by its own assignment; 0.5 is chance.

    As a test of two samples this is Lopez-Paz and Oquab (2017, section 3), with the AUC for the
    accuracy, so that few new rows among many are no harder to see.
    """
    new = assignments.sum(axis=0)
    ranks = (stats.rankdata(scores, axis=0) * assignments).sum(axis=0)
    return (ranks - new * (new + 1) / 2) / (new * (len(scores) - new))


def domain_interval(scores: np.ndarray, assignments: Assignments, confidence: float) -> Estimate:
    """Return the true assignment's AUC with its interval."""
    new = assignments[:, 0] == 1
    return ranking.auc(scores[new, 0], scores[~new, 0], confidence)


def _entropy(shares: np.ndarray) -> np.ndarray:
    """Return the entropy of each column of (V, C), in bits."""
    logs = np.log2(shares, where=shares > 0, out=np.zeros_like(shares))
    entropy: np.ndarray = -(shares * logs).sum(axis=0)
    return entropy
