"""Masked-language-model pretraining: the loop, and where it stands.

The sequences, masks and dropout of a step are functions of (seed, step), so a run that was
killed and resumed from a checkpoint takes the very steps that it would have taken.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from pipeline.encoder import checkpoint as checkpoints
from pipeline.encoder.batches import Draw, Packing, step_sequences
from pipeline.encoder.checkpoint import Checkpoint
from pipeline.encoder.loss import heldout_loss, masked_loss
from pipeline.encoder.masking import MaskedBatch, mask_tokens
from pipeline.encoder.model import Start
from pipeline.encoder.optimiser import (
    Optimisers,
    new_optimisers,
    read_moments,
    schedule,
    set_learning_rates,
    take_step,
    write_moments,
)
from pipeline.encoder.precision import Precision
from pipeline.errors import InputError
from pipeline.params import PretrainParams
from pipeline.reports import CurvePoint

_CURVE_POINTS = 100  # about so many of the training loss, whatever the number of steps


@dataclass(frozen=True)
class Plan:
    """What the result of a run depends on, besides the model it starts from."""

    params: PretrainParams
    train: Packing
    heldout: Sequence[MaskedBatch]
    precision: Precision

    @property
    def steps(self) -> int:
        """Optimiser steps in all: the first number of whole batches with ``params.tokens``."""
        return math.ceil(
            self.params.tokens / (self.params.batch_sequences * self.params.seq_len_tokens)
        )

    def sequences(self, step: int) -> list[int]:
        """Return the numbers of the sequences of a step."""
        params = self.params
        drawn = step_sequences(step, params.batch_sequences, self.train.sequences, params.seed)
        numbers: list[int] = drawn.tolist()
        return numbers

    def batch(self, step: int) -> MaskedBatch:
        """Return the masked batch of a step counted from 0."""
        params = self.params
        return mask_tokens(
            self.train.rows(np.array(self.sequences(step))),
            self.train.vocabulary,
            self.masking_rate(step),
            [params.seed, Draw.MASKS, step],
            whole_words=params.whole_words,
        )

    def masking_rate(self, step: int) -> float:
        """Return the rate of a step: linear from the first to the last (Ankner et al. 2024)."""
        first, last = self.params.masking_rate, self.params.masking_rate_end
        return first if last is None else first + (last - first) * step / self.steps

    def evaluates(self, done: int) -> bool:
        """Whether the held-out loss is taken after so many steps."""
        return done % self.params.heldout_every_steps == 0 or done == self.steps

    def marks(self, done: int) -> bool:
        """Whether the curve has a point after so many steps."""
        return self.evaluates(done) or done % math.ceil(self.steps / _CURVE_POINTS) == 0


@dataclass(frozen=True)
class Position:
    """Where a run stands."""

    step: int = 0  # steps done
    tokens: int = 0  # seen, padding left out
    losses: tuple[float, ...] = ()  # of the steps since the curve's last point
    curve: tuple[CurvePoint, ...] = ()

    def after(self, loss: float, tokens: int) -> "Position":
        """Return the position one step on."""
        return replace(
            self, step=self.step + 1, tokens=self.tokens + tokens, losses=(*self.losses, loss)
        )

    def marked(self, learning_rate: float, heldout: float | None) -> "Position":
        """Return the position with a point added to the curve."""
        point = CurvePoint(
            step=self.step,
            tokens=self.tokens,
            loss=math.fsum(self.losses) / len(self.losses),
            learning_rate=learning_rate,
            heldout_loss=heldout,
        )
        return replace(self, losses=(), curve=(*self.curve, point))


class Watch(Protocol):
    """Who looks on."""

    def step(self, position: Position, loss: float, learning_rate: float) -> None:
        """After every step, with its own loss."""

    def point(self, point: CurvePoint) -> None:
        """At every point of the curve."""

    def say(self, message: str) -> None:
        """At what a person should know: a resumption, a damaged checkpoint."""


def pretrain(start: Start, plan: Plan, folder: Path, watch: Watch) -> Position:
    """Train ``start.model`` in place to the end of the plan; resume if ``folder`` allows it.

    Returns:
        The position at the end, its curve in nats a masked token.

    Raises:
        InputError: where the loss or its gradient is not finite, naming the step, the
            documents in its batch and the last checkpoint.
    """
    params, model = plan.params, start.model
    optimisers = new_optimisers(model, start.new, params)
    position = _resume(model, optimisers, folder, watch)
    model.train()
    while position.step < plan.steps:
        batch = plan.batch(position.step)
        factor = schedule(position.step, plan.steps, params.warmup_share)
        set_learning_rates(optimisers, factor)
        _seed_dropout(params.seed, position.step)
        loss = _take_step(model, optimisers, batch, plan)
        if math.isnan(loss):
            raise _not_finite(plan, position.step, folder)
        position = position.after(loss, batch.tokens)
        rate = factor * params.learning_rate
        watch.step(position, loss, rate)
        if plan.marks(position.step):
            heldout = _evaluate(model, plan) if plan.evaluates(position.step) else None
            position = position.marked(rate, heldout)
            watch.point(position.curve[-1])
        if position.step % params.checkpoint_every_steps == 0 and position.step < plan.steps:
            _save(model, optimisers, position, folder)
    model.eval()
    return position


def _evaluate(model: Any, plan: Plan) -> float:
    return heldout_loss(model, plan.heldout, plan.precision)


def _take_step(model: Any, optimisers: Optimisers, batch: MaskedBatch, plan: Plan) -> float:
    """One optimiser step on the mean loss over the batch's guesses, in micro-batches.

    Returns the mean loss; NaN, and no step is taken, where it or a gradient is not finite.
    """
    loss = 0.0
    for part in batch.split(plan.params.accumulate):
        part_loss = masked_loss(model, part, plan.precision) / batch.guesses
        part_loss.backward()
        loss += part_loss.item()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), plan.params.clip_norm)
    if not (math.isfinite(loss) and torch.isfinite(norm)):
        return math.nan
    take_step(optimisers)
    return loss


def _seed_dropout(seed: int, step: int) -> None:
    key = np.random.default_rng([seed, Draw.DROPOUT, step]).integers(1 << 63)
    torch.manual_seed(int(key))


def _not_finite(plan: Plan, step: int, folder: Path) -> InputError:
    numbers = plan.sequences(step)
    documents = sorted({row for number in numbers for row in plan.train.documents(number)})
    last = checkpoints.last_checkpoint(folder)
    return InputError(
        f"pretrain: the loss of step {step + 1} or its gradient is not finite; "
        f"its batch holds the training corpus's rows {_shorten(documents)}; "
        f"last good checkpoint: {last or 'none'}; "
        "lower pretrain.learning_rate, or look at those rows"
    )


def _shorten(numbers: list[int], limit: int = 20) -> str:
    shown = ", ".join(str(number) for number in numbers[:limit])
    return shown if len(numbers) <= limit else f"{shown} and {len(numbers) - limit} more"


def _save(model: Any, optimisers: Optimisers, position: Position, folder: Path) -> None:
    weights = {name: tensor.detach() for name, tensor in model.named_parameters()}
    state = {
        "tokens": position.tokens,
        "losses": position.losses,
        "curve": [point.model_dump() for point in position.curve],
    }
    moments = read_moments(model, optimisers)
    checkpoints.write_checkpoint(folder, Checkpoint(position.step, weights, moments, state))


def _resume(model: Any, optimisers: Optimisers, folder: Path, watch: Watch) -> Position:
    """Put the last whole checkpoint into the model and the optimiser, if there is one."""
    saved = checkpoints.read_checkpoint(folder, watch.say)
    if saved is None:
        return Position()
    with torch.no_grad():
        for name, weights in model.named_parameters():
            weights.copy_(saved.weights[name])
    write_moments(model, optimisers, saved.moments)
    return _position(saved.step, saved.state)


def _position(step: int, state: Mapping[str, Any]) -> Position:
    curve = tuple(CurvePoint.model_validate(point) for point in state["curve"])
    return Position(step, state["tokens"], tuple(state["losses"]), curve)
