"""Every stage's report: a frozen model that is JSON on disk, build/STAGE/report.json.

A report says what was found, never how long it took or when, so that equal inputs give equal
bytes. Times, rates and run ids go to MLflow and to .charter/runs/STAGE.json.
"""

import json
import math
from typing import Any, Literal, TypeVar

import pydantic

from pipeline import files, layout
from pipeline.errors import InputError


class Report(pydantic.BaseModel):
    """A frozen model; a field that is not declared is refused."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class Estimate(Report):
    """A figure with its support and its interval; ``None`` where it is undefined, never 0."""

    point: float | None
    low: float | None  # two-sided interval at ``confidence``
    high: float | None
    n: int  # what the figure rests on: rows, pairs, texts
    confidence: float = 0.95
    note: str = ""  # why it is undefined, or how the interval was made

    @pydantic.field_validator("point", "low", "high")
    @classmethod
    def _finite(cls, value: float | None) -> float | None:
        if value is not None and not math.isfinite(value):
            raise ValueError("NaN and infinity are not figures; use None and say why in `note`")
        return value


class Expectation(Report):
    """One expectation of the validation suite and what became of it."""

    name: str  # a key of params validate.severity
    table: Literal["corpus", "labelled"]
    severity: Literal["error", "quarantine", "warn"]
    passed: bool
    unexpected: int  # rows (or groups) that failed it
    checked: int  # rows (or groups) looked at
    detail: str  # in words, with the worst example's file and row


class Table(Report):
    """What came in and what was kept of one table."""

    rows_in: int
    rows_kept: int
    rows_quarantined: int
    characters: int  # kept
    digest: str  # SHA-256 of the kept rows' text and labels, whatever their order


class ValidateReport(Report):
    """Of the stage validate."""

    corpus: Table
    labelled: Table
    expectations: tuple[Expectation, ...]
    label_names: tuple[str, ...] = ()  # of labels 0, 1, ...
    labels: dict[str, int]  # label name -> rows kept
    groups: dict[str, dict[str, int]]  # column -> value -> rows kept
    sources: dict[str, int]  # corpus source -> documents kept


class Split(Report):
    """One part of the labelled rows."""

    rows: int
    labels: dict[str, int]
    groups: dict[str, dict[str, int]]  # column -> value -> rows
    digest: str  # SHA-256 of the sorted row ids


class SplitReport(Report):
    """Of the stage split."""

    label_names: tuple[str, ...] = ()  # of labels 0, 1, ...
    train: Split
    validation: Split
    test: Split
    corpus_train_documents: int
    corpus_heldout_documents: int


class TokeniseReport(Report):
    """Of the stage tokenise."""

    origin: str  # "train", or where the tokenizer came from
    vocab_size: int
    train_tokens: int
    heldout_tokens: int
    train_documents: int
    heldout_documents: int
    unknown_share: float  # of the training tokens
    tokens_per_word: float  # words are runs of non-space
    id_bytes: int  # 2 or 4
    tokenizer_digest: str


class CurvePoint(Report):
    """A step of training."""

    step: int
    tokens: int  # seen so far, padding left out
    loss: float  # nats a masked token, mean since the last point
    learning_rate: float
    heldout_loss: float | None = None  # nats a masked token, at fixed masks


class PretrainReport(Report):
    """Of the stage pretrain."""

    origin: str  # "scratch", or where the weights came from
    architecture: str
    parameters: int
    steps: int
    tokens: int
    uniform_loss: float  # nats: log of the vocabulary's size
    unigram_loss: float  # held-out, of guessing by the tokens' shares of the training corpus
    untrained_loss: float  # held-out, of the same architecture with new weights
    initial_loss: float  # held-out, before the first step
    final_loss: float  # held-out, after the last
    heldout_masked_tokens: int
    curve: tuple[CurvePoint, ...]
    precision: Literal["float32", "bfloat16"]
    device: str
    encoder_digest: str  # SHA-256 of the weights, by name


class FeaturesReport(Report):
    """Of the stage features."""

    texts: int
    width: int
    tokens: int
    truncated_texts: int  # longer than max_len_tokens
    pooling: Literal["mean", "cls"]
    max_len_tokens: int
    encoder_digest: str  # equals PretrainReport.encoder_digest


class FinetunePoint(Report):
    """An epoch: of the head in mode frozen, of the whole model in full. Losses in nats a row."""

    epoch: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float


class FinetuneReport(Report):
    """Of the stage finetune."""

    mode: Literal["frozen", "full"]
    labels: tuple[str, ...]
    parameters: int  # trained
    best_epoch: int  # by validation loss
    curve: tuple[FinetunePoint, ...]
    threshold: float | None  # on the model's P(labels[1]), two labels only: 0.5, by `logit_shift`
    logit_shift: float = 0.0  # added to labels[1]'s logit: makes 0.5 validation's best threshold
    encoder_digest_before: str
    encoder_digest_after: str  # equal in mode frozen


class PairedTest(Report):
    """The model against a rival on the same test rows."""

    rival: str
    difference: Estimate  # of accuracies, model minus rival
    p_value: float | None  # exact McNemar, two-sided
    method: str


class Scores(Report):
    """The scores of one classifier on the test rows."""

    accuracy: Estimate
    macro_f1: Estimate
    roc_auc: Estimate  # macro one-vs-rest beyond two labels
    brier: Estimate
    ece: Estimate
    per_class: dict[str, dict[str, Estimate]]  # label -> precision, recall, f1
    per_group: dict[str, dict[str, Estimate]]  # column -> value -> accuracy
    confusion: tuple[tuple[int, ...], ...]  # rows: true label; columns: predicted


class EvaluateReport(Report):
    """Of the stage evaluate."""

    test_rows: int
    test_digest: str  # equals SplitReport.test.digest
    policy_digest: str  # of policy.yaml, read before any test row
    model: Scores
    baselines: dict[str, Scores]  # majority, tfidf
    better_baseline: str
    versus: dict[str, PairedTest]  # rival -> test


class GroupScore(Report):
    """The classifier on one group of test rows; one a value, and a label beyond two labels."""

    value: str
    label: str = ""  # the positive label: the second of two, else each one against the rest
    rows: int
    positives: int
    accuracy: Estimate
    selection_rate: Estimate
    true_positive_rate: Estimate
    false_positive_rate: Estimate


class Gap(Report):
    """The largest difference of a metric between two groups of a column."""

    column: str
    metric: Literal["accuracy", "selection_rate", "true_positive_rate", "false_positive_rate"]
    gap: Estimate  # high is a simultaneous upper bound over the pairs of groups
    widest: tuple[str, str]  # the two groups, or empty names where undefined
    label: str = ""  # the positive label of the widest difference; empty for accuracy
    groups_left_out: dict[str, str]  # value -> why


class Counterfactual(Report):
    """The classifier on texts and on the same texts with terms exchanged.

    P is of labels[1]; beyond two labels of the label predicted for the original, and the absolute
    change is the total variation distance of the two distributions.
    """

    name: str
    texts: int  # with a term to exchange
    flip_rate: Estimate
    mean_change: Estimate  # of P: swapped minus original
    mean_absolute_change: Estimate
    examples: tuple[tuple[str, str, float, float], ...]  # text, swapped, P before, P after


class PairScore(Report):
    """CrowS-Pairs: the share of pairs in which the model prefers the stereotype, in percent."""

    score: Estimate
    stereo: Estimate
    antistereo: Estimate
    per_type: dict[str, Estimate]
    ties: int  # stay in the denominator


class AuditReport(Report):
    """Of the stage audit."""

    groups: dict[str, tuple[GroupScore, ...]]  # by column
    gaps: tuple[Gap, ...]
    counterfactuals: tuple[Counterfactual, ...]
    crows_pairs: PairScore | None
    competent: bool  # whether the language model is good enough for crows_pairs to mean anything
    competence: str  # why, in words with figures
    benchmark_digests: dict[str, str]  # file -> SHA-256


class PageReport(Report):
    """Of the stage report."""

    verdict: str
    files: dict[str, str]  # path below build/report -> SHA-256


class BundleReport(Report):
    """Of the stage bundle."""

    name: str
    architecture: str  # the transformers class that loads it
    labels: tuple[str, ...]
    files: dict[str, str]  # path below build/bundle -> SHA-256, this report excepted
    digest: str  # of `files`
    parity: float  # largest absolute difference of a probability from the head's own
    parity_texts: int


STAGE_REPORTS: dict[str, type[Report]] = {
    "validate": ValidateReport,
    "split": SplitReport,
    "tokenise": TokeniseReport,
    "pretrain": PretrainReport,
    "features": FeaturesReport,
    "finetune": FinetuneReport,
    "evaluate": EvaluateReport,
    "audit": AuditReport,
    "report": PageReport,
    "bundle": BundleReport,
}

R = TypeVar("R", bound=Report)


def write(stage: str, report: Report) -> None:
    """Write a stage's report: last of its files, whole or not at all."""
    files.write_json(layout.report_path(stage), report.model_dump(mode="json"))


def read(kind: type[R]) -> R:
    """Read the report of the stage whose report is of this kind.

    Raises:
        InputError: where the stage has not run, or the file is not its report.
    """
    stage = next(name for name, model in STAGE_REPORTS.items() if model is kind)
    path = layout.report_path(stage)
    if not path.is_file():
        raise InputError(f"{path}: not found; run `dvc repro {stage}` first")
    return parse(kind, files.read_json(path), str(path), stage)


def parse(kind: type[R], raw: Any, where: str, stage: str) -> R:
    """Parse JSON as a report; ``where`` is named in errors."""
    try:
        return kind.model_validate_json(json.dumps(raw))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{where}: {key}: {first['msg']}; run `dvc repro {stage}`") from error
