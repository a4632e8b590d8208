"""A stage's progress on the terminal: a bar, or lines where the output is not a terminal."""

import sys
import time
from collections.abc import Mapping
from typing import Self, TextIO

import rich.progress
from rich.console import Console

_LINE_EVERY_S = 10.0
_BAR_EVERY_S = 0.1


class Display:
    """The progress of one stage; use as a context manager."""

    def __init__(self, stage: str, stream: TextIO | None = None) -> None:
        self._stage = stage
        self._stream = stream or sys.stdout
        self._started = time.monotonic()
        self._next = 0.0  # no update is shown before this time
        self._bar = _bar(self._stream) if self._stream.isatty() else None
        self._task: rich.progress.TaskID | None = None

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        else:
            self._line("started")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._bar:
            self._bar.stop()
        seconds = time.monotonic() - self._started
        self._line(f"{'failed' if kind else 'done'} in {seconds:.1f} s")

    def update(self, done: int, total: int, unit: str, fields: Mapping[str, float]) -> None:
        """Show the progress, unless the last update was too recent; the end is always shown."""
        now = time.monotonic()
        if now < self._next and done < total:
            return
        self._next = now + (_BAR_EVERY_S if self._bar else _LINE_EVERY_S)
        words = "  ".join(f"{name} {value:.4g}" for name, value in fields.items())
        if self._bar:
            self._move(self._bar, done, total, unit, words)
        else:
            self._line(f"{done}/{total} {unit}  {words}".rstrip())

    def _move(
        self, bar: rich.progress.Progress, done: int, total: int, unit: str, words: str
    ) -> None:
        if self._task is None:
            self._task = bar.add_task(self._stage, total=total, unit=unit, words=words)
        bar.update(self._task, completed=done, total=total, unit=unit, words=words)

    def _line(self, text: str) -> None:
        print(f"{self._stage}: {text}", file=self._stream, flush=True)


def _bar(stream: TextIO) -> rich.progress.Progress:
    return rich.progress.Progress(
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.TextColumn("{task.completed}/{task.total} {task.fields[unit]}"),
        rich.progress.TextColumn("{task.fields[words]}"),
        rich.progress.TimeRemainingColumn(),
        console=Console(file=stream),
    )
