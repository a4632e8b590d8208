"""Masked-language-model pretraining: the loop, and where it stands.

The sequences, masks and dropout of a step are functions of (seed, step), so a run that was
killed and resumed from a checkpoint takes the very steps that it would have taken. Several
processes share out a step's batch: the loss and its gradient are those of one process on all of
it, but for the order of sums (and dropout, which each draws for its own rows).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import nn

from pipeline.encoder import checkpoint as checkpoints
from pipeline.encoder import ranks as groups
from pipeline.encoder.allocator import keep_freed_memory
from pipeline.encoder.batches import WHOLE, Draw, Packing, Share, step_sequences
from pipeline.encoder.checkpoint import Checkpoint
from pipeline.encoder.loss import MaskedLoss, batch_loss, mean_loss
from pipeline.encoder.masking import MaskedBatch, mask_tokens
from pipeline.encoder.model import Start
from pipeline.encoder.optimiser import (
    Optimisers,
    moment_like,
    new_optimisers,
    read_moments,
    schedule,
    set_learning_rates,
    take_step,
    write_moments,
)
from pipeline.encoder.precision import Precision, check_compiler, use_tensor_cores
from pipeline.encoder.watch import Position, Watch
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

    def batch(self, step: int, share: Share = WHOLE) -> MaskedBatch:
        """Return the masked batch of a step counted from 0, or a share of its rows."""
        params = self.params
        return mask_tokens(
            self.train.rows(share.take(np.array(self.sequences(step)))),
            self.train.vocabulary,
            self.masking_rate(step),
            [params.seed, Draw.MASKS, step],
            whole_words=params.whole_words,
            share=share,
        )

    def masking_rate(self, step: int) -> float:
        """Return the rate of a step: linear from the first to the last (Ankner et al. 2024)."""
        first, last = self.params.masking_rate, self.params.masking_rate_end
        share = step / max(1, self.steps - 1)  # of the way
        return first if last is None else first + (last - first) * share

    def evaluates(self, done: int) -> bool:
        """Whether the held-out loss is taken after so many steps."""
        return done % self.params.heldout_every_steps == 0 or done == self.steps

    def marks(self, done: int) -> bool:
        """Whether the curve has a point after so many steps."""
        return self.evaluates(done) or done % math.ceil(self.steps / _CURVE_POINTS) == 0


def batches_ahead(plan: Plan, step: int, share: Share = WHOLE) -> Iterator[MaskedBatch]:
    """Yield the batches from ``step`` to the end, making the next one while one is used."""
    with ThreadPoolExecutor(1) as maker:
        made = None
        for each in range(step, plan.steps):
            batch = made.result() if made else plan.batch(each, share)
            made = maker.submit(plan.batch, each + 1, share) if each + 1 < plan.steps else None
            yield batch


def pretrain(start: Start, plan: Plan, folder: Path, watch: Watch) -> Position:
    """Train ``start.model`` in place to the end of the plan; resume if ``folder`` allows it.

    All processes of a run call it alike; the folder is read and written by process 0 only.

    Returns:
        The position at the end, its curve in nats a masked token.

    Raises:
        InputError: where the loss, its gradient, the held-out loss or a weight of a checkpoint
            is not finite, naming the step, the documents in its batch and the last checkpoint.
    """
    params = plan.params
    trained = _set_up(start, plan)
    ranks, optimisers = trained.ranks, trained.optimisers
    position = _resume(trained, folder, watch)
    share = Share(ranks.process_index, ranks.num_processes)
    trained.objective.train()
    for batch in batches_ahead(plan, position.step, share):
        guesses, tokens = groups.total(ranks, batch.guesses, batch.tokens)
        factor = schedule(position.step, plan.steps, params.warmup_share)
        set_learning_rates(optimisers, factor)
        _seed_dropout(params.seed, position.step, ranks.process_index)
        loss = _take_step(trained, batch, max(1, guesses), plan)  # of [UNK] alone there are none
        if math.isnan(loss):
            what = f"the loss of step {position.step + 1} or its gradient is"
            raise _not_finite(what, plan, position.step, folder)
        position = position.after(loss, int(tokens))
        rate = factor * params.learning_rate
        watch.step(position, loss, rate)
        if plan.marks(position.step):
            heldout = _evaluate(trained, plan, position.step, folder)
            position = position.marked(rate, heldout)
            watch.point(position.curve[-1])
        if position.step % params.checkpoint_every_steps == 0 and position.step < plan.steps:
            _save(trained, plan, position, folder)
    if trained.model is not start.model:
        groups.take_back(trained.model, start.model)
    start.model.eval()
    return position


@dataclass(frozen=True)
class _Trained:
    """What a step changes and what it needs for that."""

    model: Any  # of start, or where its weights are spread over the processes a copy of it
    objective: nn.Module  # its `MaskedLoss`, wrapped
    optimisers: Optimisers
    ranks: Accelerator


def _set_up(start: Start, plan: Plan) -> _Trained:
    ranks, sharding = groups.join(), plan.params.sharding
    use_tensor_cores(ranks.device)
    keep_freed_memory()
    if plan.params.gradient_checkpointing:
        start.model.activation_checkpointing_enable({"use_reentrant": False})
    spread = ranks.num_processes > 1 and sharding != "none"
    model = groups.set_aside(start.model) if spread else start.model
    by_module = spread or plan.params.gradient_checkpointing
    loss = MaskedLoss(model, plan.precision, by_module)
    if plan.params.compile:
        check_compiler(ranks.device)
        loss.compile(dynamic=False, fullgraph=True)
    objective = groups.spread(loss, ranks, sharding)
    optimisers = new_optimisers(model, start.new, plan.params, plan.precision)
    return _Trained(model, objective, optimisers, ranks)


def _evaluate(trained: _Trained, plan: Plan, done: int, folder: Path) -> float | None:
    """Return the held-out loss after so many steps, if it is taken then.

    All processes evaluate all of it: the loss has the bits that it has in one process.
    """
    if not plan.evaluates(done):
        return None
    loss = mean_loss(trained.objective, plan.heldout, trained.ranks.device)
    if not math.isfinite(loss):
        raise _not_finite(f"the held-out loss after step {done} is", plan, done - 1, folder)
    return loss


def _take_step(trained: _Trained, batch: MaskedBatch, guesses: float, plan: Plan) -> float:
    """One optimiser step on the mean loss over all processes' ``guesses``, in micro-batches.

    The backward pass averages over the processes, whose shares have different numbers of guesses:
    each share's sum is divided by the number in all, and what averaging divides by is given back.

    Returns the mean loss; NaN, and no step is taken, where it or a gradient is not finite.
    """
    ranks, loss = trained.ranks, 0.0
    parts = list(batch.split(plan.params.accumulate))
    for part in parts:
        with groups.reducing(trained.objective, part is parts[-1]):
            summed = batch_loss(trained.objective, part, ranks.device)
            part_loss = summed * ranks.num_processes / guesses
            part_loss.backward()
        loss += part_loss.item()
    loss = groups.total(ranks, loss / ranks.num_processes)[0]
    norm = nn.utils.clip_grad_norm_(trained.model.parameters(), plan.params.clip_norm)
    if not (math.isfinite(loss) and torch.isfinite(groups.whole(norm))):
        return math.nan
    take_step(trained.optimisers)
    return loss


def _seed_dropout(seed: int, step: int, rank: int) -> None:
    key = [seed, Draw.DROPOUT, step, *([rank] if rank else [])]
    torch.manual_seed(int(np.random.default_rng(key).integers(1 << 63)))


def _not_finite(what: str, plan: Plan, step: int, folder: Path) -> InputError:
    numbers = plan.sequences(step)
    documents = sorted({row for number in numbers for row in plan.train.documents(number)})
    last = checkpoints.last_checkpoint(folder, step)
    return InputError(
        f"pretrain: {what} not finite; "
        f"the step's batch holds the training corpus's rows {_shorten(documents)}; "
        f"last good checkpoint: {last or 'none'}; "
        "lower pretrain.learning_rate, or look at those rows"
    )


def _shorten(numbers: list[int], limit: int = 20) -> str:
    shown = ", ".join(str(number) for number in numbers[:limit])
    return shown if len(numbers) <= limit else f"{shown} and {len(numbers) - limit} more"


def _save(trained: _Trained, plan: Plan, position: Position, folder: Path) -> None:
    """Write a checkpoint that holds the whole state, however many processes share it."""
    ranks, model = trained.ranks, trained.model
    if not all(torch.isfinite(groups.whole(each.detach())).all() for each in model.parameters()):
        what = f"the weights after step {position.step} are"  # as the next step's loss would be
        raise _not_finite(what, plan, position.step - 1, folder)
    weights = groups.collect(dict(model.named_parameters()), ranks)
    moments = groups.collect(read_moments(model, trained.optimisers), ranks)
    state = {
        "tokens": position.tokens,
        "losses": position.losses,
        "curve": [point.model_dump() for point in position.curve],
    }
    if ranks.is_main_process:
        checkpoints.write_checkpoint(folder, Checkpoint(position.step, weights, moments, state))


def _resume(trained: _Trained, folder: Path, watch: Watch) -> Position:
    """Put the last whole checkpoint into the model and the optimiser, if there is one.

    Process 0 reads it and sends it to the others, which need not see its disk.
    """
    first = trained.ranks.is_main_process
    saved = checkpoints.read_checkpoint(folder, watch.say) if first else None
    known: list[Any] = [(saved.step, saved.state, sorted(saved.moments)) if saved else None]
    broadcast_object_list(known)
    if known[0] is None:
        return Position()
    step, state, names = known[0]
    weights, moments = (saved.weights, saved.moments) if saved else ({}, {})
    parameters = dict(trained.model.named_parameters())
    with torch.no_grad():
        for name, tensor in parameters.items():
            tensor.copy_(groups.receive(weights.get(name), tensor))
        received = {
            name: groups.receive(moments.get(name), moment_like(name, parameters)) for name in names
        }
    write_moments(trained.model, trained.optimisers, received)
    return _position(step, state)


def _position(step: int, state: Mapping[str, Any]) -> Position:
    curve = tuple(CurvePoint.model_validate(point) for point in state["curve"])
    return Position(step, state["tokens"], tuple(state["losses"]), curve)
