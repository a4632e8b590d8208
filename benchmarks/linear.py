"""A linear head by our L-BFGS against the loop that people usually write: Adam over batches.

The features are synthetic, as wide and as many as the default's, with two labels that are not
linearly separable. Ours ends at the optimum. Adam has `EPOCHS` epochs at 1e-3 with batches of 32,
and ends above it.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.lockstep import Loop, Pause, spread, time_steps
from pipeline.encoder.fitting import one_thread
from pipeline.encoder.linear import Problem, solve

ROUNDS, ROWS, WIDTH, EPOCHS, BATCH_ROWS = 7, 4096, 384, 10, 32
L2, RATE = 1e-3, 1e-3


def compare() -> list[str]:
    """Time both; return the ratio of seconds, and by how much Adam's loss is above the optimum."""
    problem = synthetic_problem()
    loops = {
        "ours": Loop(lambda pause: _repeat(pause, lambda: solve(problem))),
        "adam": Loop(lambda pause: _repeat(pause, lambda: fit_by_adam(problem))),
    }
    with one_thread():
        seconds = time_steps(loops, ROUNDS)
        above = loss(fit_by_adam(problem), problem) - solve(problem).loss
    pairs = zip(seconds["ours"], seconds["adam"], strict=True)
    ratio = spread([adam / ours for ours, adam in pairs])
    return [
        f"{ROWS} rows x {WIDTH}, two labels, 1 thread; {ROUNDS} rounds",
        "",
        f"{EPOCHS} epochs of Adam take {ratio} times as long, and end {above:.5f} nats above the",
        "optimum, where ours ends.",
    ]


def synthetic_problem() -> Problem:
    """Return standard normal features, and labels drawn by a logistic model of some of them."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((ROWS, WIDTH)).astype(np.float32)
    odds = features[:, :20] @ rng.standard_normal(20) / 2
    labels = (rng.random(ROWS) < 1 / (1 + np.exp(-odds))).astype(np.int64)
    return Problem(
        torch.from_numpy(features), torch.from_numpy(labels), torch.ones(ROWS), classes=2, l2=L2
    )


def fit_by_adam(problem: Problem) -> nn.Linear:
    """Train a linear layer as a hand-written loop does."""
    layer = nn.Linear(WIDTH, problem.classes)
    optimiser = torch.optim.Adam(layer.parameters(), lr=RATE)
    for _ in range(EPOCHS):
        for rows in torch.randperm(ROWS).split(BATCH_ROWS):
            losses = F.cross_entropy(layer(problem.features[rows]), problem.labels[rows])
            optimiser.zero_grad()
            (losses + problem.l2 / 2 * layer.weight.square().sum()).backward()
            optimiser.step()
    return layer


def loss(layer: nn.Linear, problem: Problem) -> float:
    """Return the loss of all rows, penalty included."""
    with torch.no_grad():
        rows = F.cross_entropy(layer(problem.features), problem.labels)
        return float(rows + problem.l2 / 2 * layer.weight.square().sum())


def _repeat(pause: Pause, run: Callable[[], object]) -> None:
    while True:
        run()
        pause()
