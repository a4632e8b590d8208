"""Distances against scipy, scikit-learn and hand counts; p-values against every permutation."""

import itertools

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score

from pipeline.measure import drift

NEW, KNOWN = 30, 50


@pytest.fixture(scope="module")
def assignments() -> np.ndarray:
    return drift.draw_assignments(NEW, KNOWN, 20, seed=1)


def draw() -> np.random.Generator:
    return np.random.default_rng(3)


def test_the_first_assignment_is_the_true_one_and_each_has_as_many_new_rows(
    assignments: np.ndarray,
) -> None:
    assert assignments.shape == (NEW + KNOWN, 21)
    assert assignments[:NEW, 0].all()
    assert not assignments[NEW:, 0].any()
    assert set(assignments.sum(axis=0)) == {NEW}
    assert len({tuple(column) for column in assignments.T}) == 21


def test_words_are_counted_by_text_and_the_rare_ones_together() -> None:
    """Texts "a a b", "c" and "a d", of which the two most frequent words are told apart."""
    hashes = np.array([7, 7, 5, 9, 7, 2], np.uint64)
    counts = drift.count_words(hashes, np.array([0, 0, 0, 1, 2, 2]), 3, most=2)
    assert counts.toarray().tolist() == [[2, 0, 1], [0, 0, 1], [1, 1, 0]]


def test_word_divergences_are_scipys(assignments: np.ndarray) -> None:
    words = draw().integers(0, 40, 600).astype(np.uint64)
    counts = drift.count_words(words, draw().integers(0, 80, 600), 80, most=1000)
    found = drift.word_divergences(counts, assignments)
    for column, assignment in enumerate(assignments.T):
        p, q = (counts.toarray()[assignment == side].sum(axis=0) for side in (1, 0))
        assert found[column] == pytest.approx(jensenshannon(p, q, base=2) ** 2)


def test_length_distances_are_scipys_also_with_ties(assignments: np.ndarray) -> None:
    lengths = draw().integers(1, 9, 80)
    found = drift.length_distances(lengths, assignments)
    for column, assignment in enumerate(assignments.T):
        asked = stats.ks_2samp(lengths[assignment == 1], lengths[assignment == 0])
        assert found[column] == pytest.approx(asked.statistic)


def test_label_distance_is_half_the_sum_of_differences() -> None:
    """New: 3 of 4 have label 1; known: 1 of 4 has, and one has a label that is new to both."""
    labels = np.array([1, 1, 1, 0, 1, 0, 0, -1])
    truth = np.repeat([1.0, 0.0], 4)[:, None]
    assert drift.label_distances(labels, truth) == pytest.approx([(0.5 + 0.25 + 0.25) / 2])


def test_domain_scores_are_ridge_regressions_on_the_other_folds(assignments: np.ndarray) -> None:
    features = draw().normal(size=(80, 4))
    found = drift.domain_scores(features, assignments, folds=4, ridge=0.5, seed=9)
    fold = np.random.default_rng(9).permutation(80) % 4
    X = (features - features.mean(axis=0)) / features.std(axis=0)
    for column, assignment in enumerate(assignments.T[:3]):
        for each in range(4):
            seen = fold != each
            spread = ((X[seen] - X[seen].mean(axis=0)) ** 2).sum() / 4
            model = Ridge(alpha=0.5 * spread).fit(X[seen], assignment[seen])
            expected = model.predict(X[~seen]) - model.predict(X[seen].mean(axis=0)[None])
            assert found[~seen, column] == pytest.approx(expected)


def test_domain_aucs_are_scikit_learns(assignments: np.ndarray) -> None:
    scores = draw().integers(0, 5, assignments.shape).astype(float)
    found = drift.domain_aucs(scores, assignments)
    expected = [roc_auc_score(p, s) for p, s in zip(assignments.T, scores.T, strict=True)]
    assert found == pytest.approx(expected)


def test_the_p_value_counts_the_true_assignment_as_one_permutation() -> None:
    """Of all 70 assignments of 4 from 4 by hand: 2 are as far as 0 1 2 3 against 4 5 6 7."""
    columns = [
        np.isin(np.arange(8), chosen).astype(float)
        for chosen in itertools.combinations(range(8), 4)
    ]
    truth, permuted = columns[0], columns[1:]
    distances = drift.length_distances(np.arange(8), np.column_stack([truth, *permuted]))
    assert drift.judge(distances, 0.05).p_value == pytest.approx(2 / 70)
    assert drift.judge(np.ones(100), 0.05).p_value == 1


def test_a_constant_feature_and_one_row_of_words_are_no_error(assignments: np.ndarray) -> None:
    scores = drift.domain_scores(np.ones((80, 3)), assignments, 4, 1.0, seed=0)
    assert drift.domain_aucs(scores, assignments) == pytest.approx(np.full(21, 0.5))
    nothing = drift.count_words(np.zeros(0, np.uint64), np.zeros(0, int), 80, most=5)
    assert drift.word_divergences(nothing, assignments) == pytest.approx(np.zeros(21))


def test_a_true_distance_of_the_detectable_size_is_found_four_times_in_five() -> None:
    """Class shares: 0.5 of 300 known; of 200 new a share that is further by what is detectable."""
    assignments = drift.draw_assignments(200, 300, 199, seed=5)
    rng = draw()
    none = np.concatenate([rng.random(200) < 0.5, rng.random(300) < 0.5])
    distance = drift.judge(drift.label_distances(none, assignments), 0.05).detectable
    found = 0
    for _ in range(200):
        labels = np.concatenate([rng.random(200) < 0.5 + distance, rng.random(300) < 0.5])
        found += drift.judge(drift.label_distances(labels, assignments), 0.05).p_value <= 0.05
    assert found / 200 == pytest.approx(0.8, abs=0.1)
