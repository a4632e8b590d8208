"""How a stage reports its run: to the terminal, to .charter/runs/STAGE.json, and to a recorder.

A stage does not import MLflow, which takes seconds, nor wait for its server. It sends JSON lines
to another process (`recorder`), which also closes the run of a stage that was killed.
"""

import contextlib
import json
import math
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline import files, layout, lifeline
from pipeline.adapters.terminal import Display
from pipeline.errors import InputError
from pipeline.params import Section
from pipeline.track import Track

# At the end of a link: else MLflow's pages open as for chats and prompts, until a browser is told.
AS_TRAINING = "?workflowType=machine_learning"

_PROGRESS_EVERY_S = 1.0
_LAST_RECORDS_S = 30.0  # how long a stage waits for its last records to be written


@contextlib.contextmanager
def stage_run(stage: str, section: Section) -> Iterator[Track]:
    """Track a stage: the terminal, the run file, and a run in the MLflow experiment ``charter``.

    A server that cannot be reached never fails the stage, whose results are files. It is reported
    on stderr and in the run file's ``tracking_error``.
    """
    with files.locked(layout.RUNS / f"{stage}.lock", _warn):  # a stage whose DVC was killed
        recorder = _Recorder(stage, section)
        try:
            with Display(stage) as display:
                yield _StageTrack(recorder, display)
        except BaseException as error:
            recorder.end("failed", f"{type(error).__name__}: {error}")
            raise
        recorder.end("done")


def _warn(text: str) -> None:
    print(f"WARNING: {text}", file=sys.stderr, flush=True)  # noqa: T201


class _StageTrack:
    """A `Track` for a terminal and a recorder."""

    def __init__(self, recorder: "_Recorder", display: Display) -> None:
        self._recorder = recorder
        self._display = display
        self._next_progress = 0.0

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        plain = {name: float(value) for name, value in values.items()}
        self._recorder.send("metrics", values=plain, step=step, time_ms=int(time.time() * 1000))

    def progress(self, done: int, total: int, unit: str, **fields: float) -> None:
        self._display.update(done, total, unit, fields)
        now = time.monotonic()
        if now < self._next_progress and done < total:
            return
        self._next_progress = now + _PROGRESS_EVERY_S
        plain = {name: float(value) for name, value in fields.items()}
        self._recorder.send("progress", done=done, total=total, unit=unit, fields=plain)

    def dataset(self, name: str, path: Path, rows: int, digest: str) -> None:
        self._recorder.send("dataset", name=name, path=str(path), rows=rows, digest=digest)

    def artifact(self, path: Path) -> None:
        self._recorder.send("artifact", path=str(path))


class _Recorder:
    """The stage's end of the socket to the recording process."""

    def __init__(self, stage: str, section: Section) -> None:
        self._started = time.monotonic()
        self._run_file = RunFile(stage)
        self._socket = _recorder_at_hand() or _start_recorder()
        self._socket.settimeout(_LAST_RECORDS_S)
        self.send("begin", stage=stage)
        self.send("params", values=flatten(section.model_dump(mode="json")))

    def send(self, kind: str, **fields: Any) -> None:
        """Send a message; a recorder that has died is reported at the end, not here."""
        try:
            self._socket.sendall(json.dumps({"kind": kind, **fields}).encode() + b"\n")
        except OSError:
            self._socket.close()

    def end(self, state: str, error: str = "") -> None:
        """Send how the stage ended, and wait until that is recorded."""
        seconds = round(time.monotonic() - self._started, 3)
        self.send("end", state=state, error=error, seconds=seconds)
        self._await_recorder()
        if files.read_json(self._run_file.path)["state"] == "running":
            self._run_file.complain("the recording process was lost")
            self._run_file.update(state=state, error=error, seconds=seconds)

    def _await_recorder(self) -> None:
        """Wait until the recorder, which sent its process id first, closes the connection."""
        number = b""
        with self._socket, contextlib.suppress(OSError):  # that of a recorder that has died
            try:
                while said := self._socket.recv(64):
                    number += said
            except TimeoutError:
                if number:
                    os.kill(int(number), signal.SIGKILL)


def _recorder_at_hand() -> socket.socket | None:
    """Connect to the recorder of an earlier stage of the same DVC process, if there is one."""
    dvc = lifeline.dvc()
    if dvc is None:
        return None
    path = layout.recorder_socket(dvc)
    connection = socket.socket(socket.AF_UNIX)
    try:
        if path.stat().st_uid == os.getuid():  # anybody can write to the folder
            connection.connect(str(path))
            return connection
    except OSError:  # there is none, or it was killed
        pass
    connection.close()
    return None


def _start_recorder() -> socket.socket:
    dvc = lifeline.dvc()
    own, its = socket.socketpair()
    with its:
        subprocess.Popen(
            [sys.executable, "-m", "pipeline.adapters.recorder", str(its.fileno())]
            + ([str(dvc)] if dvc else []),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": layout.python_path()},
            pass_fds=[its.fileno()],
            start_new_session=True,  # Ctrl-C is for the stage, which then tells the recorder
        )
    return own


class RunFile:
    """.charter/runs/STAGE.json: what may be asked while a stage runs."""

    def __init__(self, stage: str) -> None:
        self.path = layout.run_path(stage)
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self._known: dict[str, Any] = {
            "stage": stage,
            "state": "running",  # running | done | failed
            "error": "",  # the stage's
            "mlflow_run_id": None,
            "mlflow_experiment_id": None,
            "tracking_uri": without_credentials(tracking_uri()),
            "tracking_error": "",
            "done": 0,
            "total": 0,
            "unit": "",
            "fields": {},
        }
        self.update()

    def update(self, **known: Any) -> None:
        """Update what is known, and write the file whole."""
        with self._lock:
            self._known |= known
            fields = {k: v if math.isfinite(v) else None for k, v in self._known["fields"].items()}
            seconds = round(time.monotonic() - self._started, 3)
            files.write_json(self.path, {"seconds": seconds, **self._known, "fields": fields})

    def complain(self, why: str) -> None:
        """Report on stderr and in the file that the MLflow run is not recorded in full."""
        why = without_credentials(why)
        stage, uri = self._known["stage"], self._known["tracking_uri"]
        print(  # noqa: T201
            f"WARNING: {stage}: its MLflow run at {uri} is not wholly recorded: {why}\n"
            f"WARNING: {stage}: its results are not affected: {layout.stage_dir(stage)}",
            file=sys.stderr,
            flush=True,
        )
        self.update(tracking_error=why)


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested values as dotted names and text."""
    flat: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value if isinstance(value, str) else json.dumps(value)
    return flat


def tracking_uri() -> str:
    """Return MLFLOW_TRACKING_URI or, where it is unset, SQLite in the working directory.

    Raises:
        InputError: where the path has a question mark, which would end the database's name.
    """
    if given := os.environ.get("MLFLOW_TRACKING_URI"):
        return given
    database = str(Path("mlflow.db").absolute())
    if "?" in database:
        raise InputError(f"{database}: a URI cannot hold its `?`; set MLFLOW_TRACKING_URI")
    return f"sqlite:///{database}"


def without_credentials(text: str) -> str:
    """Return a URI, or text that holds URIs, without any ``user:password@``."""
    return re.sub(r"://[^/\s]+@", "://", text)
