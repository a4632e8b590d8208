"""The stage features against its extractor, its files and the reports before it."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_labels import (
    features_params,
    forget,
    toy_texts,
    write_encoder,
    write_part,
    write_workspace,
)
from transformers import AutoModelForMaskedLM

from pipeline import files, layout, reports
from pipeline.encoder import cache
from pipeline.encoder.digest import encoder_digest
from pipeline.encoder.features import load_extractor
from pipeline.encoder.loading import load_model
from pipeline.encoder.rounding import MAX_DIFFERENCE, MIN_COSINE
from pipeline.errors import InputError
from pipeline.reports import CompressReport, PretrainReport
from pipeline.stages import features
from pipeline.track import Silent

MODEL = layout.stage_dir("pretrain") / "model"


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_workspace(count=30)


def test_arrays_are_aligned_with_the_rows_of_each_part() -> None:
    features.run(features_params(), Silent())
    extractor = load_extractor(MODEL, features_params(), Path("elsewhere"))
    for seed, part in enumerate(features.PARTS):
        array = np.load(layout.stage_dir("features") / f"{part}.npy", allow_pickle=False)
        assert array.dtype == np.float32
        expected = extractor.features(toy_texts(30, seed)[0])
        np.testing.assert_allclose(array, expected, atol=1e-6)


def test_the_report_counts_texts_tokens_and_what_was_cut() -> None:
    """Words are single tokens, [CLS] and [SEP] are two, and 12 is the length."""
    report = features.run(features_params(), Silent())
    texts = [text for seed in range(3) for text in toy_texts(30, seed)[0]]
    words = [len(text.split()) for text in texts]
    assert report.texts == 90
    assert report.tokens == sum(min(count + 2, 12) for count in words)
    assert report.truncated_texts == sum(count + 2 > 12 for count in words) > 0
    assert (report.width, report.pooling, report.max_len_tokens) == (16, "mean", 12)


def test_the_encoder_is_bit_identical_after_its_texts_went_through() -> None:
    before = files.sha256_tree(MODEL)
    report = features.run(features_params(), Silent())
    assert files.sha256_tree(MODEL) == before
    assert report.encoder_digest == reports.read(PretrainReport).encoder_digest
    assert report.encoder_digest == encoder_digest(MODEL)


def test_with_or_without_the_cache_outputs_and_report_are_equal_bytes() -> None:
    outputs = []
    for forgotten in (True, False, True):
        if forgotten:
            forget("features")
        reports.write("features", features.run(features_params(), Silent()))
        outputs.append(files.sha256_tree(layout.stage_dir("features")))
    assert outputs[0] == outputs[1] == outputs[2]


def test_an_encoder_that_changed_since_its_report_is_refused() -> None:
    write_encoder(MODEL, seed=9)
    with pytest.raises(InputError, match="build/pretrain/model: changed since its report"):
        features.run(features_params(), Silent())


def test_the_rounding_of_bfloat16_is_measured_on_the_texts_of_the_lowest_hashes() -> None:
    report = features.run(features_params(precision="bfloat16"), Silent())
    texts = sorted({text for seed in range(3) for text in toy_texts(30, seed)[0]}, key=_sha256)
    exact = load_extractor(MODEL, features_params(), Path("elsewhere")).features(texts)
    rows = _by_text()
    apart = [np.abs(rows[text] - row).max() for text, row in zip(texts, exact, strict=True)]
    assert report.precision == "bfloat16"
    assert report.rounding is not None
    assert report.rounding.texts == 64 < len(texts)
    ran = load_extractor(MODEL, features_params(), layout.FEATURE_CACHE).cache_path
    hashes = {bytes.fromhex(_sha256(text)) for text in texts[:64]}
    assert cache.read(ran, 16).index.keys() == hashes
    assert report.rounding.difference == pytest.approx(max(apart[:64]), abs=2e-6)
    assert 1e-5 < report.rounding.difference < MAX_DIFFERENCE
    assert MIN_COSINE < report.rounding.cosine < 1


def test_float32_is_not_compared_with_itself() -> None:
    report = features.run(features_params(), Silent())
    assert (report.precision, report.rounding) == ("float32", None)


def test_an_encoder_that_bfloat16_breaks_is_refused_before_all_texts_are_run() -> None:
    _outgrow()
    features.run(features_params(), Silent())
    forget("features")
    with pytest.raises(InputError, match=r"^features\.precision: .* set it to float32"):
        features.run(features_params(precision="bfloat16"), Silent())
    assert not list(layout.stage_dir("features").glob("*.npy"))


def _outgrow() -> None:
    """Add 1,000 to what is inside the feed-forward layer, and take it from what comes out."""
    model = load_model(AutoModelForMaskedLM, MODEL)
    layer = model.bert.encoder.layer[0]
    with torch.no_grad():
        layer.intermediate.dense.bias += 1000
        layer.output.dense.bias -= 1000 * layer.output.dense.weight.sum(dim=1)
    model.save_pretrained(MODEL)
    compressed = reports.read(CompressReport)
    changes = {"encoder_digest": encoder_digest(MODEL)}
    reports.write("compress", compressed.model_copy(update=changes))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _by_text() -> dict[str, np.ndarray]:
    """Return what the stage wrote, by text."""
    rows: dict[str, np.ndarray] = {}
    for seed, part in enumerate(features.PARTS):
        array = np.load(layout.stage_dir("features") / f"{part}.npy")
        rows |= dict(zip(toy_texts(30, seed)[0], array, strict=True))
    return rows


def test_a_missing_and_an_empty_part_are_refused_by_name() -> None:
    write_part("test", [], np.empty(0, np.int64))
    with pytest.raises(InputError, match=r"test\.parquet: holds no rows"):
        features.run(features_params(), Silent())
    (layout.stage_dir("split") / "validation.parquet").unlink()
    with pytest.raises(InputError, match=r"validation\.parquet: not found"):
        features.run(features_params(), Silent())
