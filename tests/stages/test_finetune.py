"""The stage finetune: what it may read, what it must leave alone, what it refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit
from toy_labels import (
    features_params,
    finetune_params,
    toy_texts,
    write_encoder,
    write_part,
    write_workspace,
)

from pipeline import files, layout, reports
from pipeline.adapters import rows
from pipeline.encoder import classifier
from pipeline.encoder.digest import encoder_digest
from pipeline.errors import InputError
from pipeline.params import FinetuneParams
from pipeline.reports import FeaturesReport, FinetuneReport
from pipeline.stages import features, finetune
from pipeline.track import Silent

MODEL = layout.stage_dir("pretrain") / "model"
OUT = layout.stage_dir("finetune")


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _prepare(labels: int = 2, **params: Any) -> None:
    write_workspace(labels, **params)
    _features()


def _features() -> None:
    reports.write("features", features.run(features_params(), Silent()))


def _finetune(mode: str = "frozen", **changes: Any) -> FinetuneReport:
    report = finetune.run(finetune_params(mode, **changes), Silent())
    reports.write("finetune", report)
    return report


def _answers(part_seed: int) -> tuple[np.ndarray, np.ndarray]:
    texts, labels = toy_texts(120, part_seed)
    stages = (layout.stage_dir("pretrain"), OUT)
    return classifier.load(*stages, features_params()).probabilities(texts), labels


@pytest.mark.parametrize("architecture", ["bert", "modernbert"])
def test_the_frozen_encoder_is_bit_identical_after_the_head_was_trained(architecture: str) -> None:
    _prepare(architecture=architecture)
    before = files.sha256_tree(layout.stage_dir("pretrain"))
    report = _finetune(hidden=True)
    assert files.sha256_tree(layout.stage_dir("pretrain")) == before
    assert report.encoder_digest_before == report.encoder_digest_after == encoder_digest(MODEL)


@pytest.mark.parametrize("mode", ["frozen", "full"])
def test_threshold_epoch_and_weights_are_chosen_without_the_test_rows(mode: str) -> None:
    """The same bytes whether the test rows are there, are others, or are gone."""
    _prepare()
    outputs = []
    for change in ("none", "others", "gone"):
        if change == "others":
            texts, labels = toy_texts(120, seed=2)
            write_part("test", texts[::-1], 1 - labels)
            np.save(layout.stage_dir("features") / "test.npy", np.zeros((120, 16), np.float32))
        if change == "gone":
            (layout.stage_dir("split") / "test.parquet").unlink()
            (layout.stage_dir("features") / "test.npy").unlink()
        _finetune(mode)
        outputs.append(files.sha256_tree(OUT))
    assert outputs[0] == outputs[1] == outputs[2]


@pytest.mark.parametrize("mode", ["frozen", "full"])
def test_what_was_learnt_answers_rows_it_has_not_seen(mode: str) -> None:
    _prepare()
    report = _finetune(mode)
    probabilities, labels = _answers(part_seed=2)
    assert (probabilities.argmax(1) == labels).mean() > 0.7
    losses = {point.epoch: point.validation_loss for point in report.curve}
    assert losses[report.best_epoch] == min(losses.values())
    assert (report.gradient_norm is None) is (mode == "full")
    changed = report.encoder_digest_after != report.encoder_digest_before
    assert changed is (mode == "full")
    assert (OUT / "model").is_dir() is (mode == "full")


def test_a_threshold_that_validation_chooses_is_folded_into_the_answers() -> None:
    """Label 1 is rare in training and frequent in validation; the fitted head says it too seldom.

    With the shift taken away again, argmax must be worse on the validation rows.
    """
    write_workspace()
    texts, labels = toy_texts(400, seed=7)
    kept = (labels == 0) | (np.cumsum(labels) % 8 == 0)
    write_part("train", [t for t, keep in zip(texts, kept, strict=True) if keep], labels[kept])
    _features()
    report = _finetune(l2=0.1)
    assert (report.threshold, report.logit_shift > 0.3) == (0.5, True)
    probabilities, validation = _answers(part_seed=1)
    unshifted = expit(logit(probabilities[:, 1]) - report.logit_shift) > 0.5
    assert (probabilities.argmax(1) == validation).mean() > (unshifted == validation).mean()


def test_three_labels_have_no_threshold() -> None:
    _prepare(labels=3)
    rng = np.random.default_rng(0)
    for part in ("train", "validation"):
        texts, labels = toy_texts(120, 0)
        write_part(part, texts, np.where(rng.random(120) < 0.2, 2, labels))
    _features()
    report = _finetune()
    assert (report.threshold, report.logit_shift) == (None, 0)
    assert report.labels == ("negative", "positive", "other")
    assert _answers(part_seed=2)[0].shape == (120, 3)
    assert report.parameters == 3 * 17


def test_a_file_of_the_other_mode_does_not_stay() -> None:
    _prepare()
    _finetune("full", epochs=1)
    _finetune("frozen")
    assert sorted(path.name for path in OUT.iterdir()) == [
        "head.json",
        "head.safetensors",
        "report.json",
    ]


def test_a_label_without_training_rows_is_refused_by_name() -> None:
    _prepare(labels=3)
    with pytest.raises(InputError, match=r"train\.parquet: no row is labelled 'other'"):
        _finetune()


def _spoil(part: str, value: float) -> None:
    path = layout.stage_dir("features") / f"{part}.npy"
    array = np.load(path)
    array[7, 3] = value
    np.save(path, array)


@pytest.mark.parametrize("part", ["train", "validation"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_feature_that_is_not_finite_is_refused_with_its_row(part: str, value: float) -> None:
    _prepare()
    _spoil(part, value)
    with pytest.raises(InputError, match=rf"{part}\.npy: row 7 holds NaN or infinity"):
        _finetune()


def test_features_of_other_rows_or_another_encoder_are_refused() -> None:
    _prepare()
    write_part("validation", *toy_texts(30))
    with pytest.raises(InputError, match=r"validation\.npy: 120 rows for the 30"):
        _finetune()
    write_encoder(MODEL, seed=9)
    with pytest.raises(InputError, match="build/features: computed by another encoder"):
        _finetune()


def test_missing_features_are_refused_by_name() -> None:
    _prepare()
    (layout.stage_dir("features") / "train.npy").unlink()
    with pytest.raises(InputError, match=r"train\.npy: not found; run `dvc repro features`"):
        _finetune()
    layout.report_path("features").unlink()
    with pytest.raises(InputError, match=r"features/report\.json: not found"):
        _finetune()


def test_a_head_that_the_bundle_could_not_hold_is_refused_before_it_is_trained() -> None:
    write_workspace(architecture="modernbert")
    reports.write("features", features.run(features_params(pooling="cls"), Silent()))
    with pytest.raises(InputError, match=r"finetune\.frozen\.hidden: .* set that to mean"):
        _finetune(hidden=True)
    assert _finetune(hidden=False).mode == "frozen"
    assert reports.read(FeaturesReport).pooling == "cls"


def _write_groups() -> None:
    """Give the training and validation rows a gender, of which one is more often positive."""
    for seed, part in enumerate(("train", "validation")):
        texts, labels = toy_texts(120, seed)
        ids = [f"{number:016x}" for number in range(120)]
        gender = np.where(np.arange(120) % np.where(labels == 1, 2, 4) == 0, "female", "male")
        columns = {"id": ids, "text": texts, "label": labels, "gender": gender}
        rows.write_table(rows.split_path(part), columns)


def _mitigate(method: str, column: str | None = "gender") -> FinetuneReport:
    changes = {"mitigation": method, "mitigate_column": column}
    section = FinetuneParams.model_validate(finetune_params().model_dump() | changes)
    report = finetune.run(section, Silent())
    reports.write("finetune", report)
    return report


@pytest.mark.parametrize("method", ["resample", "reweigh", "leace"])
def test_a_mitigated_head_is_one_like_any_other_and_its_report_says_how(method: str) -> None:
    """Its form, its parameters and the bundle's classifier stay what they were; its answers not."""
    _prepare()
    _write_groups()
    plain, (before, _) = _finetune(), _answers(part_seed=2)
    report = _mitigate(method)
    after, labels = _answers(part_seed=2)
    assert (report.mitigation, report.mitigate_column) == (method, "gender")
    assert (plain.mitigation, report.parameters) == ("none", plain.parameters)
    assert np.abs(after - before).max() > 1e-3
    assert (after.argmax(1) == labels).mean() > 0.6


@pytest.mark.parametrize(
    ("method", "column", "why"),
    [
        ("reweigh", "age", "reweigh by 'age' cannot be used: .* no such column"),
        ("reweigh", "origin", "reweigh by 'origin' cannot be used: .* one group only"),
        ("augment", "gender", "no training text holds a gendered word"),
    ],
)
def test_a_mitigation_that_the_rows_do_not_allow_is_refused_by_name(
    method: str, column: str, why: str
) -> None:
    _prepare()
    _write_groups()
    with pytest.raises(InputError, match=rf"finetune\.mitigation: .*{why}"):
        _mitigate(method, column)
