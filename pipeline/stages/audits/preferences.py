"""More benchmarks of the pretrained language model: AUL, StereoSet, WinoBias, word associations."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import files, layout
from pipeline import params as settings
from pipeline.adapters import crows_pairs, rows, seat, stereoset, winobias
from pipeline.encoder import candidates, scoring, unmasked
from pipeline.encoder.features import Extractor, load_extractor
from pipeline.measure import association, masked_lm, pronouns
from pipeline.measure import stereoset as clusters
from pipeline.measure.intervals import Bootstrap
from pipeline.params import AuditParams
from pipeline.reports import (
    Association,
    IntrinsicReport,
    PairScore,
    PronounScore,
    StereoSetReport,
)
from pipeline.stages.audits.intrinsic import CROWS_PAIRS
from pipeline.text import association_words
from pipeline.track import Track

STEREOSET = layout.BENCHMARKS / "stereoset_dev.json"
SEAT = layout.BENCHMARKS / "seat"
WINOBIAS = layout.BENCHMARKS / "winobias"
INCOMPETENT = "the language model is not good enough for its preferences to mean anything"
WORD_LISTS = "word lists of the association tests"
_BENCHMARKS = {
    "AUL and AULA": CROWS_PAIRS,
    "StereoSet": STEREOSET,
    "WinoBias": WINOBIAS,
    "SEAT": SEAT,
}


@dataclass(frozen=True)
class LanguageModel:
    """The pretrained language model, with what every benchmark of it needs."""

    model: Any
    tokenizer: Any
    params: AuditParams
    track: Track
    folder: Path  # where the scores of single items are written

    def progress_in(self, unit: str) -> Callable[[int, int], None]:
        """Return a function that reports progress, counted in this unit."""
        return lambda done, total: self.track.progress(done, total, unit)


def load_language_model(params: AuditParams, track: Track, folder: Path) -> LanguageModel:
    """Load the language model that was pretrained, or made smaller."""
    model, tokenizer = scoring.load(layout.encoder_dir() / "model")
    return LanguageModel(model, tokenizer, params, track, folder)


def measure(lm: LanguageModel, bootstrap: Bootstrap) -> IntrinsicReport:
    """Score each benchmark in data/benchmarks, and the word associations, which need no file."""
    absent = {name: path for name, path in _BENCHMARKS.items() if not path.exists()}
    aul, aula = (None, None) if "AUL and AULA" in absent else score_unmasked(lm)
    return IntrinsicReport(
        aul=aul,
        aula=aula,
        stereoset=None if "StereoSet" in absent else score_clusters(lm, bootstrap),
        pronouns=None if "WinoBias" in absent else score_pronouns(lm),
        associations=associate_words(lm),
        sentences=() if "SEAT" in absent else associate_sentences(lm),
        not_evaluated={name: f"{path} is not there" for name, path in absent.items()},
    )


def refuse(why: str) -> IntrinsicReport:
    """Return the report in which nothing was evaluated."""
    return IntrinsicReport(
        aul=None,
        aula=None,
        stereoset=None,
        pronouns=None,
        associations=(),
        not_evaluated=dict.fromkeys((*_BENCHMARKS, "Word associations"), why),
    )


def score_unmasked(lm: LanguageModel) -> tuple[PairScore, PairScore]:
    """Score CrowS-Pairs' sentences by AUL and AULA; write unmasked.parquet."""
    pairs = crows_pairs.read_pairs(CROWS_PAIRS, lm.params.max_unmasked)
    texts = [text for pair in pairs for text in (pair.more, pair.less)]
    scores = unmasked.score_sentences(
        lm.model, lm.tokenizer, texts, lm.progress_in("sentences")
    ).reshape(len(pairs), 2, 2)  # pair, sentence, measure
    names = [f"{measure}_{side}" for side in ("more", "less") for measure in ("aul", "aula")]
    rows.write_table(
        lm.folder / "unmasked.parquet",
        {"text_more": texts[::2], "text_less": texts[1::2]}
        | dict(zip(names, scores.reshape(len(pairs), 4).T, strict=True)),
    )
    directions, types = [pair.direction for pair in pairs], [pair.bias_type for pair in pairs]
    aul, aula = (
        masked_lm.crows_pairs(
            scores[:, 0, place],
            scores[:, 1, place],
            directions,
            types,
            lm.params.confidence,
            decimals=None,
        )
        for place in (0, 1)
    )
    return aul, aula


def score_clusters(lm: LanguageModel, bootstrap: Bootstrap) -> StereoSetReport:
    """Score StereoSet's intrasentence task; write stereoset.parquet."""
    read = stereoset.read_clusters(STEREOSET, lm.params.max_clusters)
    words = [(each.before, word, each.after) for each in read for word in each.words]
    scores = candidates.score_words(lm.model, lm.tokenizer, words, lm.progress_in("words")).reshape(
        len(read), 3
    )
    targets, types = [each.target for each in read], [each.bias_type for each in read]
    rows.write_table(
        lm.folder / "stereoset.parquet",
        {"cluster": [each.name for each in read], "target": targets, "bias_type": types}
        | dict(zip(stereoset.LABELS, scores.T, strict=True)),
    )
    return clusters.report(clusters.Clusters(scores, targets, types), bootstrap)


def score_pronouns(lm: LanguageModel) -> PronounScore:
    """Score WinoBias' sentences; write winobias.parquet."""
    read, unlike = winobias.read_sentences(WINOBIAS, lm.params.max_pronouns)
    odds = candidates.score_pronouns(
        lm.model,
        lm.tokenizer,
        [(each.before, each.his, each.hers, each.after) for each in read],
        lm.progress_in("sentences"),
    )
    known = ~np.isnan(odds)
    found = [each for each, whether in zip(read, known, strict=True) if whether]
    occupations, tasks = [each.occupation for each in found], [each.task for each in found]
    male = np.array([each.male for each in found], bool)
    rows.write_table(
        lm.folder / "winobias.parquet",
        {
            "text": [f"{each.before}{each.his}/{each.hers}{each.after}" for each in found],
            "occupation": occupations,
            "male": male,
            "task": tasks,
            "log_odds": odds[known],
        },
    )
    left_out = unlike + int((~known).sum())
    return pronouns.pronouns(
        odds[known],
        occupations,
        male,
        tasks,
        left_out=left_out,
        confidence=lm.params.confidence,
    )


def associate_words(lm: LanguageModel) -> tuple[Association, ...]:
    """Test the associations of the words' vectors: means of the features of their sentences.

    May et al. (2019) treat each sentence as an item; sentences about one word are similar, so their
    p-values are too small. Here each word is an item, as in Caliskan et al. (2017).
    """
    words = sorted({word for words in association_words.WORDS.values() for word in words})
    words = sorted(set(words) - candidates.unknown_words(lm.tokenizer, words))
    vectors: dict[str, np.ndarray] = {}
    if words:
        texts = [text for word in words for text in association_words.sentences(word)]
        features = _extractor().features(texts, lm.progress_in("texts"))
        means = features.reshape(len(words), -1, features.shape[1]).mean(axis=1)
        vectors = dict(zip(words, means, strict=True))
    return tuple(
        association.associate(_word_sets(name), vectors, lm.params.confidence, lm.params.seed)
        for name in association_words.TESTS
    )


def associate_sentences(lm: LanguageModel) -> tuple[Association, ...]:
    """Test the associations of May et al.'s sentences (section 2), each sentence an item.

    Sentences about one word are similar, so intervals and p-values are too small; compare them with
    those of `associate_words`.
    """
    tests = seat.read_tests(SEAT)
    texts = sorted({text for test in tests for text in test.sentences})
    texts = sorted(set(texts) - candidates.unknown_words(lm.tokenizer, texts))
    features = _extractor().features(texts, lm.progress_in("texts"))
    vectors = dict(zip(texts, features, strict=True))
    return tuple(
        association.associate(
            association.WordSets(test.name, test.targets, test.attributes),
            vectors,
            lm.params.confidence,
            lm.params.seed,
        )
        for test in tests
    )


def _extractor() -> Extractor:
    return load_extractor(
        layout.encoder_dir() / "model", settings.load().features.exact, layout.FEATURE_CACHE
    )


def _word_sets(name: str) -> association.WordSets:
    """Return a test with its words."""
    x, y, a, b = ((each, association_words.WORDS[each]) for each in association_words.TESTS[name])
    return association.WordSets(name, (x, y), (a, b))


def digests() -> dict[str, str]:
    """Return the SHA-256 of the benchmark files that are read here, and of the word lists."""
    paths = [
        path for path in (STEREOSET, *winobias.paths(WINOBIAS), *seat.paths(SEAT)) if path.is_file()
    ]
    return {str(path): files.sha256_file(path) for path in paths} | {
        WORD_LISTS: association_words.digest()
    }
