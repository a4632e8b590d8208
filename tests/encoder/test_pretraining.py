"""Runs against themselves: resumed, in micro-batches, seeded; and against what they must learn."""

import math
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from damage import flip
from toy_model import pretrain_params, toy_plan, toy_start

from pipeline.encoder import pretraining
from pipeline.encoder.batches import WHOLE, Share
from pipeline.encoder.checkpoint import last_checkpoint
from pipeline.encoder.digest import digest_weights
from pipeline.encoder.loss import heldout_loss
from pipeline.encoder.masking import MaskedBatch
from pipeline.encoder.pretraining import Plan, batches_ahead, pretrain
from pipeline.encoder.tokens import Tokens
from pipeline.encoder.watch import Position
from pipeline.errors import InputError
from pipeline.params import PretrainParams
from pipeline.reports import CurvePoint


class StoppedError(Exception):
    """The run was stopped on purpose."""


class Onlooker:
    """Keeps what it is told, and may stop the run after a step."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.stop_after = stop_after
        self.steps: list[int] = []
        self.losses: list[float] = []
        self.points: list[CurvePoint] = []
        self.said: list[str] = []

    def step(self, position: Position, loss: float, _: float) -> None:
        self.steps.append(position.step)
        self.losses.append(loss)
        if position.step == self.stop_after:
            raise StoppedError

    def point(self, point: CurvePoint) -> None:
        self.points.append(point)

    def say(self, message: str) -> None:
        self.said.append(message)


def _run(
    params: PretrainParams, folder: Path, stop_after: int | None = None
) -> tuple[Any, Position | None, Onlooker]:
    start, onlooker = toy_start(params), Onlooker(stop_after)
    try:
        position = pretrain(start, toy_plan(params), folder, onlooker)
    except StoppedError:
        position = None
    return start.model, position, onlooker


def test_the_next_batch_is_made_while_one_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, made = toy_plan(pretrain_params()), threading.Event()
    batch = Plan.batch

    def noted(plan: Plan, step: int, share: Share = WHOLE) -> MaskedBatch:
        if step == 4:
            made.set()
        return batch(plan, step, share)

    monkeypatch.setattr(Plan, "batch", noted)
    ahead = batches_ahead(plan, 3)
    given = [next(ahead)]
    assert made.wait(10)
    given += ahead
    assert len(given) == plan.steps - 3
    for step, each in enumerate(given, 3):
        np.testing.assert_array_equal(each.ids, plan.batch(step).ids)


def _digest(model: Any) -> str:
    return digest_weights(dict(model.named_parameters()))


@pytest.mark.parametrize("stop_after", [1, 4, 7, 11])
def test_a_stopped_and_resumed_run_is_the_uninterrupted_one_bit_by_bit(
    stop_after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dropout is on, points and checkpoints fall on different steps, weights decay."""
    monkeypatch.setattr(pretraining, "_CURVE_POINTS", 1)  # else every step has its point
    params = pretrain_params(dropout=0.1, heldout_every_steps=5, checkpoint_every_steps=2)
    whole, position, _ = _run(params, tmp_path / "whole")
    _run(params, tmp_path / "cut", stop_after)
    resumed, again, onlooker = _run(params, tmp_path / "cut")
    assert onlooker.steps[0] == 1 + (stop_after - 1) // 2 * 2  # the step after the checkpoint
    assert again == position
    assert _digest(resumed) == _digest(whole)


def test_a_damaged_checkpoint_costs_steps_and_changes_nothing(tmp_path: Path) -> None:
    params = pretrain_params()
    whole, position, _ = _run(params, tmp_path / "whole")
    _run(params, tmp_path / "cut", stop_after=8)
    last = last_checkpoint(tmp_path / "cut")
    assert last is not None
    weights = last / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    resumed, again, onlooker = _run(params, tmp_path / "cut")
    assert "falling back" in onlooker.said[0]
    assert onlooker.steps[0] == 5  # 4 is the checkpoint before 6
    assert again == position
    assert _digest(resumed) == _digest(whole)


@pytest.mark.parametrize("architecture", ["bert", "modernbert"])
def test_a_toy_learns_to_count(architecture: str, tmp_path: Path) -> None:
    """Each token follows from its neighbours: the loss must fall far below the log of 45."""
    params = pretrain_params(
        architecture=architecture,
        layers=2,
        hidden=64,
        batch_sequences=16,
        tokens=150 * 16 * 16,
        learning_rate=5e-3,
        dropout=0.0,
        heldout_sequences=16,
        heldout_every_steps=50,
        checkpoint_every_steps=1000,
    )
    plan = toy_plan(params)
    start = toy_start(params)
    before = heldout_loss(start.model, plan.heldout, "float32")
    position = pretrain(start, plan, tmp_path, Onlooker())
    assert before == pytest.approx(math.log(50), abs=0.2)
    heldout = position.curve[-1].heldout_loss
    assert heldout is not None
    assert heldout < before - 1.0


def test_micro_batches_take_the_step_of_the_whole_batch(tmp_path: Path) -> None:
    """Rows give different numbers of guesses, so a mean of means would differ."""
    one, _, _ = _run(pretrain_params(dropout=0.0, masking_rate=0.4), tmp_path / "1")
    four, _, _ = _run(pretrain_params(dropout=0.0, masking_rate=0.4, accumulate=4), tmp_path / "4")
    for a, b in zip(one.parameters(), four.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_a_step_has_the_rate_that_the_schedule_gives_and_the_curve_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four steps, of which two warm up, by hand."""
    rates: list[float] = []
    monkeypatch.setattr(
        pretraining, "take_step", lambda given: rates.append(given[0].param_groups[0]["lr"])
    )
    params = pretrain_params(learning_rate=8e-3, warmup_share=0.5, tokens=4 * 64)
    _, position, _ = _run(params, tmp_path)
    assert rates == pytest.approx([4e-3, 8e-3, 8e-3, 4e-3])
    assert position is not None
    assert [point.learning_rate for point in position.curve] == rates


@pytest.mark.parametrize("clip_norm", [1e30, 1e-3])
def test_a_gradient_is_cut_to_the_norm_that_is_asked_for_after_all_micro_batches(
    clip_norm: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = pretrain_params(clip_norm=clip_norm, accumulate=2, tokens=64)
    start, norms = toy_start(params), []

    def note(_: Any) -> None:
        gradients = [each.grad for each in start.model.parameters() if each.grad is not None]
        norms.append(float(torch.nn.utils.get_total_norm(gradients)))

    monkeypatch.setattr(pretraining, "take_step", note)
    pretrain(start, toy_plan(params), tmp_path, Onlooker())
    assert len(norms) == 1
    assert norms[0] > 0.1 if clip_norm > 1 else norms[0] == pytest.approx(clip_norm, rel=1e-3)


def test_equal_seeds_give_equal_weights_and_other_seeds_others(tmp_path: Path) -> None:
    digests = [
        _digest(_run(pretrain_params(seed=seed, tokens=128), tmp_path / str(i))[0])
        for i, seed in enumerate((1, 1, 2))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_no_tokens_means_no_steps_and_the_initial_weights(tmp_path: Path) -> None:
    params = pretrain_params(tokens=0)
    model, position, onlooker = _run(params, tmp_path)
    assert position == Position()
    assert onlooker.steps == []
    assert _digest(model) == _digest(toy_start(params).model)


def test_the_curve_has_means_since_its_last_point_and_heldout_where_asked(tmp_path: Path) -> None:
    params = pretrain_params(
        tokens=300 * 16 * 4, heldout_every_steps=70, checkpoint_every_steps=999
    )
    _, position, onlooker = _run(params, tmp_path)
    assert position is not None
    steps = [point.step for point in position.curve]
    assert steps == sorted({*range(3, 301, 3), 70, 140, 210, 280})
    evaluated = [point.step for point in position.curve if point.heldout_loss is not None]
    assert evaluated == [70, 140, 210, 280, 300]
    for before, point in zip([0, *steps[:-1]], position.curve, strict=True):
        since = onlooker.losses[before : point.step]
        assert point.loss == pytest.approx(sum(since) / len(since))
    assert list(position.curve) == onlooker.points


def test_tokens_are_counted_without_padding(tmp_path: Path) -> None:
    params = pretrain_params(tokens=2 * 4 * 16)
    plan = toy_plan(params)
    _, position, _ = _run(params, tmp_path)
    assert position is not None
    assert position.step == plan.steps == 2
    assert position.tokens == sum(int((plan.batch(s).ids != 0).sum()) for s in (0, 1))


def test_a_loss_that_is_not_finite_stops_before_the_step_and_names_it_all(tmp_path: Path) -> None:
    """A learning rate of 1e12 leaves weights of which the next products overflow."""
    params = pretrain_params(learning_rate=1e12, warmup_share=0.0, checkpoint_every_steps=1)
    start, plan, onlooker = toy_start(params), toy_plan(params), Onlooker()
    with pytest.raises(InputError) as stopped:
        pretrain(start, plan, tmp_path, onlooker)
    step = onlooker.steps[-1]
    message = str(stopped.value)
    assert f"step {step + 1} " in message
    assert f"last good checkpoint: {tmp_path / f'step-{step}'}" in message
    documents = {d for number in plan.sequences(step) for d in plan.train.documents(number)}
    assert f"rows {min(documents)}, " in message
    assert "lower pretrain.learning_rate" in message


def test_the_last_good_checkpoint_is_not_a_damaged_one_of_a_later_step(tmp_path: Path) -> None:
    params = pretrain_params()
    _run(params, tmp_path, stop_after=9)
    flip(tmp_path / "step-8" / "weights.safetensors")
    start = toy_start(params)
    bias = start.model.get_output_embeddings().bias
    bias.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(InputError, match=rf"step 7 .* checkpoint: {tmp_path}/step-6;"):
        pretrain(start, toy_plan(params), tmp_path, Onlooker())


def test_weights_that_a_step_has_broken_are_no_checkpoint(tmp_path: Path) -> None:
    params = pretrain_params(learning_rate=1e39, warmup_share=0.0, checkpoint_every_steps=1)
    with pytest.raises(InputError, match=r"weights after step 1 are .* checkpoint: none"):
        pretrain(toy_start(params), toy_plan(params), tmp_path, Onlooker())
    assert last_checkpoint(tmp_path) is None


def test_a_last_step_that_breaks_the_weights_is_no_end(tmp_path: Path) -> None:
    """No step follows whose loss would show it, but the held-out loss does."""
    params = pretrain_params(learning_rate=1e12, warmup_share=0.0, tokens=64)
    plan = toy_plan(params)
    with pytest.raises(InputError, match="the held-out loss after step 1 is not finite") as stopped:
        pretrain(toy_start(params), plan, tmp_path, Onlooker())
    documents = {d for number in plan.sequences(0) for d in plan.train.documents(number)}
    assert f"rows {min(documents)}, " in str(stopped.value)


def test_a_batch_of_unknown_tokens_alone_has_nothing_to_guess_and_goes_by(tmp_path: Path) -> None:
    params = pretrain_params(batch_sequences=1, tokens=5 * 16)
    plan, onlooker = toy_plan(params), Onlooker()
    unknown = Tokens(np.ones(14, np.uint16), np.array([0, 14]))  # [UNK]: one sequence, every step's
    plan = replace(plan, train=replace(plan.train, tokens=unknown))
    pretrain(toy_start(params), plan, tmp_path, onlooker)
    assert onlooker.losses == [0.0] * 5


def test_a_step_that_is_not_finite_is_not_taken(tmp_path: Path) -> None:
    params = pretrain_params(clip_norm=1.0)
    start = toy_start(params)
    with torch.no_grad():
        start.model.get_output_embeddings().bias.fill_(float("inf"))
    before = _digest(start.model)
    with pytest.raises(InputError, match="last good checkpoint: none"):
        pretrain(start, toy_plan(params), tmp_path, Onlooker())
    assert _digest(start.model) == before


def test_a_gradient_that_is_not_finite_stops_though_the_loss_is(tmp_path: Path) -> None:
    start, onlooker = toy_start(pretrain_params()), Onlooker()
    bias = start.model.get_output_embeddings().bias
    bias.register_hook(lambda gradient: gradient * math.inf)
    before = _digest(start.model)
    with pytest.raises(InputError, match="the loss of step 1 or its gradient is not finite"):
        pretrain(start, toy_plan(pretrain_params()), tmp_path, onlooker)
    assert _digest(start.model) == before


def test_the_masking_rate_is_the_first_at_the_first_step_and_the_end_at_the_last() -> None:
    plan = toy_plan(pretrain_params(masking_rate=0.9, masking_rate_end=0.1, tokens=41 * 64))
    rates = [plan.masking_rate(step) for step in range(plan.steps)]
    assert rates == pytest.approx(np.linspace(0.9, 0.1, 41))
    of_a_row = [plan.batch(step).labels.shape[1] for step in (0, 40)]
    assert of_a_row == [14, 2]  # round(0.9 * 16), round(0.1 * 16)
    assert toy_plan(pretrain_params(masking_rate_end=0.1, tokens=64)).masking_rate(0) == 0.15
    assert {toy_plan(pretrain_params()).masking_rate(step) for step in range(12)} == {0.15}


def test_a_sequence_is_masked_anew_at_every_step() -> None:
    plan = toy_plan(pretrain_params())
    one_sequence = Tokens(np.arange(5, 15).astype(np.uint16), np.array([0, 10]))
    plan = replace(plan, train=replace(plan.train, tokens=one_sequence))
    first, again, second = plan.batch(0), plan.batch(0), plan.batch(1)
    assert plan.sequences(0) == plan.sequences(1) == [0] * 4
    np.testing.assert_array_equal(first.ids, again.ids)
    assert (first.ids != second.ids).any()
