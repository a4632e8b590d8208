"""What it costs to report the progress of pretraining, against not reporting it.

Every second step of one run is reported to the terminal, the run file and MLflow's recorder; the
steps between are not. The recorder is a process of its own, and starts before the first step; on a
machine with a core to spare its work takes none of the run's time.
"""

import contextlib
import math
import statistics
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.pretrain import Shape, params_of, synthetic_run
from pipeline import files, layout
from pipeline.adapters.runs import stage_run
from pipeline.encoder.pretraining import pretrain
from pipeline.encoder.watch import Position, Unwatched, Watch
from pipeline.stages.pretrain import Progress

SHAPE = Shape("BERT-mini 4x256, V=8k", 4, 256, 8192, 2, 2)  # steps as short as they come
STEPS, WARM_STEPS = 400, 10
_RECORDER_S = 120.0  # to start, at most


class _EverySecond(Unwatched):
    """Passes every second step on, and notes how long that and each step take."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._last = time.perf_counter()
        self.steps: list[float] = []  # seconds; every second one is with the watcher's
        self.watching: list[float] = []  # seconds, of the watched steps

    def step(self, position: Position, loss: float, learning_rate: float) -> None:
        """Watch a step of an even number."""
        if position.step % 2 == 0:
            started = time.perf_counter()
            self._watch.step(position, loss, learning_rate)
            self.watching.append(time.perf_counter() - started)
        now = time.perf_counter()
        self.steps.append(now - self._last)
        self._last = now


def compare() -> list[str]:
    """Time a run; return the cost of reporting, and the ratio of reported steps to the others."""
    watch, recorder_s = _run()
    steps, watching = watch.steps[WARM_STEPS:], watch.watching[WARM_STEPS // 2 :]
    with_it, without = steps[1::2], steps[::2]
    share = sum(watching) / sum(with_it)
    recorder = recorder_s / sum(watch.steps)
    logs = [math.log(a / b) for a, b in zip(with_it, without, strict=True)]
    mean, error = statistics.fmean(logs), statistics.stdev(logs) / math.sqrt(len(logs))
    low, high = (math.exp(mean + side * 1.96 * error) for side in (-1, 1))
    shape = f"{SHAPE.name}, {SHAPE.batch_sequences} sequences of 128 a step"
    ratio = f"{math.exp(mean):.3f} [{low:.3f}, {high:.3f}]"
    return [
        f"{shape}; {len(logs)} steps of each kind, {statistics.median(without):.3f} s each",
        "",
        f"Inside the watcher: {share:.2%} of a watched step's time. The recorder's processor time:",
        f"{recorder:.2%} of the run's.",
        f"A watched step's time is {ratio} times its neighbour's, with a 95% interval.",
    ]


def _run() -> tuple[_EverySecond, float]:
    """Return the steps' times, and the recorder's processor seconds during them."""
    params = params_of(SHAPE, STEPS)
    start, plan = synthetic_run(SHAPE, params)
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),
        stage_run("pretrain", params) as track,
    ):
        _wait_for_recorder()
        before = _children_s()
        watch = _EverySecond(Progress(plan, track))
        pretrain(start, plan, Path("checkpoints"), watch)
        spent = _children_s() - before
    return watch, spent


def _children_s() -> float:
    """Return the processor seconds of this process's children so far."""
    times = [child.cpu_times() for child in psutil.Process().children()]
    return sum(each.user + each.system for each in times)


def _wait_for_recorder() -> None:
    """Let it make its database and its run, which take seconds and are there once."""
    until = time.monotonic() + _RECORDER_S
    while files.read_json(layout.run_path("pretrain"))["mlflow_run_id"] is None:
        assert time.monotonic() < until, "the recorder does not start"
        time.sleep(0.1)
