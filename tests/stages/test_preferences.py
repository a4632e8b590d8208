"""The benchmarks of the language model in the audit: against their parts, and what is absent."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import trained
import yaml

from pipeline import files, layout, params
from pipeline.adapters import stereoset, winobias
from pipeline.encoder import candidates, scoring, unmasked
from pipeline.encoder.features import Extractor, load_extractor
from pipeline.measure.intervals import Bootstrap
from pipeline.reports import IntrinsicReport
from pipeline.stages.audits import preferences
from pipeline.stages.audits.preferences import STEREOSET, WINOBIAS
from pipeline.text import association_words
from pipeline.track import Silent

BOOTSTRAP = Bootstrap(confidence=0.95, resamples=100, seed=1)
OUT = layout.stage_dir("audit")


pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        trained.build(folder)
        write_stereoset()
        write_winobias()
    return folder


def write_stereoset() -> None:
    """Eight clusters about two terms."""
    clusters = []
    for number in range(8):
        words = (trained.GOOD[number % 4], trained.BAD[number % 4], trained.PLACES[number])
        sentences = [
            {"sentence": f"the {trained.PLACES[number]} was {word} .", "gold_label": label}
            for label, word in zip(stereoset.LABELS, words, strict=True)
        ]
        clusters.append(
            {
                "id": f"c{number}",
                "target": trained.PLACES[number % 2],
                "bias_type": "profession",
                "context": f"the {trained.PLACES[number]} was BLANK .",
                "sentences": sentences,
            }
        )
    data = {"data": {"intrasentence": clusters, "intersentence": []}}
    files.write_text(STEREOSET, json.dumps(data))


def write_winobias() -> None:
    """Eight occupations a file; the toy knows he, she, his and her, and not him."""
    for path in winobias.paths(WINOBIAS):
        lines = []
        for number, place in enumerate(trained.PLACES):
            his = (number % 2 == 0) == path.name.startswith("pro")
            lines.append(f"[The {place}] was cold and [{'he' if his else 'she'}] saw it.")
        lines.append(
            f"[The man] saw a visitor and it saw [{'him' if 'pro' in path.name else 'her'}] ."
        )
        files.write_text(path, "".join(f"{n} {line}\n" for n, line in enumerate(lines, 1)))


def measure(**changes: Any) -> IntrinsicReport:
    section = params.load().audit.model_copy(update=changes)
    model, tokenizer = scoring.load(layout.stage_dir("pretrain") / "model")
    lm = preferences.LanguageModel(model, tokenizer, section, Silent(), OUT)
    return preferences.measure(lm, BOOTSTRAP)


def test_unmasked_scores_are_the_share_of_pairs_that_the_scorer_prefers() -> None:
    found = measure(max_unmasked=None)
    model, tokenizer = scoring.load(layout.stage_dir("pretrain") / "model")
    for place, measured in enumerate((found.aul, found.aula)):
        more, less = (
            unmasked.score_sentences(model, tokenizer, [pair[side] for pair in trained.PAIRS])
            for side in (0, 1)
        )
        prefers = more[:, place] > less[:, place]
        assert measured.score.point == pytest.approx(100 * prefers.mean())
        assert measured.antistereo.point == pytest.approx(100 * prefers[2])
    items = pq.read_table(OUT / "unmasked.parquet").to_pydict()
    assert items["text_more"] == [pair[0] for pair in trained.PAIRS]
    assert items["aula_less"] == pytest.approx(less[:, 1])
    assert measure(max_unmasked=3).aul.score.n == 3


def test_clusters_are_scored_by_the_words_in_their_blanks() -> None:
    found = measure().stereoset
    model, tokenizer = scoring.load(layout.stage_dir("pretrain") / "model")
    items = pq.read_table(OUT / "stereoset.parquet").to_pydict()
    first = ("the garden was ", trained.BAD[0], " .")
    known = candidates.score_words(model, tokenizer, [first])[0]
    assert items["anti-stereotype"][0] == pytest.approx(known)
    beats = np.array(items["stereotype"]) > np.array(items["unrelated"])
    also = np.array(items["anti-stereotype"]) > np.array(items["unrelated"])
    assert found.overall.language.point == pytest.approx(50 * (beats.mean() + also.mean()))
    assert (found.overall.language.n, measure(max_clusters=5).stereoset.overall.language.n) == (
        8,
        5,
    )


def test_pronouns_are_compared_between_occupations_and_unknown_ones_counted() -> None:
    found = measure().pronouns
    items = pq.read_table(OUT / "winobias.parquet").to_pydict()
    odds, male = np.array(items["log_odds"]), np.array(items["male"])
    assert found.gap.point == pytest.approx(odds[male].mean() - odds[~male].mean(), abs=1e-6)
    assert (found.gap.n, found.sentences, found.left_out) == (8, 32, 4)
    assert items["text"][0] == "The garden was cold and he/she saw it."
    assert measure(max_pronouns=6).pronouns.sentences <= 6


def test_words_that_the_tokenizer_lacks_refuse_an_association_by_name() -> None:
    """The toy knows man, woman, he, she, his and her of the lists: no test is complete."""
    found = measure().associations
    assert [each.name for each in found] == list(association_words.TESTS)
    seventh = found[6]
    assert (seventh.targets, seventh.effect.point) == (("mathematics", "arts"), None)
    assert "algebra" in seventh.effect.note
    assert not {"man", "her"} & set(seventh.effect.note.split(": ")[1].split(", "))


def test_a_word_s_vector_is_the_mean_of_the_features_of_its_sentences(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With lists of words that the toy knows; against the effect from vectors made by hand."""
    lists = {"x": trained.PLACES[:3], "y": trained.PLACES[3:6], "a": trained.GOOD, "b": trained.BAD}
    monkeypatch.setattr(association_words, "WORDS", lists)
    monkeypatch.setattr(association_words, "TESTS", {"toy": tuple("xyab")})
    (found,) = measure().associations
    features = params.load().features
    extractor = preferences.load_extractor(
        layout.stage_dir("pretrain") / "model", features, Path("elsewhere")
    )

    def cosine_to(words: tuple[str, ...], word: str) -> float:
        own = extractor.features(association_words.sentences(word)).mean(axis=0)
        others = [extractor.features(association_words.sentences(w)).mean(axis=0) for w in words]
        return float(np.mean([own @ o / np.linalg.norm(own) / np.linalg.norm(o) for o in others]))

    s = [
        [cosine_to(trained.GOOD, w) - cosine_to(trained.BAD, w) for w in trained.PLACES[k : k + 3]]
        for k in (0, 3)
    ]
    effect = (np.mean(s[0]) - np.mean(s[1])) / np.std(s[0] + s[1], ddof=1)
    assert found.effect.point == pytest.approx(effect, rel=1e-4)
    assert (found.partitions, found.exact, found.effect.n) == (20, True, 6)


def test_a_benchmark_that_is_absent_is_named_and_none() -> None:
    STEREOSET.unlink()
    shutil.rmtree(WINOBIAS)
    (layout.BENCHMARKS / "crows_pairs.csv").unlink()
    found = measure()
    assert (found.aul, found.aula, found.stereoset, found.pronouns) == (None,) * 4
    assert found.not_evaluated == {
        "AUL and AULA": "data/benchmarks/crows_pairs.csv is not there",
        "StereoSet": "data/benchmarks/stereoset_dev.json is not there",
        "WinoBias": "data/benchmarks/winobias is not there",
        "SEAT": "data/benchmarks/seat is not there",
    }
    assert set(preferences.digests()) == {preferences.WORD_LISTS}


def test_a_refused_benchmark_has_no_figure() -> None:
    found = preferences.refuse(preferences.INCOMPETENT)
    assert (found.aul, found.aula, found.stereoset, found.pronouns) == (None,) * 4
    assert found.associations == ()
    assert set(found.not_evaluated.values()) == {preferences.INCOMPETENT}


def test_the_digest_of_every_file_that_is_read_is_reported() -> None:
    found = preferences.digests()
    assert found[str(STEREOSET)] == files.sha256_file(STEREOSET)
    assert {str(path) for path in winobias.paths(WINOBIAS)} < set(found)
    assert found[preferences.WORD_LISTS] == association_words.digest()


def write_seat(name: str, **changes: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """A test of sentences in words that the toy knows."""
    words = {
        "targ1": trained.PLACES[:3],
        "targ2": trained.PLACES[3:6],
        "attr1": trained.GOOD,
        "attr2": trained.BAD,
    }
    texts = {key: tuple(f"the {w} is ." for w in listed) for key, listed in words.items()} | changes
    sets = {key: {"category": key, "examples": found} for key, found in texts.items()}
    files.write_json(preferences.SEAT / f"{name}.jsonl", sets)
    return texts


def test_sentences_are_measured_in_float32_whatever_heads_are_fitted_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def load(model: Path, features: params.FeaturesParams, folder: Path) -> Extractor:
        asked.append(features.precision)
        return load_extractor(model, features, folder)

    raw = yaml.safe_load(layout.PARAMS.read_text())
    raw["features"]["precision"] = "bfloat16"
    layout.PARAMS.write_text(yaml.safe_dump(raw))
    monkeypatch.setattr(preferences, "load_extractor", load)
    write_seat("one")
    measure()
    assert set(asked) == {"float32"}


def test_seat_is_the_association_of_the_features_of_its_sentences() -> None:
    """Exact over the 20 ways to deal six sentences; one with an unknown word refuses its test."""
    texts = write_seat("one")
    write_seat("two", attr2=("the zebra is .", "the awful is ."))
    one, two = measure().sentences
    features = preferences.load_extractor(
        layout.stage_dir("pretrain") / "model", params.load().features, Path("elsewhere")
    )
    vectors = {key: features.features(found) for key, found in texts.items()}
    unit = {k: v / np.linalg.norm(v, axis=1, keepdims=True) for k, v in vectors.items()}
    first, second = (
        (unit[t] @ unit["attr1"].T).mean(1) - (unit[t] @ unit["attr2"].T).mean(1)
        for t in ("targ1", "targ2")
    )
    every = np.concatenate([first, second])
    expected = (first.mean() - second.mean()) / every.std(ddof=1)
    assert one.effect.point == pytest.approx(expected, rel=1e-4)
    assert (one.name, one.effect.n, one.partitions, one.exact) == ("SEAT one", 6, 20, True)
    assert one.effect.detectable is not None
    assert (two.effect.point, two.p_value) == (None, None)
    assert two.effect.note.endswith("the zebra is .")
    assert str(preferences.SEAT / "one.jsonl") in preferences.digests()
