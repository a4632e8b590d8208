"""The classifier against softmax by scipy, and a bundle from elsewhere against what it may hide."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import softmax
from toy_labels import features_params, toy_texts, write_encoder
from toy_model import toy_tokenizer

from pipeline import files
from pipeline.encoder.assemble import assemble
from pipeline.encoder.classifier import Classifier, load, load_bundle
from pipeline.encoder.features import load_extractor
from pipeline.encoder.head import Head, save_head
from pipeline.encoder.loading import load_encoder
from pipeline.encoder.tokenizer import save_tokenizer
from pipeline.errors import InputError

TEXTS = toy_texts(40)[0]


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _write_stages(width: int = 16) -> tuple[Path, Path]:
    write_encoder(Path("build/pretrain/model"))
    torch.manual_seed(0)
    save_head(Head(width, hidden=True, labels=2), Path("build/finetune"))
    return Path("build/pretrain"), Path("build/finetune")


def _write_bundle() -> Path:
    torch.manual_seed(0)
    encoder = load_encoder(write_encoder(Path("encoder")))
    model = assemble(encoder, Head(16, hidden=False, labels=2), "mean", ("negative", "positive"))
    model.save_pretrained("bundle")
    tokenizer = toy_tokenizer()
    tokenizer.model_max_length = 12
    save_tokenizer(tokenizer, Path("bundle"))
    return _digest(Path("bundle"))


def _digest(bundle: Path) -> Path:
    """Give a bundle, whatever it holds, digests that fit."""
    (bundle / files.DIGESTS).unlink(missing_ok=True)
    files.write_json(bundle / files.DIGESTS, files.sha256_tree(bundle))
    return bundle


def test_probabilities_are_the_softmax_of_the_logits_however_large() -> None:
    logits = np.array([[1000.0, 0.0, -1000.0], [1.0, 2.0, 3.0]], np.float32)
    probabilities = Classifier(3, lambda _, __: logits).probabilities(["a", "b"])
    assert probabilities.dtype == np.float64
    np.testing.assert_allclose(probabilities, softmax(logits.astype(float), axis=1))


def test_no_text_has_no_probabilities() -> None:
    stages = load(*_write_stages(), features_params())
    assert stages.probabilities([]).shape == (0, 2)


def test_a_head_answers_for_its_encoders_features() -> None:
    pretrain, finetune = _write_stages()
    features = load_extractor(pretrain / "model", features_params(), Path("other")).features(TEXTS)
    torch.manual_seed(0)
    with torch.no_grad():
        expected = Head(16, hidden=True, labels=2)(torch.from_numpy(features)).softmax(1)
    told: list[tuple[int, int]] = []
    ours = load(pretrain, finetune, features_params())
    answers = ours.probabilities(TEXTS, lambda done, total: told.append((done, total)))
    np.testing.assert_allclose(answers, expected, atol=1e-6)
    assert told[-1] == (len(set(TEXTS)), len(set(TEXTS)))
    assert list(Path(".charter/features").iterdir())


def test_what_is_evaluated_is_in_float32_whatever_heads_are_fitted_to() -> None:
    stages = _write_stages()
    said = [
        load(*stages, features_params(precision=each)).probabilities(TEXTS)
        for each in ("float32", "bfloat16")
    ]
    np.testing.assert_array_equal(*said)


def test_a_head_of_another_width_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="head is 8 wide and the encoder 16"):
        load(*_write_stages(width=8), features_params())


def test_a_stage_that_has_not_run_is_named() -> None:
    pretrain, finetune = _write_stages()
    shutil.rmtree(finetune)
    with pytest.raises(InputError, match=r"head\.json: not found; run `dvc repro finetune`"):
        load(pretrain, finetune, features_params())
    shutil.rmtree(pretrain)
    with pytest.raises(InputError, match="build/pretrain/model: holds no model"):
        load(pretrain, finetune, features_params())


def test_a_bundle_cuts_texts_where_its_tokenizer_says() -> None:
    bundle = load_bundle(_write_bundle())
    long, cut = " ".join(["w9"] * 30), " ".join(["w9"] * 10)  # 12 tokens with [CLS] and [SEP]
    np.testing.assert_array_equal(*(bundle.probabilities([text]) for text in (long, cut)))


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "a.pkl", "sub/x.pt", "modeling.py", "adapter_config.json"]
)
def test_a_bundle_with_a_file_that_could_run_code_is_refused(name: str) -> None:
    bundle = _write_bundle()
    files.write_text(bundle / name, "{}")
    with pytest.raises(InputError, match=f"{name}: could run code"):
        load_bundle(_digest(bundle))


def test_a_bundle_without_safetensors_is_refused() -> None:
    bundle = _write_bundle()
    (bundle / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"model\.safetensors: missing"):
        load_bundle(_digest(bundle))


def test_a_bundle_whose_weights_lack_some_is_refused() -> None:
    """transformers would draw what is missing at random, and only warn."""
    bundle = _write_bundle()
    config = files.read_json(bundle / "config.json")
    files.write_json(bundle / "config.json", config | {"num_hidden_layers": 3})
    with pytest.raises(InputError, match=r"bundle: lacks the weights bert\.encoder\.layer\.2"):
        load_bundle(_digest(bundle))


def test_a_changed_bundle_is_refused_before_it_is_loaded() -> None:
    bundle = _write_bundle()
    config = json.loads((bundle / "config.json").read_text())
    (bundle / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"config\.json: changed"):
        load_bundle(bundle)


def test_a_bundle_that_names_code_elsewhere_is_refused() -> None:
    bundle = _write_bundle()
    config = files.read_json(bundle / "config.json")
    named = {"AutoModelForSequenceClassification": "evil.Model", "AutoConfig": "evil.Config"}
    files.write_json(bundle / "config.json", config | {"auto_map": named})
    with pytest.raises(InputError, match="auto_map names code"):
        load_bundle(_digest(bundle))
