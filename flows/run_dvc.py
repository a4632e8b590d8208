"""``python -m flows.run_dvc END``: one process that runs `dvc` commands, one after another.

Each line of its input is a command's arguments in JSON. After the command's own output it prints
``END`` and the exit code. So DVC is imported once, and the stages that it runs share a recorder.
"""

import json
import os
import queue
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator, Mapping
from typing import Self

from pipeline import lifeline

_POLL_S = 1.0
_GRACE_S = 10.0  # between asking DVC to end and killing it
_LOST_CODE = 1  # of a command whose process ended without one


def main(end: str) -> None:
    """Run the commands of standard input; end with the flow that sends them."""
    from dvc.cli import main as dvc

    lifeline.end_with_parent()
    for line in sys.stdin:
        code = dvc(json.loads(line))
        sys.stderr.flush()
        print(f"\n{end} {code}", flush=True)


class Dvc:
    """A process of DVC's, which the first command starts, and any after which it has ended.

    It ends with the thread of that command, which the kernel takes for its parent.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.code = 0  # the last command's
        self._environment = environment
        self._end = secrets.token_hex(8)  # no stage prints it
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def run(self, *arguments: str) -> Generator[str | None]:
        """Run a command; yield its lines, and None for each second without one.

        DVC is stopped, with all that it runs, where the caller closes this before its end.
        """
        if self._process is None or self._process.poll() is not None:
            self.stop()
            self._process = self._start()
        assert self._process.stdin
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        try:
            yield from self._follow(self._process)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the process group; one that does not heed SIGTERM is killed."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin
        process.stdin.close()
        if process.poll() is not None:
            return
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _start(self) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.run_dvc", self._end],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",  # a stage may print any bytes
            env=self._environment,
            start_new_session=True,  # so that a cancelled task takes its whole family with it
        )
        self._lines = queue.SimpleQueue()
        threading.Thread(target=_pump, args=(process, self._lines), daemon=True).start()
        return process

    def _follow(self, process: "subprocess.Popen[str]") -> Iterator[str | None]:
        while True:
            try:
                line = self._lines.get(timeout=_POLL_S)
            except queue.Empty:
                yield None
                continue
            if line is None:
                self.code = process.wait() or _LOST_CODE
                return
            if line.startswith(self._end):
                self.code = int(line.removeprefix(self._end))
                return
            if line:
                yield line


def _pump(process: "subprocess.Popen[str]", lines: "queue.SimpleQueue[str | None]") -> None:
    assert process.stdout is not None
    try:
        with process.stdout as printed:
            for line in printed:
                lines.put(line.rstrip())
    finally:
        lines.put(None)


if __name__ == "__main__":
    main(sys.argv[1])
