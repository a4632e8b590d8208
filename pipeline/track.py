"""How a stage reports while it runs. adapters/runs.py passes it on to the terminal and MLflow."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol


class Track(Protocol):
    """The receiver of a stage's metrics, progress, inputs and artifacts."""

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Record values at a step (of the optimiser, or 0 for a stage with none)."""

    def progress(self, done: int, total: int, unit: str, **fields: float) -> None:
        """Report that ``done`` of ``total`` units are done; may be called at every step."""

    def dataset(self, name: str, path: Path, rows: int, digest: str) -> None:
        """Record that the stage read this data."""

    def artifact(self, path: Path) -> None:
        """Keep this file or folder with the run."""


class Silent:
    """A `Track` that keeps nothing, for use as a library and in tests."""

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Do nothing."""

    def progress(self, done: int, total: int, unit: str, **fields: float) -> None:
        """Do nothing."""

    def dataset(self, name: str, path: Path, rows: int, digest: str) -> None:
        """Do nothing."""

    def artifact(self, path: Path) -> None:
        """Do nothing."""


@contextlib.contextmanager
def timed(track: Track, name: str) -> Iterator[None]:
    """Record the seconds that the block takes as a metric."""
    started = time.monotonic()
    yield
    track.metrics({name: time.monotonic() - started}, step=0)
