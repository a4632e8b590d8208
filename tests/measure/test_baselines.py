"""Against hand computation, and by moving the labels that must not matter."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from pipeline.errors import InputError
from pipeline.measure import baselines

GOOD, BAD = ["good fine film", "a fine good day"], ["bad poor film", "a poor bad day"]
TRAIN = (GOOD * 6 + BAD * 4, np.array([1] * 12 + [0] * 8))


def noisy(n: int, seed: int) -> tuple[list[str], np.ndarray]:
    """Texts of eight words, of which the first three lean towards a label, one in four wrongly."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(2, size=n)
    leaning = np.where(draw.random((n, 3)) < 0.75, labels[:, None], 1 - labels[:, None])
    telling, other = draw.integers(15, size=(n, 3)), draw.integers(30, 70, size=(n, 5))
    words = np.concatenate([15 * leaning + telling, other], axis=1)
    return [" ".join(f"word{word}" for word in line) for line in words], labels


def test_majority_says_the_training_shares_of_every_row() -> None:
    fitted = baselines.fit(TRAIN, (GOOD, np.array([1, 1])), 3, [1.0])
    said = fitted.probabilities(["anything", "else"])["majority"]
    assert said == pytest.approx(np.array([[0.4, 0.6, 0.0]] * 2))


def test_the_penalty_is_the_one_that_validation_rows_prefer() -> None:
    """Recomputed one penalty at a time; on equal accuracy the smaller C wins."""
    train, validation = noisy(150, 1), noisy(120, 2)
    penalties = [10.0, 0.01, 1.0, 100.0]
    vectors = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True).fit(train[0])
    accuracies = {
        c: LogisticRegression(C=c, max_iter=1000)
        .fit(vectors.transform(train[0]), train[1])
        .score(vectors.transform(validation[0]), validation[1])
        for c in sorted(penalties)
    }
    assert len(set(accuracies.values())) > 1
    fitted = baselines.fit_tfidf(train, validation, penalties)
    assert max(accuracies, key=lambda c: accuracies[c]) == fitted.model.C
    assert fitted.validation_accuracy == max(accuracies.values())


def test_equal_accuracies_keep_the_stronger_penalty() -> None:
    fitted = baselines.fit_tfidf(TRAIN, (GOOD + BAD, np.array([1, 1, 0, 0])), [10.0, 0.5, 2.0])
    assert (fitted.model.C, fitted.validation_accuracy) == (0.5, 1.0)


def test_the_better_baseline_is_chosen_on_validation_rows() -> None:
    learnt = baselines.fit(TRAIN, (GOOD + BAD, np.array([1, 1, 0, 0])), 2, [1.0])
    assert learnt.better == "tfidf"
    misled = baselines.fit(TRAIN, (GOOD * 2 + BAD[:1], np.array([1] * 5)), 2, [1.0])
    assert misled.better == "majority"


def test_a_label_without_training_rows_has_probability_zero() -> None:
    said = baselines.fit(TRAIN, (GOOD, np.array([1, 1])), 4, [1.0]).probabilities(GOOD)["tfidf"]
    assert said.shape == (2, 4)
    assert (said[:, 2:] == 0).all()
    assert said.sum(axis=1) == pytest.approx([1, 1])


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [(GOOD, [1, 1], "one label only"), (["unlike", "others"], [0, 1], "no word is in two")],
)
def test_rows_that_cannot_be_learnt_are_named(
    texts: list[str], labels: list[int], message: str
) -> None:
    with pytest.raises(InputError, match=rf"train\.parquet: .*{message}"):
        baselines.fit((texts, np.array(labels)), (texts, np.array(labels)), 2, [1.0])
