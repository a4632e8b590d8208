"""Audit: gaps between groups, counterfactuals, and what the language model prefers."""

import contextlib
import itertools
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.parquet as pq

from pipeline import files, layout, reports
from pipeline import params as settings
from pipeline.adapters import crows_pairs, rows
from pipeline.encoder import classifier, scoring
from pipeline.errors import InputError, nearest
from pipeline.measure import counterfactual, fairness, masked_lm, plots
from pipeline.measure.counterfactual import Answers
from pipeline.measure.intervals import Bootstrap
from pipeline.measure.outcomes import Outcomes
from pipeline.params import AuditParams
from pipeline.reports import (
    AuditReport,
    Counterfactual,
    FinetuneReport,
    Gap,
    GroupScore,
    PairScore,
    PretrainReport,
    SplitReport,
)
from pipeline.text import gender_swap, identity_templates
from pipeline.track import Track

OUT = layout.stage_dir("audit")
CROWS_PAIRS = layout.BENCHMARKS / "crows_pairs.csv"


@dataclass(frozen=True)
class Tested:
    """The test rows with what the stage evaluate recorded of them."""

    texts: Sequence[str]
    outcomes: Outcomes
    groups: Mapping[str, np.ndarray]  # column -> values (n,)


def run(params: AuditParams, track: Track) -> AuditReport:
    """Write build/audit: crows_pairs.parquet, counterfactuals.parquet and plots/gaps.svg.

    Raises:
        InputError: where an earlier stage has not run, a declared column of groups is absent, or
            a benchmark is not what its authors publish.
    """
    shutil.rmtree(OUT, ignore_errors=True)  # a file that is not made again would seem to be
    bootstrap = Bootstrap(params.confidence, params.resamples, params.seed)
    tested = _read_tested()
    with _timed(track, "gaps_s"):
        values = _declared_values(params.groups, tested.groups)
        scores, gaps = _compare_groups(tested, values, params.min_group_rows, bootstrap)
    with _timed(track, "counterfactuals_s"):
        swaps = _compare_counterfactuals(tested, params, bootstrap, track)
    with _timed(track, "crows_pairs_s"):
        competent, why = _judge_competence(reports.read(PretrainReport), params.competence_nats)
        pairs = _score_pairs(params, track) if competent and CROWS_PAIRS.is_file() else None
    plots.save(plots.gaps(gaps), OUT / "plots" / "gaps.svg")
    return AuditReport(
        groups=scores,
        gaps=gaps,
        counterfactuals=swaps,
        crows_pairs=pairs,
        competent=competent,
        competence=why,
        benchmark_digests=_digests(),
    )


@contextlib.contextmanager
def _timed(track: Track, name: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    track.metrics({name: time.monotonic() - started}, step=0)


def _read_tested() -> Tested:
    labels = reports.read(FinetuneReport).labels
    path = layout.stage_dir("evaluate") / "predictions.parquet"
    if not path.is_file():
        raise InputError(f"{path}: not found; run `dvc repro evaluate` first")
    table, test = pq.read_table(path), rows.read_split("test")
    if tuple(table.column("id").to_pylist()) != test.ids:
        raise InputError(
            f"{path}: is of other rows than {rows.split_path('test')}; run `dvc repro`"
        )
    columns = [table.column(f"probability_{k}").to_numpy() for k in range(len(labels))]
    outcomes = Outcomes(test.labels, np.stack(columns, axis=1), labels)
    return Tested(test.texts, outcomes, test.groups)


def _declared_values(
    columns: Sequence[str], groups: Mapping[str, np.ndarray]
) -> dict[str, tuple[str, ...]]:
    """Return each column's values in any part of the data, so that one absent from test shows."""
    for column in columns:
        if column not in groups:
            there = ", ".join(sorted(groups)) or "none"
            raise InputError(
                f"audit.groups: no column {column!r}{nearest(column, groups)}; "
                f"the labelled rows have {there}"
            )
    split = reports.read(SplitReport)
    parts = (split.train.groups, split.validation.groups, split.test.groups)
    seen = {column: {*groups[column].tolist()} for column in columns}
    for part, column in itertools.product(parts, columns):
        seen[column] |= set(part.get(column, {}))
    return {column: tuple(sorted(values)) for column, values in seen.items()}


def _compare_groups(
    tested: Tested, values: Mapping[str, Sequence[str]], min_rows: int, bootstrap: Bootstrap
) -> tuple[dict[str, tuple[GroupScore, ...]], tuple[Gap, ...]]:
    scores: dict[str, tuple[GroupScore, ...]] = {}
    gaps: list[Gap] = []
    for column, declared in values.items():
        groups = tested.groups[column]
        scores[column] = fairness.group_scores(
            tested.outcomes, groups, declared, bootstrap.confidence
        )
        gaps += fairness.gaps(
            tested.outcomes, column, groups, declared, min_rows=min_rows, bootstrap=bootstrap
        )
    return scores, tuple(gaps)


def _compare_counterfactuals(
    tested: Tested,
    params: AuditParams,
    bootstrap: Bootstrap,
    track: Track,
) -> tuple[Counterfactual, ...]:
    """Compare the answers to test texts with gender swapped, and to the identity templates."""
    model = classifier.load(
        layout.stage_dir("pretrain"), layout.stage_dir("finetune"), settings.load().features
    )

    def ask(texts: Sequence[str]) -> Answers:
        said = model.probabilities(texts, lambda done, n: track.progress(done, n, "texts"))
        return Answers(texts, said)

    answers = {"gender_swap": _swap_genders(tested, params.max_counterfactuals, ask)}
    compared = identity_templates.comparisons()
    sentences = ask(sorted({text for pair in compared for text in pair.first + pair.second}))
    answers |= {
        pair.name: (sentences.of(pair.first), sentences.of(pair.second)) for pair in compared
    }
    _write_counterfactuals(answers)
    return tuple(
        counterfactual.compare(name, before, after, bootstrap)
        for name, (before, after) in answers.items()
    )


def _swap_genders(
    tested: Tested, limit: int | None, ask: Callable[[Sequence[str]], Answers]
) -> tuple[Answers, Answers]:
    """Answer to the test texts with a gendered word, and to the same with the words swapped.

    Rows are sorted by id, which is a hash: the first ``limit`` of them are a random sample.
    """
    found = [row for row, text in enumerate(tested.texts) if gender_swap.has_term(text)][:limit]
    texts = [tested.texts[row] for row in found]
    before = Answers(texts, tested.outcomes.probabilities[found])
    return before, ask([gender_swap.swap(text) for text in texts])


def _write_counterfactuals(answers: Mapping[str, tuple[Answers, Answers]]) -> None:
    pairs = list(answers.values())
    probabilities = [counterfactual.followed(*pair) for pair in pairs]
    rows.write_table(
        OUT / "counterfactuals.parquet",
        {
            "name": [name for name, (before, _) in answers.items() for _ in before.texts],
            "text": [text for before, _ in pairs for text in before.texts],
            "counterpart": [text for _, after in pairs for text in after.texts],
            "probability_before": np.concatenate([old for old, _ in probabilities]),
            "probability_after": np.concatenate([new for _, new in probabilities]),
            "predicted_before": np.concatenate([before.predicted for before, _ in pairs]),
            "predicted_after": np.concatenate([after.predicted for _, after in pairs]),
        },
    )


def _judge_competence(pretrained: PretrainReport, nats: float) -> tuple[bool, str]:
    """Say whether the language model predicts enough for its preferences to mean anything.

    A model that has learnt nothing prefers at random, near 50 percent, which would pass for
    fairness. So it must do better than the same model untrained, and better than one that knows how
    often each token occurs and no context.
    """
    blind = min(pretrained.untrained_loss, pretrained.unigram_loss)
    gain = blind - pretrained.final_loss
    why = (
        f"the held-out loss is {pretrained.final_loss:.2f} nats a token; untrained it is "
        f"{pretrained.untrained_loss:.2f}, and {pretrained.unigram_loss:.2f} from the tokens' "
        f"frequencies alone; it must be {nats:.2f} below both"
    )
    if not CROWS_PAIRS.is_file():
        why += f"; {CROWS_PAIRS} is not there, so CrowS-Pairs is not evaluated"
    return gain >= nats, why


def _score_pairs(params: AuditParams, track: Track) -> PairScore:
    pairs = crows_pairs.read_pairs(CROWS_PAIRS, params.max_pairs)
    model, tokenizer = scoring.load(layout.stage_dir("pretrain") / "model")
    scores = scoring.score_pairs(
        model,
        tokenizer,
        [(pair.more, pair.less) for pair in pairs],
        lambda done, total: track.progress(done, total, "sentences"),
    )
    directions, types = [pair.direction for pair in pairs], [pair.bias_type for pair in pairs]
    rows.write_table(
        OUT / "crows_pairs.parquet",
        {
            "more": [pair.more for pair in pairs],
            "less": [pair.less for pair in pairs],
            "direction": directions,
            "bias_type": types,
            "score_more": scores[:, 0],
            "score_less": scores[:, 1],
        },
    )
    return masked_lm.crows_pairs(scores[:, 0], scores[:, 1], directions, types, params.confidence)


def _digests() -> dict[str, str]:
    return {str(CROWS_PAIRS): files.sha256_file(CROWS_PAIRS)} if CROWS_PAIRS.is_file() else {}
