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

from pipeline.encoder import onnx_format
from pipeline.encoder.assemble import assemble
from pipeline.encoder.head import Head

TEXTS = toy_texts(30, seed=3)[0]


@pytest.fixture(scope="module", params=["bert mean", "modernbert cls"])
def model(request: pytest.FixtureRequest) -> Any:
    """An encoder of two layers and its head in one, as the bundle holds them."""
    architecture, pooling = request.param.split()
    params = pretrain_params(architecture=architecture, layers=2, hidden=64)
    encoder = toy_start(params).model.base_model.eval()
    torch.manual_seed(1)
    with torch.no_grad():
        for weights in encoder.parameters():
            weights.add_(0.1 * torch.randn(weights.shape))
    head = Head(64, hidden=pooling == "mean", labels=3)
    return assemble(encoder, head, pooling, ("a", "b", "c"))


@pytest.fixture(scope="module")
def wanted(model: Any) -> np.ndarray:
    """What torch says of the texts, one by one and without padding."""
    with torch.inference_mode():
        ids = [torch.tensor([each]) for each in toy_tokenizer()(TEXTS)["input_ids"]]
        logits = torch.cat([model(input_ids=each).logits for each in ids])
    said: np.ndarray = logits.double().softmax(dim=1).numpy()
    return said


def write(model: Any, folder: Path) -> dict[str, Path]:
    paths = {"onnx": folder / "model.onnx", "int8": folder / "model_int8.onnx"}
    exported = onnx_format.to_onnx(model)
    onnx_format.write_onnx(exported, paths["onnx"])
    onnx_format.write_int8(exported, paths["int8"])
    return paths


@pytest.fixture(scope="module")
def written(model: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write(model, tmp_path_factory.mktemp("onnx"))


def ask(path: Path, texts: list[str], **how: bool) -> np.ndarray:
    return onnx_format.load_onnx(path, toy_tokenizer(), 3, **how).probabilities(texts)


def test_onnx_gives_the_probabilities_of_torch(
    wanted: np.ndarray, written: dict[str, Path]
) -> None:
    np.testing.assert_allclose(ask(written["onnx"], TEXTS), wanted, atol=1e-5)
    assert float(wanted.std(axis=0).max()) > 0.01


def test_padding_is_masked_for_who_pads(written: dict[str, Path]) -> None:
    session = onnxruntime.InferenceSession(written["onnx"])
    ids = np.array([[2, 9, 8, 3], [2, 7, 3, 0]])
    (together,) = session.run(
        None, {"input_ids": ids, "attention_mask": (ids > 0).astype(np.int64)}
    )
    short = ids[1:, :3]
    (alone,) = session.run(None, {"input_ids": short, "attention_mask": np.ones_like(short)})
    np.testing.assert_allclose(together[1], alone[0], atol=1e-5)
    assert float(np.abs(together[0] - together[1]).max()) > 0.01  # other ids, another answer


def test_int8_is_smaller_and_near_and_leaves_the_head_in_float(
    wanted: np.ndarray, written: dict[str, Path]
) -> None:
    found = ask(written["int8"], TEXTS, one_at_a_time=True)
    assert 0 < float(np.abs(found - wanted).max()) < 0.2
    assert written["int8"].stat().st_size < 0.6 * written["onnx"].stat().st_size
    held = [onnx.numpy_helper.to_array(t) for t in onnx.load(written["int8"]).graph.initializer]
    assert any(array.dtype == np.int8 for array in held)
    assert any(array.dtype == np.float32 and 3 in array.shape for array in held)  # three labels


def test_asked_one_at_a_time_int8_does_not_depend_on_the_other_texts(
    written: dict[str, Path],
) -> None:
    together = ask(written["int8"], TEXTS, one_at_a_time=True)
    backwards = ask(written["int8"], TEXTS[::-1], one_at_a_time=True)
    np.testing.assert_array_equal(together, backwards[::-1])


def test_equal_models_are_equal_bytes_and_tell_nothing_of_the_machine(
    model: Any, written: dict[str, Path], tmp_path: Path
) -> None:
    for name, path in write(model, tmp_path).items():
        data = path.read_bytes()
        assert data == written[name].read_bytes()
        assert b"site-packages" not in data
        assert str(Path(onnx_format.__file__).parent).encode() not in data
