"""ONNX against the torch model it was made from, on texts of any length, alone and together."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from toy_labels import toy_texts
from toy_model import pretrain_params, toy_start, toy_tokenizer

from pipeline.encoder import classifier, onnx_format
from pipeline.encoder.assemble import assemble
from pipeline.encoder.head import Head

TEXTS = toy_texts(30, seed=3)[0]
LAYERS = 2


@pytest.fixture(scope="module", params=["bert", "modernbert"])
def model(request: pytest.FixtureRequest) -> Any:
    """An encoder of two layers with a hidden head, assembled as the bundle's is."""
    params = pretrain_params(architecture=request.param, layers=LAYERS, hidden=64)
    encoder = toy_start(params).model.base_model.eval()
    torch.manual_seed(1)
    head = Head(64, hidden=True, labels=3)
    with torch.no_grad():
        head.output.weight.mul_(4)
    return assemble(encoder, head.eval(), "mean", ("a", "b", "c")).requires_grad_(False)


@pytest.fixture(scope="module")
def written(model: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("onnx")
    paths = {"onnx": folder / "model.onnx", "int8": folder / "model_int8.onnx"}
    onnx_format.write_onnx(model, paths["onnx"])
    onnx_format.write_int8(model, paths["int8"], LAYERS)
    return paths


def ask(path: Path, texts: list[str], **how: bool) -> np.ndarray:
    return onnx_format.load_onnx(path, toy_tokenizer(), 3, **how).probabilities(texts)


def test_onnx_gives_the_probabilities_of_torch(model: Any, written: dict[str, Path]) -> None:
    wanted = classifier.from_model(model, toy_tokenizer()).probabilities(TEXTS)
    np.testing.assert_allclose(ask(written["onnx"], TEXTS), wanted, atol=1e-5)
    assert float(wanted.std(axis=0).max()) > 0.01


def test_padding_is_masked_for_who_pads(model: Any, written: dict[str, Path]) -> None:
    session = onnxruntime.InferenceSession(written["onnx"])
    ids = np.array([[2, 9, 8, 3], [2, 7, 3, 0]])
    (together,) = session.run(
        None, {"input_ids": ids, "attention_mask": (ids > 0).astype(np.int64)}
    )
    short = ids[1:, :3]
    (alone,) = session.run(None, {"input_ids": short, "attention_mask": np.ones_like(short)})
    np.testing.assert_allclose(together[1], alone[0], atol=1e-4)


def test_int8_is_smaller_near_and_leaves_what_assembly_added_in_float(
    model: Any, written: dict[str, Path]
) -> None:
    """The added layer's weights of 2^24 would drown all else in eight bits."""
    wanted = classifier.from_model(model, toy_tokenizer()).probabilities(TEXTS)
    found = ask(written["int8"], TEXTS, one_at_a_time=True)
    assert 0 < float(np.abs(found - wanted).max()) < 0.1
    assert float(np.corrcoef(found.ravel(), wanted.ravel())[0, 1]) > 0.98
    assert written["int8"].stat().st_size < written["onnx"].stat().st_size
    held = [onnx.numpy_helper.to_array(t) for t in onnx.load(written["int8"]).graph.initializer]
    assert any(array.dtype == np.int8 for array in held)
    assert any(array.dtype == np.float32 and np.abs(array).max() > 1e6 for array in held)


def test_asked_one_at_a_time_int8_does_not_depend_on_the_other_texts(
    written: dict[str, Path],
) -> None:
    together = ask(written["int8"], TEXTS, one_at_a_time=True)
    backwards = ask(written["int8"], TEXTS[::-1], one_at_a_time=True)
    np.testing.assert_array_equal(together, backwards[::-1])


def test_equal_models_are_equal_bytes_and_tell_nothing_of_the_machine(
    model: Any, written: dict[str, Path], tmp_path: Path
) -> None:
    onnx_format.write_onnx(model, tmp_path / "onnx")
    onnx_format.write_int8(model, tmp_path / "int8", LAYERS)
    for name, path in written.items():
        data = path.read_bytes()
        assert data == (tmp_path / name).read_bytes()
        assert b"site-packages" not in data
        assert str(Path(onnx_format.__file__).parent).encode() not in data
