"""Training loops that take turns, one step each, so that a slow machine slows all of them."""

import multiprocessing
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from pipeline.encoder.loading import device
from pipeline.encoder.probe import peak_mib

Pause = Callable[[], None]
_WARM_STEPS = 3
_ENDED = "the loop ended before the comparison"


class _Stopped(BaseException):
    """Unwinds a loop of which no more steps are wanted."""


class Loop:
    """A training loop in a thread of its own; it calls ``pause`` after each of its steps."""

    def __init__(self, run: Callable[[Pause], None]) -> None:
        self._thread = threading.Thread(target=self._run, args=(run,), daemon=True)
        self._go, self._stepped = threading.Semaphore(0), threading.Semaphore(0)
        self._stopped = False
        self._error: BaseException | None = None

    def step(self) -> float:
        """Let the loop take one step; return its seconds."""
        started = time.perf_counter()
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._go.release()
        self._stepped.acquire()
        if self._error:
            raise self._error
        return time.perf_counter() - started

    def stop(self) -> None:
        """End the loop where it waits."""
        self._stopped = True
        self._go.release()
        self._thread.join()

    def _run(self, run: Callable[[Pause], None]) -> None:
        try:
            run(self._pause)
            self._error = RuntimeError(_ENDED)
        except _Stopped:
            return
        except BaseException as error:  # it is raised where `step` waits
            self._error = error
        self._stepped.release()

    def _pause(self) -> None:
        self._stepped.release()
        self._go.acquire()
        if self._stopped:
            raise _Stopped


class Apart(Loop):
    """A loop in a process of its own, which has its own allocator and threads.

    ``run`` is a function that can be pickled, and goes on for ever. ``peak_mib`` is the most memory
    that it has held, of its GPU's where it has one.
    """

    def __init__(self, run: Callable[[Pause], None]) -> None:
        self.peak_mib = 0.0
        spawn = multiprocessing.get_context("spawn")
        self._pipe, self._theirs = spawn.Pipe()
        self._process = spawn.Process(target=_repeat, args=(run, self._theirs), daemon=True)

    def step(self) -> float:
        """Let the loop take one step; return its seconds."""
        started = time.perf_counter()
        if self._process.pid is None:
            self._process.start()
            self._theirs.close()  # so that the end of the process is the end of the pipe
        else:
            self._pipe.send(None)
        said = self._pipe.recv()
        if isinstance(said, Exception):
            raise said
        self.peak_mib = said
        return time.perf_counter() - started

    def stop(self) -> None:
        """End the loop where it waits."""
        self._process.kill()
        self._process.join()


def _repeat(run: Callable[[Pause], None], pipe: Any) -> None:
    def pause() -> None:
        if device().type == "cuda":
            torch.cuda.synchronize()
        pipe.send(peak_mib(device()))
        pipe.recv()

    multiprocessing.current_process().daemon = False  # here: it may have loaders of its own
    try:
        run(pause)
        pipe.send(RuntimeError(_ENDED))
    except Exception as error:
        pipe.send(error)


def time_steps(loops: Mapping[str, Loop], rounds: int) -> dict[str, list[float]]:
    """Return each loop's seconds a step, a value a round; the first steps are for warming up."""
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for number in range(_WARM_STEPS + rounds):
        for name, loop in loops.items():
            spent = loop.step()
            if number >= _WARM_STEPS:
                seconds[name].append(spent)
    for loop in loops.values():
        loop.stop()
    return seconds


class Spread(NamedTuple):
    """A ratio over the rounds."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def spread(ratios: Sequence[float]) -> Spread:
    """Return the median with the least and the greatest."""
    return Spread(statistics.median(ratios), min(ratios), max(ratios))
