"""Two versions compared: paired figures by hand, real bundles on one file, what is refused."""

import json
from pathlib import Path

import bundle_factory
import numpy as np
import pytest

from pipeline import compare, decisions, layout, publish
from pipeline.__main__ import main
from pipeline.adapters import tracking
from pipeline.encoder import classifier
from pipeline.errors import InputError
from pipeline.params import BundleParams


@pytest.fixture
def params(tmp_path: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> BundleParams:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
    bundle_factory.build(tmp_path.name)
    config = Path("params.yaml").read_text()
    Path("params.yaml").write_text(config.replace("charter-sentiment", tmp_path.name))
    return BundleParams(name=tmp_path.name)


def test_figures_are_those_of_a_hand_count() -> None:
    """Of ten rows the challenger has seven right and the champion six; on three they differ."""
    labels = np.zeros(10, int)
    ours = np.array([0, 0, 0, 0, 0, 0, 0, 1, 1, 1])
    theirs = np.array([0, 0, 0, 0, 0, 1, 1, 0, 1, 1])
    found = compare.measure(ours, theirs, labels)
    test = found.test
    assert test.difference.point == pytest.approx(0.1)
    assert test.difference.n == 10
    assert test.p_value == 1  # two against one of three
    assert found.disagreement.point == pytest.approx(0.3)
    assert [found.challenger.point, found.champion.point] == pytest.approx([0.7, 0.6])


def write_rows(path: Path, count: int = 40) -> list[str]:
    texts = [f"{('good', 'bad')[n % 3 == 0]} film {n}" for n in range(count)]
    lines = (json.dumps({"text": t, "label": n % 2}) + "\n" for n, t in enumerate(texts))
    path.write_text("".join(lines))
    return texts


def test_both_bundles_answer_the_rows_and_the_log_has_it_without_text(
    params: BundleParams, capsys: pytest.CaptureFixture[str]
) -> None:
    publish.publish(params)
    first = classifier.load_bundle(layout.stage_dir("bundle"))
    texts = write_rows(Path("fresh.jsonl"))
    theirs = first.probabilities(texts).argmax(axis=1)
    bundle_factory.build(params.name, seed=3)
    config = Path("params.yaml").read_text()
    Path("params.yaml").write_text(config.replace("charter-sentiment", params.name))
    ours = classifier.load_bundle(layout.stage_dir("bundle")).probabilities(texts).argmax(axis=1)
    bundle_factory.build(params.name, seed=3, encoder_digest_after="0" * 64)
    Path("params.yaml").write_text(config.replace("charter-sentiment", params.name))
    assert publish.publish(params).outcome == "refused"
    assert main(["compare", "fresh.jsonl"]) == 0
    said = capsys.readouterr().out
    labels = np.arange(40) % 2
    expected = (ours == labels).mean() - (theirs == labels).mean()
    assert f"difference    {expected:.4f} [" in said
    entry = json.loads(decisions.read()[-1])
    assert entry["action"] == "compare"
    assert entry["comparison"]["measured"]["disagreement"]["point"] == pytest.approx(
        (ours != theirs).mean()
    )
    assert (entry["comparison"]["challenger"], entry["comparison"]["champion"]) == ("2", "1")
    assert "film" not in json.dumps(entry)


def test_a_bundle_that_is_not_whole_is_not_loaded(params: BundleParams) -> None:
    publish.publish(params)
    bundle_factory.build(params.name, seed=1, encoder_digest_after="0" * 64)
    publish.publish(params)
    write_rows(Path("fresh.jsonl"))
    stored = tracking.download(f"models:/{params.name}/2") / "data" / "bundle" / "config.json"
    stored.write_text(stored.read_text() + " ")
    with pytest.raises(InputError, match=r"config\.json: changed"):
        compare.compare(params, Path("fresh.jsonl"))


def test_what_cannot_be_compared_is_said(params: BundleParams) -> None:
    write_rows(Path("fresh.jsonl"))
    with pytest.raises(InputError, match="has no champion"):
        compare.compare(params, Path("fresh.jsonl"))
    publish.publish(params)
    with pytest.raises(InputError, match="has no version but the champion"):
        compare.compare(params, Path("fresh.jsonl"))
    bundle_factory.build(params.name, seed=1, labels=("bad", "good"))
    publish.publish(params)
    with pytest.raises(InputError, match="labels are bad, good and the champion's negative"):
        compare.compare(params, Path("fresh.jsonl"))
    bundle_factory.build(params.name, seed=2, encoder_digest_after="0" * 64)
    publish.publish(params)
    Path("odd.jsonl").write_text('{"text": "a film", "label": "other"}\n')
    with pytest.raises(InputError, match="1 rows have a label that is none of"):
        compare.compare(params, Path("odd.jsonl"))
