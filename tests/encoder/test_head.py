"""The head against its formula in numpy, and on disk against itself."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import erf

from pipeline.encoder.head import SHAPE, WEIGHTS, Head, load_head, save_head
from pipeline.errors import InputError


def _head(hidden: bool) -> Head:
    torch.manual_seed(0)
    return Head(width=6, hidden=hidden, labels=3)


@pytest.mark.parametrize("hidden", [False, True])
def test_logits_are_what_the_formula_says(hidden: bool) -> None:
    """u = LayerNorm(gelu(V z + c)), gelu(x) = x (1 + erf(x / sqrt 2)) / 2; logits = W u + b."""
    head = _head(hidden)
    z = np.random.default_rng(0).normal(size=(4, 6))
    weights = {name: each.detach().double().numpy() for name, each in head.state_dict().items()}
    u = z
    if hidden:
        x = z @ weights["hidden.weight"].T + weights["hidden.bias"]
        u = x * (1 + erf(x / np.sqrt(2))) / 2
        u = (u - u.mean(axis=1, keepdims=True)) / u.std(axis=1, keepdims=True)
    expected = u @ weights["output.weight"].T + weights["output.bias"]
    logits = head(torch.from_numpy(z).float()).detach()
    np.testing.assert_allclose(logits, expected, atol=1e-5)


@pytest.mark.parametrize("hidden", [False, True])
def test_a_head_comes_back_from_disk_and_equal_heads_are_equal_bytes(
    tmp_path: Path, hidden: bool
) -> None:
    for folder in ("a", "b"):
        save_head(_head(hidden), tmp_path / folder)
    for name in (WEIGHTS, SHAPE):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    read = load_head(tmp_path / "a")
    assert not any(weights.requires_grad for weights in read.parameters())
    z = torch.randn(5, 6)
    torch.testing.assert_close(read(z), _head(hidden)(z), rtol=0, atol=0)


@pytest.mark.parametrize("name", [WEIGHTS, SHAPE])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    save_head(_head(False), tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=f"{name}: not found"):
        load_head(tmp_path)


@pytest.mark.parametrize(
    "shape",
    ["[]", "{}", '{"width": 7, "hidden": false, "labels": 3}',
     '{"width": 6, "hidden": true, "labels": 3}'],
)  # fmt: skip
def test_a_shape_that_does_not_fit_the_weights_is_refused(tmp_path: Path, shape: str) -> None:
    save_head(_head(False), tmp_path)
    (tmp_path / SHAPE).write_text(shape)
    with pytest.raises(InputError, match=r"head\.json: does not fit"):
        load_head(tmp_path)


def test_weights_that_are_cut_off_are_refused(tmp_path: Path) -> None:
    save_head(_head(False), tmp_path)
    (tmp_path / WEIGHTS).write_bytes((tmp_path / WEIGHTS).read_bytes()[:-1])
    with pytest.raises(InputError, match=r"head\.json: does not fit"):
        load_head(tmp_path)
