"""Finetune: a head on the frozen encoder's features, or the whole model; reads no test rows."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

from pipeline import layout, reports
from pipeline import params as settings
from pipeline.adapters import rows
from pipeline.adapters.rows import Rows
from pipeline.encoder.assemble import check_head
from pipeline.encoder.classifier import sequence_logits
from pipeline.encoder.digest import encoder_digest
from pipeline.encoder.features import check_length, tokenise
from pipeline.encoder.fitting import Best, OnEpoch, check_labels
from pipeline.encoder.full import Texts, finetune_full, load_classifier
from pipeline.encoder.head import save_head
from pipeline.encoder.loading import load_config
from pipeline.encoder.mitigation import fit_mitigated, why_not
from pipeline.encoder.private import plan_noise
from pipeline.encoder.threshold import fold_threshold
from pipeline.encoder.tokenizer import load_tokenizer, save_tokenizer
from pipeline.errors import InputError
from pipeline.params import FinetuneParams
from pipeline.reports import FeaturesReport, FinetunePoint, FinetuneReport, PrivateFit
from pipeline.stages._material import read_material
from pipeline.track import Track

OUT = layout.stage_dir("finetune")
_BATCH_TOKENS = 4096


@dataclass(frozen=True)
class Task:
    """The data to learn from, and how."""

    train: Rows
    validation: Rows
    labels: tuple[str, ...]
    params: FinetuneParams
    features: FeaturesReport


@dataclass(frozen=True)
class Trained:
    """The result of training, once it is written."""

    parameters: int
    best: Best
    logit_shift: float
    encoder_digest: str


def run(params: FinetuneParams, track: Track) -> FinetuneReport:
    """Write build/finetune: head.safetensors and head.json, or model/ in mode full.

    With two labels the threshold is chosen on the validation rows and folded into the output's
    bias, so that whoever takes the greater probability applies it.

    Raises:
        InputError: where an earlier stage has not run or its output does not fit, a label has no
            training row, or a feature is not finite.
    """
    features = reports.read(FeaturesReport)
    before = encoder_digest(_encoder())
    if before != features.encoder_digest:
        raise InputError(
            "build/features: computed by another encoder than the present one; run `dvc repro`"
        )
    task = _read_task(params, features, track)
    shutil.rmtree(OUT, ignore_errors=True)  # a file of the other mode would be taken for this one's
    trained = (_train_head if params.mode == "frozen" else _train_model)(task, track)
    return FinetuneReport(
        mode=params.mode,
        mitigation=params.mitigation,
        mitigate_column=params.mitigate_column,
        labels=task.labels,
        parameters=trained.parameters,
        best_epoch=trained.best.epoch,
        curve=trained.best.curve,
        gradient_norm=trained.best.gradient_norm,
        threshold=0.5 if len(task.labels) == 2 else None,
        private=_budget(task),
        logit_shift=trained.logit_shift,
        encoder_digest_before=before,
        encoder_digest_after=trained.encoder_digest,
    )


def _encoder() -> Path:
    return layout.encoder_dir() / "model"


def _read_task(params: FinetuneParams, features: FeaturesReport, track: Track) -> Task:
    labels = settings.load().validate_.labels
    parts = {part: rows.read_split(part) for part in ("train", "validation")}
    for part, read in parts.items():
        track.dataset(part, rows.split_path(part), len(read.ids), read.digest)
    check_labels(torch.from_numpy(parts["train"].labels), labels)
    return Task(**parts, labels=labels, params=params, features=features)


def _budget(task: Task) -> PrivateFit | None:
    frozen = task.params.frozen
    if frozen.private is None:
        return None
    return plan_noise(len(task.train.ids), frozen, frozen.private)


def _train_head(task: Task, track: Track) -> Trained:
    frozen = task.params.frozen
    check_head(load_config(_encoder()), frozen.hidden, task.features.pooling)
    method, column = task.params.mitigation, task.params.mitigate_column
    parts = {"train": task.train, "validation": task.validation}
    material = read_material(parts, column, method == "augment", track)
    if objection := why_not(method, material, task.labels):
        raise InputError(
            f"finetune.mitigation: {method} by {column!r} cannot be used: {objection}; "
            "choose another or none"
        )
    head, best, shift = fit_mitigated(
        method, material, len(task.labels), task.params, _report_epochs(frozen.epochs, track)
    )
    save_head(head, OUT)
    parameters = sum(weights.numel() for weights in head.parameters())
    return Trained(parameters, best, shift, encoder_digest(_encoder()))


def _train_model(task: Task, track: Track) -> Trained:
    full, length = task.params.full, task.features.max_len_tokens
    check_length(load_config(_encoder()), length)
    tokenizer = load_tokenizer(str(_encoder()), str(layout.encoder_dir()))
    tokenizer.model_max_length = length
    train, validation = (
        Texts(tokenise(part.texts, tokenizer, length).ids, torch.from_numpy(part.labels))
        for part in (task.train, task.validation)
    )
    model = load_classifier(_encoder(), task.labels, task.params.seed, full.dropout)
    best = finetune_full(
        *(model, train, validation, task.params),
        on_epoch=_report_epochs(full.epochs, track),
        progress=lambda done, total: track.progress(done, total, "steps"),
    )
    logits = sequence_logits(model, validation.ids, _BATCH_TOKENS)
    shift = fold_threshold(model.classifier, logits, task.validation.labels)
    model.save_pretrained(OUT / "model")
    save_tokenizer(tokenizer, OUT / "model")
    return Trained(model.num_parameters(), best, shift, encoder_digest(model))


def _report_epochs(epochs: int, track: Track) -> OnEpoch:
    """Return the callback that sends each epoch to the tracker."""

    def report(point: FinetunePoint) -> None:
        values = point.model_dump(exclude={"epoch"})
        track.metrics(values, point.epoch)
        track.progress(min(point.epoch, epochs), epochs, "epochs", **values)

    return report
