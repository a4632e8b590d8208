"""The loader alone against the training that it feeds: the seconds of a step in turns."""

import itertools

import torch

from benchmarks.lockstep import Loop, Pause, spread, time_steps
from benchmarks.pretrain import ROUNDS, SHAPES, params_of, run_ours, synthetic_run

SHAPE = SHAPES[0]


def compare() -> list[str]:
    """Time both; return the ratio of the rates."""
    loops = {"train": Loop(lambda pause: run_ours(SHAPE, pause)), "load": Loop(_load)}
    seconds = time_steps(loops, ROUNDS)
    pairs = zip(seconds["train"], seconds["load"], strict=True)
    ratio = spread([train / load for train, load in pairs])
    where = f"{torch.get_num_threads()} threads; {ROUNDS} rounds"
    return [
        f"{SHAPE.name}, {SHAPE.batch_sequences} sequences of 128 a step, {where}",
        "",
        f"Batches are packed and masked {ratio} times as fast as the model trains on them.",
    ]


def _load(pause: Pause) -> None:
    _, plan = synthetic_run(SHAPE, params_of(SHAPE))
    for step in itertools.count():
        plan.batch(step)
        pause()
