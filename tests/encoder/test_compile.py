"""A compiled run against the plain one, and when it is worth its compiling."""

import math
from pathlib import Path
from typing import Any

import pydantic
import pytest
import torch
from toy_model import pretrain_params, toy_plan, toy_start

from pipeline.encoder.loss import MaskedLoss
from pipeline.encoder.pretraining import pretrain
from pipeline.encoder.probe import Probe, pays_from_tokens
from pipeline.encoder.watch import Position, Unwatched
from pipeline.errors import InputError


class _StopError(Exception):
    pass


class _Watch(Unwatched):
    def __init__(self, stop_after: int) -> None:
        self.losses: list[float] = []
        self._stop_after = stop_after

    def step(self, position: Position, loss: float, learning_rate: float) -> None:  # noqa: ARG002
        self.losses.append(loss)
        if position.step == self._stop_after:
            raise _StopError


def _train(folder: Path, *, compiled: bool, stop_after: int = 0) -> tuple[Any, list[float]]:
    params = pretrain_params(compile=compiled, dropout=0.0, tokens=6 * 4 * 16)
    start, watch = toy_start(params), _Watch(stop_after)
    try:
        pretrain(start, toy_plan(params), folder, watch)
    except _StopError:
        assert stop_after
    return start.model, watch.losses


@pytest.mark.long
def test_a_compiled_run_is_the_plain_one_and_resumes_with_the_same_bits(tmp_path: Path) -> None:
    plain, losses = _train(tmp_path / "plain", compiled=False)
    whole, compiled_losses = _train(tmp_path / "whole", compiled=True)
    assert compiled_losses == pytest.approx(losses, rel=1e-5)
    torch.testing.assert_close(whole.state_dict(), plain.state_dict(), rtol=1e-3, atol=2e-5)
    assert list(whole.state_dict()) == list(plain.state_dict())

    _train(tmp_path / "cut", compiled=True, stop_after=5)
    resumed, left = _train(tmp_path / "cut", compiled=True)
    assert len(left) == 2  # from the checkpoint at step 4
    for name, weights in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], weights), name


def test_what_is_compiled_is_the_loss_as_one_graph_and_only_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, bool]] = []
    monkeypatch.setattr(MaskedLoss, "compile", lambda _, **options: asked.append(options))
    _train(tmp_path / "plain", compiled=False)
    assert asked == []
    _train(tmp_path / "compiled", compiled=True)
    assert asked == [{"dynamic": False, "fullgraph": True}]


def test_without_a_compiler_the_parameter_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(InputError, match=r"pretrain\.compile: no C\+\+ compiler no-such-comp"):
        _train(tmp_path, compiled=True)


@pytest.mark.parametrize(
    "other", [{"sharding": "full"}, {"gradient_checkpointing": True}, {"masking_rate_end": 0.1}]
)
def test_what_cannot_be_one_graph_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError, match="one graph"):
        pretrain_params(compile=True, **other)


def _probe(first_step_s: float, tokens_per_s: float) -> Probe:
    return Probe(
        parameters=1, steps=9, first_step_s=first_step_s, tokens_per_s=tokens_per_s,
        seconds=1.0, peak_mib=1.0,
    )  # fmt: skip


def test_compiling_pays_where_its_seconds_are_won_back() -> None:
    """30 s more at first; 1,000 tokens take 1 s, and compiled 0.5 s: even after 60,000."""
    plain = _probe(1.0, 1000.0)
    assert pays_from_tokens(plain, _probe(31.0, 2000.0)) == pytest.approx(60_000)
    assert pays_from_tokens(plain, _probe(31.0, 1000.0)) == math.inf
    assert pays_from_tokens(plain, _probe(31.0, 900.0)) == math.inf
