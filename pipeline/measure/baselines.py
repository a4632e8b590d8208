"""Baselines that any model must beat: the majority label, and TF-IDF with logistic regression."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from pipeline import layout
from pipeline.errors import InputError

NAMES = MAJORITY, TFIDF = "majority", "tfidf"
_MAX_ITERATIONS = 1000
_TRAIN = layout.stage_dir("split") / "train.parquet"

Texts = tuple[Sequence[str], np.ndarray]  # texts and labels


@dataclass(frozen=True)
class Tfidf:
    """A fitted TF-IDF baseline with the inverse penalty that validation chose."""

    vectors: TfidfVectorizer
    model: LogisticRegression
    validation_accuracy: float

    def probabilities(self, texts: Sequence[str], K: int) -> np.ndarray:
        """Return probabilities (n, K); a label without training rows has probability 0."""
        probabilities = np.zeros((len(texts), K))
        found = self.model.predict_proba(self.vectors.transform(texts))
        probabilities[:, self.model.classes_] = found
        return probabilities


@dataclass(frozen=True)
class Baselines:
    """The baselines fitted to the training rows."""

    shares: np.ndarray  # (K,) of the labels in training: majority's answer to every row
    tfidf: Tfidf
    better: str  # the name of the one with the higher accuracy on validation rows

    def probabilities(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """Return each baseline's probabilities (n, K)."""
        K = len(self.shares)
        return {
            MAJORITY: np.tile(self.shares, (len(texts), 1)),
            TFIDF: self.tfidf.probabilities(texts, K),
        }


def fit(train: Texts, validation: Texts, K: int, penalties: Sequence[float]) -> Baselines:
    """Fit both baselines; on equal validation accuracy majority, the simpler one, is the better."""
    shares = np.bincount(train[1], minlength=K) / len(train[1])
    tfidf = fit_tfidf(train, validation, penalties)
    majority_accuracy = float((validation[1] == shares.argmax()).mean())
    better = TFIDF if tfidf.validation_accuracy > majority_accuracy else MAJORITY
    return Baselines(shares, tfidf, better)


def fit_tfidf(train: Texts, validation: Texts, penalties: Sequence[float]) -> Tfidf:
    """Fit on the training rows; validation accuracy chooses C among ``penalties``.

    Words and word pairs that occur in at least two texts, weighted by TF-IDF (Sparck Jones 1972;
    sublinear counts), with L2-penalised multinomial logistic regression. On equal accuracy the
    smaller C, the simpler model, is kept.

    Raises:
        InputError: where the training rows have only one label, or no word is in two of them.
    """
    if len(np.unique(train[1])) < 2:
        raise InputError(f"{_TRAIN}: holds one label only; add rows of another")
    vectors = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    try:
        known = vectors.fit_transform(train[0])
    except ValueError as error:  # scikit-learn's way to say that the vocabulary is empty
        raise InputError(f"{_TRAIN}: no word is in two of its texts; add rows") from error
    asked = vectors.transform(validation[0])
    fitted = []
    for c in sorted(penalties):
        model = LogisticRegression(C=c, max_iter=_MAX_ITERATIONS).fit(known, train[1])
        fitted.append(Tfidf(vectors, model, float((model.predict(asked) == validation[1]).mean())))
    return max(fitted, key=lambda tfidf: tfidf.validation_accuracy)
