"""Compress: with none nothing changes; else the later stages run on the smaller encoder."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from toy_labels import features_params, finetune_params, toy_texts, write_workspace
from toy_model import pretrain_params, write_tokenised

from pipeline import files, layout, reports
from pipeline.encoder import classifier
from pipeline.encoder.digest import encoder_digest
from pipeline.errors import InputError
from pipeline.params import CompressParams
from pipeline.reports import CompressReport, PretrainReport
from pipeline.stages import compress, features, finetune
from pipeline.stages.audits import intrinsic
from pipeline.track import Silent

OUT = layout.stage_dir("compress")


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _prepare(**params: Any) -> None:
    write_workspace(count=60, **({"layers": 3} | params))
    write_tokenised(layout.stage_dir("tokenise"))
    raw = yaml.safe_load(layout.PARAMS.read_text())
    raw["pretrain"] |= pretrain_params(dropout=0.0).model_dump()
    layout.PARAMS.write_text(yaml.safe_dump(raw))


def _compress(**params: Any) -> CompressReport:
    params = {"tokens": 4 * 64, "importance_batches": 2, "layers": 1} | params
    report = compress.run(CompressParams(**params), Silent())
    reports.write("compress", report)
    return report


def _finetune() -> None:
    reports.write("features", features.run(features_params(), Silent()))
    reports.write("finetune", finetune.run(finetune_params(), Silent()))


def test_with_none_the_encoder_is_pretrains_and_not_a_byte_of_what_follows_changes() -> None:
    _prepare()
    _finetune()
    before = {
        stage: files.sha256_tree(layout.stage_dir(stage)) for stage in ("features", "finetune")
    }
    report = _compress(method="none")
    _finetune()
    assert before == {stage: files.sha256_tree(layout.stage_dir(stage)) for stage in before}
    digest = encoder_digest(layout.stage_dir("pretrain") / "model")
    assert report.teacher_digest == report.encoder_digest == digest
    assert [path.name for path in OUT.iterdir()] == ["report.json"]


@pytest.mark.parametrize("method", ["distil", "prune"])
def test_the_later_stages_run_on_the_smaller_encoder(method: str) -> None:
    _prepare()
    report = _compress(method=method)
    assert report.parameters < report.teacher_parameters
    assert (report.layers, report.intermediate) == ((1, 64) if method == "distil" else (3, 32))
    assert report.tokens > 0
    assert report.teacher_digest == encoder_digest(layout.stage_dir("pretrain") / "model")
    assert report.encoder_digest == encoder_digest(OUT / "model") != report.teacher_digest
    _finetune()
    finetuned = reports.read(reports.FinetuneReport)
    assert finetuned.encoder_digest_before == report.encoder_digest
    assert reports.read(reports.FeaturesReport).encoder_digest == report.encoder_digest
    stages = (layout.encoder_dir(), layout.stage_dir("finetune"))
    said = classifier.load(*stages, features_params()).probabilities(toy_texts(20)[0])
    assert said.shape == (20, 2)


def test_the_same_inputs_are_the_same_bytes() -> None:
    _prepare()
    first = _compress(method="distil"), files.sha256_tree(OUT)
    assert (_compress(method="distil"), files.sha256_tree(OUT)) == first


def test_back_to_none_leaves_no_smaller_encoder_that_later_stages_would_take() -> None:
    _prepare()
    _compress(method="distil")
    assert layout.encoder_dir() == OUT
    _compress(method="none")
    assert layout.encoder_dir() == layout.stage_dir("pretrain")


def test_an_encoder_that_was_changed_since_is_refused() -> None:
    _prepare()
    _compress(method="distil")
    reports.write(
        "compress", reports.read(CompressReport).model_copy(update={"encoder_digest": "0"})
    )
    with pytest.raises(InputError, match="build/compress/model: changed since its report"):
        features.run(features_params(), Silent())


def test_the_language_model_that_is_audited_is_the_smaller_one() -> None:
    """Whether it is competent is judged by its own loss, not by its teacher's."""
    _prepare()
    _compress(method="none")
    assert intrinsic.read_pretrained() == reports.read(PretrainReport)
    report = _compress(method="distil")
    assert intrinsic.read_pretrained().final_loss == report.final_loss
    assert report.final_loss not in {report.teacher_loss, reports.read(PretrainReport).final_loss}


def test_an_encoder_that_cannot_be_cut_is_named() -> None:
    _prepare(architecture="modernbert", hidden=64)
    with pytest.raises(InputError, match=r"compress\.method: .* is a modernbert"):
        _compress(method="prune")
    assert not (OUT / "model").exists()
