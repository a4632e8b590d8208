"""An estimate of a run's time and memory from its first steps."""

import contextlib
import math
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from pipeline.encoder import ranks as groups
from pipeline.encoder.model import Start
from pipeline.encoder.pretraining import Plan, pretrain
from pipeline.encoder.watch import Position, Unwatched

_KIB = 1 if sys.platform == "linux" else 1024  # ru_maxrss is in KiB, on macOS in bytes


@dataclass(frozen=True)
class Probe:
    """What the first seconds of a run show about the whole."""

    parameters: int
    steps: int  # taken
    first_step_s: float  # with all that is done once: compiling, where that is asked for
    tokens_per_s: float  # after the first step, which also warms up
    seconds: float  # of the whole run's steps, with what comes between those that were taken
    peak_mib: float  # of this process, or of its GPU where there is one


class _EnoughError(Exception):
    """The probe is over."""


class _Stopwatch(Unwatched):
    """Ends a run once it has had its seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ranks = groups.join()
        self.times: list[float] = []
        self.tokens: list[int] = []

    def step(self, position: Position, loss: float, learning_rate: float) -> None:  # noqa: ARG002
        """Note the time; stop where enough was seen."""
        self.times.append(time.perf_counter())
        self.tokens.append(position.tokens)
        spent = groups.total(self._ranks, self.times[-1] - self.times[0])[0]
        if len(self.times) > 1 and spent > self._seconds * self._ranks.num_processes:
            raise _EnoughError  # in all processes at once


def probe(start: Start, plan: Plan, seconds: float) -> Probe:
    """Train for some seconds, or to the plan's end if that comes first; no checkpoint is kept.

    One step gives no rate, so the plan must have at least two.
    """
    started = time.perf_counter()
    watch = _Stopwatch(seconds)
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(_EnoughError):
        pretrain(start, plan, Path(folder), watch)
    spent = watch.times[-1] - watch.times[0]
    rate = (watch.tokens[-1] - watch.tokens[0]) / spent
    return Probe(
        parameters=sum(weights.numel() for weights in start.model.parameters()),
        steps=len(watch.times),
        first_step_s=watch.times[0] - started,
        tokens_per_s=rate,
        seconds=plan.params.tokens / rate,
        peak_mib=peak_mib(start.model.device),
    )


def pays_from_tokens(plain: Probe, compiled: Probe) -> float:
    """Return how many tokens a run needs for compiling to save time; infinite if it never does."""
    saved_s = 1 / plain.tokens_per_s - 1 / compiled.tokens_per_s  # a token
    extra_s = max(0.0, compiled.first_step_s - plain.first_step_s)
    return extra_s / saved_s if saved_s > 0 else math.inf


def peak_mib(device: torch.device) -> float:
    """Return the most MiB that this process has held, of the device's memory."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB / 1024
