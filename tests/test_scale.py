"""Rates and batches against the papers' equations by hand, and against what was published."""

import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import params
from pipeline.errors import InputError
from pipeline.params import scale

ROOT = Path(__file__).parents[1]


def _load(tmp_path: Path, **pretrain: Any) -> params.PretrainParams:
    raw = yaml.safe_load((ROOT / "params.yaml").read_text())
    raw["size"] = "default"
    raw["pretrain"] |= pretrain
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(raw))
    return params.load(tmp_path / "params.yaml").pretrain


def test_bert_base_has_85_million_entries_in_its_matrices() -> None:
    """12 layers of 4 x 768 x 768 of attention and 2 x 768 x 3072 of the wide layer."""
    by_hand = 12 * (4 * 768 * 768 + 2 * 768 * 3072)
    assert scale.parameters("bert", 12, 768) == by_hand == 84_934_656


@pytest.mark.parametrize("architecture", ["bert", "modernbert"])
def test_parameters_are_those_of_the_model_that_is_made(architecture: str) -> None:
    from toy_model import pretrain_params, toy_start

    from pipeline.encoder.ranks import layers

    made = toy_start(pretrain_params(architecture=architecture, layers=2, hidden=64)).model
    matrices = [w for layer in layers(made) for w in layer.parameters() if w.ndim == 2]
    assert scale.parameters(architecture, 2, 64) == sum(weights.numel() for weights in matrices)


def test_rate_of_a_million_parameters_by_hand() -> None:
    """Kaplan et al. 2020, D.1: ln 1e6 = 13.8155, and 0.003239 - 0.0001395 x 13.8155 = 0.0013117."""
    assert scale.learning_rate(1e6) == pytest.approx(0.0013117, rel=1e-4)


@pytest.mark.parametrize(("layers", "hidden", "published"), [(12, 768, 6e-4), (24, 1024, 4e-4)])
def test_rates_are_near_robertas(layers: int, hidden: int, published: float) -> None:
    """Liu et al. 2019, table 9: the law was not fitted on masked models, and is within 30%."""
    rate = scale.learning_rate(scale.parameters("bert", layers, hidden))
    assert rate == pytest.approx(published, rel=0.3)


def test_batch_of_deepseeks_67_billion_is_what_they_used() -> None:
    """Bi et al. 2024, table 2: 95 layers x 8192, T = 4096, 2e12 tokens; 4608 sequences a step.

    Their M is 72 L H^2 + 12 L H T, which is 6 N + 12 L H T for N = 12 L H^2.
    """
    entries = 12.0 * 95 * 8192**2
    best = scale.batch_tokens(entries, 95, 8192, 4096, 2 * 10**12)
    assert best == pytest.approx(4608 * 4096, rel=0.1)


def test_batch_of_roberta_is_within_a_factor_of_two() -> None:
    """Liu et al. 2019: 500,000 steps of 8,192 sequences of 512."""
    entries = scale.parameters("bert", 12, 768)
    best = scale.batch_tokens(entries, 12, 768, 512, 500_000 * 8192 * 512)
    assert 1 / 2 < best / (8192 * 512) < 1


def test_batch_of_a_small_run_by_hand() -> None:
    """C = (6 x 3145728 + 12 x 4 x 256 x 128) x 393216 = 8.0402e12; 0.292 C^0.3271 = 4,848."""
    entries = scale.parameters("bert", 4, 256)
    tokens = scale.batch_tokens(entries, 4, 256, 128, 393_216)
    assert tokens == pytest.approx(0.2920 * math.exp(0.3271 * math.log(8.0402e12)), rel=1e-4)
    assert scale.batch_sequences(tokens, 128) == 32  # 37.9, and 32 is nearer than 64


def test_auto_needs_only_size_and_tokens(tmp_path: Path) -> None:
    auto = {"learning_rate": "auto", "batch_sequences": "auto"}
    found = _load(tmp_path, init="scratch", tokens=393_216, **auto)
    assert found.batch_sequences == 32
    assert found.learning_rate == pytest.approx(scale.learning_rate(4 * 12 * 256**2))


def test_what_is_given_stays_beside_what_is_auto(tmp_path: Path) -> None:
    assert _load(tmp_path, init="scratch", learning_rate="auto").batch_sequences == 4


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({}, "learning_rate: auto works with init: scratch only; set a number"),
        ({"init": "scratch", "tokens": 0}, "tokens must be a whole number above 0"),
        ({"init": "scratch", "hidden": "wide"}, "hidden must be a whole number above 0"),
        ({"init": "scratch", "layers": 96, "hidden": 12288}, "no learning rate is known for"),
        ({"init": "scratch", "learning_rate": "fast"}, r"pretrain\.learning_rate"),
    ],
)
def test_auto_is_refused_where_nothing_is_known(
    changes: dict[str, Any], match: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=match):
        _load(tmp_path, **({"learning_rate": "auto"} | changes))
