"""Whether new rows are drawn as the known ones were: distances, and how far chance takes them.

Each distance is compared with what it is when the rows are told apart by lot. Under no drift the
true parting is one more lot, so that ``p = (1 + lots at least as far) / (1 + lots)`` is at most
alpha with a probability of at most alpha (Phipson and Smyth 2010, Stat. Appl. Genet. Mol. Biol.
9(1), 39). All lots are computed at once: a parting is a column of 0 and 1.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse, stats

from pipeline.measure import ranking
from pipeline.measure.power import POWER
from pipeline.reports import Estimate

Partings = npt.NDArray[np.float64]  # (n, 1 + L): 1 where a row is new, first as it truly is
Distances = npt.NDArray[np.float64]  # (1 + L,)


@dataclass(frozen=True)
class Shift:
    """A distance between new and known rows, beside the same distance by lot."""

    observed: float
    threshold: float  # that lots exceed with the probability ``alpha``
    detectable: float  # a true distance of this size is found about four times in five
    p_value: float


def draw_partings(new: int, known: int, lots: int, seed: int) -> Partings:
    """Return ``new`` rows, then ``known`` ones, parted truly and by ``lots`` permutations."""
    truly = np.concatenate([np.ones(new), np.zeros(known)])
    by_lot = np.random.default_rng(seed).permuted(np.tile(truly, (lots, 1)), axis=1)
    return np.concatenate([truly[None], by_lot]).T.copy()


def judge(distances: Distances, alpha: float) -> Shift:
    """Compare the first distance with the others, which are by lot.

    ``detectable`` is ``threshold + z_power * spread``, with the spread of the upper half by lot,
    ``(threshold - median) / z_(1 - alpha)``, taken for that of the distance under a shift: exact
    where that is normal, and a little low for a distance that is an absolute value.
    """
    observed, by_lot = distances[0], distances[1:]
    threshold = float(np.quantile(by_lot, 1 - alpha, method="higher"))
    spread = (threshold - float(np.median(by_lot))) / stats.norm.ppf(1 - alpha)
    at_least_as_far = by_lot >= observed - 1e-12  # sums of floats in another order are ties too
    return Shift(
        observed=float(observed),
        threshold=threshold,
        detectable=threshold + float(stats.norm.ppf(POWER) * spread),
        p_value=(1 + int(at_least_as_far.sum())) / (1 + len(by_lot)),
    )


def count_words(hashes: npt.NDArray[np.uint64], texts: np.ndarray, n: int, most: int) -> np.ndarray:
    """Return how often each text has each of the ``most`` frequent words, and any other: sparse.

    Args:
        hashes: (N,) the words of all texts.
        texts: (N,) which text each is of, below ``n``.
        n: Texts.
        most: Words that are counted one by one; those of all texts together, so that which they
            are says nothing of who is new.

    Returns:
        (n, V) with V at most ``most + 1``.
    """
    words, place, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    rank = np.empty(len(words), np.int64)
    rank[np.lexsort((words, -counts))] = np.arange(len(words))
    columns = np.minimum(rank, most)[place]
    width = min(len(words), most + 1)
    return sparse.csr_array((np.ones(len(place)), (texts, columns)), shape=(n, width))


def word_divergences(counts: np.ndarray, partings: Partings) -> Distances:
    """Return the divergence of Jensen and Shannon between the words of new and known rows, in bits.

    ``H(m) - (H(p) + H(q)) / 2`` with ``m = (p + q) / 2`` (Lin 1991, equal weights): 0 for
    equal shares, 1 where no word is shared. ``counts`` is (n, V), sparse.
    """
    of_new = counts.T @ partings  # (V, 1 + L)
    of_known = np.asarray(counts.sum(axis=0)).reshape(-1, 1) - of_new
    p, q = (each / np.maximum(each.sum(axis=0), 1) for each in (of_new, of_known))
    return _entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2


def length_distances(lengths: np.ndarray, partings: Partings) -> Distances:
    """Return the distance of Kolmogorov and Smirnov between the lengths (n,) of new and known rows.

    It is the largest difference of the two shares of rows that are no longer than a length.
    """
    order = np.argsort(lengths, kind="stable")
    last_of_its_length = np.append(np.diff(lengths[order]) > 0, True)
    new = np.cumsum(partings[order], axis=0)
    known = np.arange(1, len(order) + 1)[:, None] - new
    apart = np.abs(new / new[-1] - known / known[-1])
    return apart[last_of_its_length].max(axis=0)


def label_distances(labels: np.ndarray, partings: Partings) -> Distances:
    """Return the total variation between the labels (n,) of new and known rows: 0 to 1.

    It is half the sum of the absolute differences of the labels' shares.
    """
    values, place = np.unique(labels, return_inverse=True)
    held = (place[None] == np.arange(len(values))[:, None]).astype(np.float64)  # (K, n)
    new = held @ partings
    known = held.sum(axis=1, keepdims=True) - new
    apart = new / new.sum(axis=0) - known / known.sum(axis=0)
    return np.abs(apart).sum(axis=0) / 2


def domain_scores(
    features: np.ndarray, partings: Partings, folds: int, ridge: float, seed: int
) -> np.ndarray:
    """Return how new each row looks to a linear classifier that has not seen it, (n, 1 + L).

    The classifier is ridge regression of new or known on the standardised features (n, H), which
    for two classes is Fisher's discriminant. Its penalty is ``ridge`` times the features' mean
    squared singular value. The folds are drawn without a look at who is new, so one factorisation
    serves all lots.
    """
    n = len(features)
    spread = features.std(axis=0)
    X = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1)
    fold = np.random.default_rng(seed).permutation(n) % folds
    scores = np.empty(partings.shape)
    for each in range(folds):
        held, seen = fold == each, fold != each
        centre = X[seen].mean(axis=0)
        S = X[seen] - centre
        gram = S.T @ S
        gram += ridge * np.trace(gram) / len(gram) * np.eye(len(gram)) + 1e-9 * np.eye(len(gram))
        weights = np.linalg.solve(gram, S.T @ (partings[seen] - partings[seen].mean(axis=0)))
        scores[held] = (X[held] - centre) @ weights
    return scores


def domain_aucs(scores: np.ndarray, partings: Partings) -> Distances:
    """Return the AUC of scores (n, 1 + L), each by its own parting: 0.5 where nobody looks new.

    As a test of two samples this is Lopez-Paz and Oquab (2017, section 3), with the AUC for the
    accuracy, so that few new rows among many are no harder to see.
    """
    new = partings.sum(axis=0)
    ranks = (stats.rankdata(scores, axis=0) * partings).sum(axis=0)
    return (ranks - new * (new + 1) / 2) / (new * (len(scores) - new))


def domain_interval(scores: np.ndarray, partings: Partings, confidence: float) -> Estimate:
    """Return the true parting's AUC with its interval."""
    new = partings[:, 0] == 1
    return ranking.auc(scores[new, 0], scores[~new, 0], confidence)


def _entropy(shares: np.ndarray) -> np.ndarray:
    """Return the entropy of each column of (V, C), in bits."""
    logs = np.log2(shares, where=shares > 0, out=np.zeros_like(shares))
    entropy: np.ndarray = -(shares * logs).sum(axis=0)
    return entropy
