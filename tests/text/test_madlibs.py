"""On madlibs_en (Dixon et al. 2018): sentences that differ in an identity term or a name alone.

The audits' parts that need no model are run on them, and then a stand-in classifier: word counts on
the toxic tweets of Davidson et al. (2017), which is known to take identity terms for insults.
"""

import gzip
import itertools
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from published import find_shared
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from pipeline.measure import counterfactual, fairness
from pipeline.measure.counterfactual import Answers
from pipeline.measure.intervals import Bootstrap
from pipeline.measure.outcomes import Outcomes
from pipeline.text import checklist, identity

BOOTSTRAP = Bootstrap(0.95, 300, 1)
TERMS = ("gay", "lesbian", "queer", "straight", "christian", "muslim", "american", "old")


def read(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


@pytest.fixture(scope="module")
def madlibs() -> list[dict[str, Any]]:
    """The sentences "NAME is a ADJECTIVE TERM" of eight terms."""
    rows = read(find_shared("madlibs_en.jsonl.gz"))
    return [
        row
        for row in rows
        if row["template"] == "name_adj"
        and row["text"].split()[-1] in TERMS
        and len(row["text"].split()) == 5
    ]


@pytest.fixture(scope="module")
def classifier() -> Pipeline:
    rows = read(find_shared("davidson.jsonl.gz"))[::4]
    model = make_pipeline(
        TfidfVectorizer(min_df=2), LogisticRegression(C=3, class_weight="balanced", max_iter=300)
    )
    return model.fit([row["text"] for row in rows], [int(row["label"] != 2) for row in rows])


def test_the_word_list_names_the_origin_terms_and_no_other(madlibs: list[dict[str, Any]]) -> None:
    named = {
        row["text"].split()[-1]
        for row in madlibs
        if identity.identity_terms(row["text"])["origin"] == "named"
    }
    assert named == {"christian", "muslim", "american"}


def test_one_clause_sentences_take_every_change(madlibs: list[dict[str, Any]]) -> None:
    for row in madlibs[::20]:
        name, verb, *rest = row["text"].split(" ")
        assert checklist.add_negation(row["text"]) == " ".join([name, verb, "not", *rest])
        assert checklist.add_typo(row["text"])
        assert checklist.change_case(row["text"]) == row["text"].upper()


def test_terms_that_are_used_as_insults_cost_false_positives(
    madlibs: list[dict[str, Any]], classifier: Pipeline
) -> None:
    """The published effect: sentences that name gay people score too high, so their BPSN is low."""
    texts = [row["text"] for row in madlibs]
    labels = np.array([row["label"] == "toxic" for row in madlibs], np.int64)
    groups = np.array([text.split()[-1] for text in texts])
    outcomes = Outcomes(labels, classifier.predict_proba(texts), ("nontoxic", "toxic"))
    found = {
        score.value: score
        for score in fairness.group_scores(
            outcomes, groups, TERMS, min_rows=50, bins=10, bootstrap=BOOTSTRAP
        )
    }
    assert {score.rows for score in found.values()} == {len(texts) // len(TERMS)}
    for term in ("gay", "queer"):
        high = found[term].bpsn_auc.high
        assert high is not None
        assert high < min(found[other].bpsn_auc.low or 0 for other in ("american", "muslim"))
    gap = fairness.gaps(outcomes, "term", groups, TERMS, min_rows=50, bootstrap=BOOTSTRAP)[3]
    assert gap.metric == "false_positive_rate"
    assert gap.gap.low is not None
    assert gap.gap.low > 0.1


def test_exchanging_an_insulting_term_flips_more_answers_than_exchanging_another(
    madlibs: list[dict[str, Any]], classifier: Pipeline
) -> None:
    """Per pair of terms, in the same frame: against a loop over the sentences."""
    frames: dict[str, dict[str, str]] = defaultdict(dict)
    for row in madlibs:
        *frame, term = row["text"].split(" ")
        frames[" ".join(frame)][term] = row["text"]
    rates = {}
    for first, second in itertools.combinations(("queer", "straight", "american"), 2):
        pairs = [
            (each[first], each[second]) for each in frames.values() if {first, second} <= {*each}
        ]
        sides = [Answers(side, classifier.predict_proba(side)) for side in zip(*pairs, strict=True)]
        before, after = sides
        found = counterfactual.compare(f"{first} vs {second}", before, after, BOOTSTRAP)
        chances = [classifier.predict_proba(list(pair))[:, 1] for pair in pairs[:40]]
        looped = [abs(one - other) for one, other in chances]
        moved = counterfactual.distance(before.probabilities[:40], after.probabilities[:40])
        assert moved == pytest.approx(looped)
        rates[first, second] = found.flip_rate.point
    assert rates["queer", "american"] > 0.2
    assert rates["queer", "american"] > rates["straight", "american"]
