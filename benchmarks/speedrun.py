"""Held-out loss that some minutes of training reach: ours against the tuned Trainer.

Needs build/tokenise, as `recipe` does. From scratch: on a processor BERT-mini, on a GPU BERT-base.
Each has its own best recipe and batch, and as many steps, known to its schedule, as fit into the
minutes at the speed of its first ones. Loading and the held-out loss are not counted. The rival is
the Trainer with no dropout, a warm-up, and what makes it fast in `pretrain`. On a processor its
learning rate is the best of 5e-4 and 1e-3 for ten minutes, chosen on other held-out rows; on a GPU
none was looked for.
"""

import functools
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from benchmarks.recipe import Corpus, params_of, read_corpus, train_ours, train_rival
from pipeline.encoder.allocator import keep_freed_memory
from pipeline.encoder.loading import device
from pipeline.encoder.loss import unigram_loss
from pipeline.encoder.precision import best_precision
from pipeline.params import PretrainParams

MINUTES, SEED = 10.0, 1
_FEW = 10  # steps of the run whose seconds, less those of its steps, a longer run needs too
_PROBED = 0.1  # of the minutes, in which the speed is measured


class Size(NamedTuple):
    """A model, and how each of the two trains it."""

    name: str
    shape: dict[str, Any]
    ours: dict[str, Any]
    rival: dict[str, Any]


_SIZES = {
    "cpu": Size(
        "BERT-mini 4x256",
        {"layers": 4, "hidden": 256},
        {"batch_sequences": 16, "learning_rate": 3e-3},
        {"batch_sequences": 16, "learning_rate": 5e-4},
    ),
    "cuda": Size(
        "BERT-base 12x768",
        {"layers": 12, "hidden": 768},
        {"batch_sequences": 256, "learning_rate": 1e-3, "compile": True},
        {"batch_sequences": 256, "learning_rate": 5e-4, "compile": True},
    ),
}


def compare(minutes: float = MINUTES) -> list[str]:
    """Train both for so long; return a Markdown table of held-out losses in nats a token."""
    corpus, size = read_corpus(), _SIZES[device().type]
    keep_freed_memory()
    where = f"{torch.get_num_threads()} threads, {device().type}, {best_precision(device())}"
    lines = [
        f"{size.name}, V={corpus.train.vocabulary.size}; {minutes:g} minutes on {where}",
        "",
        "| run | tokens seen | seconds | held-out loss |",
        "|---|---|---|---|",
    ]
    runs: dict[str, tuple[Callable[[PretrainParams, Corpus], float], dict[str, Any]]] = {
        "ours": (train_ours, size.ours),
        "tuned Trainer": (functools.partial(train_rival, fast=True), size.rival),
    }
    for name, (train, own) in runs.items():
        base = params_of(1, SEED).model_copy(update=size.shape | own)
        tokens, seconds, loss = _run(train, base, corpus, 60 * minutes)
        lines.append(f"| {name} | {tokens:,} | {seconds:.0f} | {loss:.2f} |")
    unigram = unigram_loss(corpus.shares(), corpus.scored)
    return [*lines, "", f"Guessing each token by its share of the corpus has {unigram:.2f}."]


def _run(
    train: Callable[[PretrainParams, Corpus], float],
    base: PretrainParams,
    corpus: Corpus,
    limit_s: float,
) -> tuple[int, float, float]:
    """Return the tokens that fit into the seconds, the seconds that they took, and the loss."""

    def take(steps: int) -> tuple[int, float, float]:
        tokens = steps * base.batch_sequences * base.seq_len_tokens
        started = time.perf_counter()
        loss = train(base.model_copy(update={"tokens": tokens}), corpus)
        return tokens, time.perf_counter() - started, loss

    take(_FEW)  # what is compiled is compiled for the first run only
    few_s = more_s = take(_FEW)[1]
    steps = _FEW
    while more_s - few_s < _PROBED * limit_s:
        steps *= 2
        more_s = take(steps)[1]
    step_s = (more_s - few_s) / (steps - _FEW)
    tokens, seconds, loss = take(round(limit_s / step_s))
    return tokens, seconds - (few_s - _FEW * step_s), loss
