"""Which words moved the classifier, and how far to trust that: a part of the audit's report."""

from pipeline.reports.base import Estimate, Report


class Term(Report):
    """A word and what it adds to the probability of a label."""

    word: str
    texts: int  # that contain it, among those predicted as the label
    share: float  # summed over those texts; a text's shares sum to a change of probability


class Explained(Report):
    """A wrong prediction, and what each word adds to the probability of the predicted label."""

    label: str  # the true one
    predicted: str
    probability: float  # of the predicted label
    words: tuple[tuple[str, float], ...]  # in the text's order


class ExplanationReport(Report):
    """Integrated gradients on a sample of test texts. Figures are means over the random texts."""

    texts: int  # drawn at random
    steps: int  # of the integration path
    terms: dict[str, tuple[Term, ...]]  # label -> words that add most to it, in random texts
    errors: tuple[Explained, ...]  # the most confident wrong predictions
    completeness_error: Estimate  # |sum of the shares - the sum they should have|
    comprehensiveness: Estimate  # fall of the probability without the heaviest words
    comprehensiveness_gain: Estimate  # the same less that of words drawn at random; more is better
    sufficiency: Estimate  # fall of the probability with these words alone
    sufficiency_gain: Estimate  # that of words drawn at random less the same; more is better
    randomised_weights: Estimate  # rank correlation with the shares in a model of random weights
