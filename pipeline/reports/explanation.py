"""Which words moved the classifier, and how far that account can be trusted: a part of audit."""

from pipeline.reports.base import Estimate, Report


class Term(Report):
    """A word and what it adds to the probability of a label."""

    word: str
    texts: int  # that hold it, of those answered with the label
    share: float  # sum over these texts; a text's shares add up to a probability's change


class Explained(Report):
    """A wrong answer and what each word adds to the probability of the label given."""

    label: str  # true
    predicted: str
    probability: float  # of the label predicted
    words: tuple[tuple[str, float], ...]  # in the text's order


class ExplanationReport(Report):
    """Integrated gradients on a sample of test texts. Figures are means over the random texts."""

    texts: int  # drawn at random
    steps: int  # of the path
    terms: dict[str, tuple[Term, ...]]  # label -> words that speak most for it, in random texts
    errors: tuple[Explained, ...]  # the wrong answers that were surest
    completeness_error: Estimate  # |sum of the shares - what they should add up to|
    comprehensiveness: Estimate  # fall of the probability without the words of most weight
    comprehensiveness_gain: Estimate  # the same less that of words drawn at random; more is better
    sufficiency: Estimate  # fall of the probability with these words alone
    sufficiency_gain: Estimate  # that of words drawn at random less the same; more is better
    randomised_weights: Estimate  # rank correlation with the shares in a model of random weights
