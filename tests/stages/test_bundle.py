"""The bundle against stock transformers in a process of its own, and against its digests."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import report_factory
import yaml
from toy_labels import features_params, finetune_params, toy_texts, write_workspace

from pipeline import files, layout, reports
from pipeline.encoder import classifier
from pipeline.encoder.head import Head
from pipeline.errors import InputError
from pipeline.params import BundleParams
from pipeline.reports import BundleReport, FeaturesReport
from pipeline.stages import _shipped, bundle, features, finetune
from pipeline.track import Silent

OUT = layout.stage_dir("bundle")
CARD = "---\nlicense: apache-2.0\n---\n# A model\n"
STOCK = """
import json, sys
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1])
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
assert not model.training
ask = pipeline("text-classification", sys.argv[1], top_k=None, truncation=True)
said = ask(json.load(sys.stdin))
print(json.dumps([type(model).__name__, said]))
"""


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _prepare(
    mode: str = "frozen",
    pooling: str = "mean",
    hidden: bool = True,
    precision: str = "float32",
    **params: Any,
) -> None:
    write_workspace(count=60, **params)
    raw = yaml.safe_load(layout.PARAMS.read_text())
    raw["features"] |= (changes := {"pooling": pooling, "precision": precision})
    files.write_text(layout.PARAMS, yaml.safe_dump(raw))
    reports.write("features", features.run(features_params(**changes), Silent()))
    changes = {"hidden": hidden} if mode == "frozen" else {"epochs": 1}
    reports.write("finetune", finetune.run(finetune_params(mode, **changes), Silent()))
    for name in bundle.DOCUMENTS:
        files.write_text(layout.stage_dir("report") / name, CARD)
    layout.LOCK.write_text("numpy==0\n")


def _bundle() -> BundleReport:
    report = bundle.run(BundleParams(name="toy"), Silent())
    reports.write("bundle", report)
    return report


def _ask_stock(texts: list[str]) -> tuple[str, np.ndarray]:
    """Ask transformers alone: another process, no network, no code of ours on its path."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": "", "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", STOCK, str(OUT)],
        input=json.dumps(texts), capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    kind, said = json.loads(done.stdout)
    scores = [{each["label"]: each["score"] for each in answer} for answer in said]
    return kind, np.array([[score[label] for label in report_factory.LABELS] for score in scores])


def test_stock_transformers_gives_the_probabilities_of_the_stages_own_model() -> None:
    _prepare()
    report = _bundle()
    texts = toy_texts(20, seed=5)[0]
    kind, said = _ask_stock(texts)
    stages = (layout.stage_dir("pretrain"), layout.stage_dir("finetune"))
    ours = classifier.load(*stages, features_params()).probabilities(texts)
    np.testing.assert_allclose(said, ours, atol=1e-5)
    assert kind == report.architecture == "BertForSequenceClassification"
    assert float(ours.std()) > 0.1


@pytest.mark.parametrize(
    ("mode", "architecture", "pooling", "hidden"),
    [
        ("frozen", "bert", "cls", True),
        ("frozen", "bert", "mean", False),
        ("frozen", "modernbert", "mean", True),
        ("frozen", "modernbert", "cls", False),
        ("full", "bert", "mean", False),
        ("full", "modernbert", "mean", False),
    ],
)
def test_every_form_loads_and_agrees(
    mode: str, architecture: str, pooling: str, hidden: bool
) -> None:
    _prepare(mode, pooling, hidden, architecture=architecture)
    report = _bundle()
    assert report.parity < 1e-4
    texts = toy_texts(20, seed=5)[0]
    stages = (layout.stage_dir("pretrain"), layout.stage_dir("finetune"))
    ours = classifier.load(*stages, features_params(pooling=pooling)).probabilities(texts)
    np.testing.assert_allclose(classifier.load_bundle(OUT).probabilities(texts), ours, atol=1e-4)


def test_a_head_fitted_to_bfloat16_is_shipped_as_it_is_evaluated() -> None:
    _prepare(precision="bfloat16")
    assert reports.read(FeaturesReport).precision == "bfloat16"
    assert _bundle().parity < 1e-5  # 8e-5 with the features that the head was fitted to


def test_all_that_is_published_is_in_the_bundle_with_its_digest() -> None:
    _prepare()
    report = _bundle()
    stages = reports.STAGE_REPORTS.keys() - {"bundle"}
    names = {"README.md", "config.json", "model.safetensors", "tokenizer.json"}
    names |= {"tokenizer_config.json", *(f"reports/{stage}.json" for stage in stages)}
    names |= {*bundle.DOCUMENTS.values(), bundle.SBOM}
    assert report.files.keys() == names
    assert files.verify_files(OUT) == report.files
    assert report.digest == files.sha256_digests(report.files)
    assert (OUT / "README.md").read_text() == CARD
    for stage in stages:
        copy = OUT / "reports" / f"{stage}.json"
        assert copy.read_bytes() == layout.report_path(stage).read_bytes()


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "reports/audit.json"])
def test_one_changed_byte_anywhere_is_found(name: str) -> None:
    _prepare()
    _bundle()
    data = bytearray((OUT / name).read_bytes())
    data[-2] ^= 1
    (OUT / name).write_bytes(data)
    with pytest.raises(InputError, match=f"{name}: changed"):
        classifier.load_bundle(OUT)


def test_the_same_inputs_are_the_same_bytes_and_no_path_is_in_them(tmp_path: Path) -> None:
    _prepare()
    first = _bundle()
    (OUT / "left.txt").write_text("of an earlier run")
    assert _bundle() == first
    assert not (OUT / "left.txt").exists()
    for name in first.files:
        assert str(tmp_path).encode() not in (OUT / name).read_bytes()


def test_a_model_that_answers_otherwise_than_the_stages_is_not_bundled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fault in the assembly: the head that is assembled has its labels exchanged."""
    _prepare()

    def exchange(folder: Path) -> Head:
        head = load_head(folder)
        head.output.weight[:] = head.output.weight.flip(0)
        return head

    load_head = _shipped.load_head
    monkeypatch.setattr(_shipped, "load_head", exchange)
    with pytest.raises(InputError, match="probabilities differ by"):
        _bundle()
    assert not OUT.exists()


@pytest.mark.parametrize(
    "missing", ["report/model_card.md", "report/technical_file.md", "audit/report.json"]
)
def test_a_stage_that_has_not_run_is_named_and_nothing_has_digests(missing: str) -> None:
    _prepare()
    (layout.BUILD / missing).unlink()
    with pytest.raises(InputError, match=f"build/{missing}: not found; run `dvc repro"):
        _bundle()
    assert not (OUT / files.DIGESTS).exists()


def test_the_bill_of_materials_lists_every_other_file_with_its_digest() -> None:
    _prepare()
    report = _bundle()
    bill = files.read_json(OUT / bundle.SBOM)["metadata"]["component"]
    listed = {part["name"]: part["hashes"][0]["content"] for part in bill["components"]}
    assert listed == {k: v for k, v in report.files.items() if k != bundle.SBOM}
