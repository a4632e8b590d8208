"""Whether answers change, or stay, as they should when a text is changed in a known way."""

from typing import Literal

import numpy as np

from pipeline.measure.counterfactual import Answers, distance
from pipeline.measure.intervals import Bootstrap, bootstrap_mean, wilson
from pipeline.reports import Behaviour

_EXAMPLES = 3


def judge_behaviour(
    name: str,
    kind: Literal["invariance", "direction"],
    before: Answers,
    after: Answers,
    bootstrap: Bootstrap,
) -> Behaviour:
    """Count the failures of a test, row by row (Ribeiro et al. 2020, section 2).

    Invariance fails if the predicted label changes; direction fails if the probability of the label
    predicted before does not fall. The worst failures are kept as examples.
    """
    rows = np.arange(len(before.texts))
    old = before.probabilities[rows, before.predicted]
    new = after.probabilities[rows, before.predicted]
    if kind == "invariance":
        failed = before.predicted != after.predicted
        wrong_by = distance(before.probabilities, after.probabilities)
    else:
        failed = new >= old
        wrong_by = new - old
    worst = np.argsort(-np.where(failed, wrong_by, -np.inf), kind="stable")[:_EXAMPLES]
    return Behaviour(
        name=name,
        kind=kind,
        texts=len(rows),
        failure_rate=wilson(int(failed.sum()), len(rows), bootstrap.confidence),
        mean_change=bootstrap_mean(new - old, bootstrap),
        examples=tuple(
            (before.texts[row], after.texts[row], float(old[row]), float(new[row]))
            for row in worst
            if failed[row]
        ),
    )
