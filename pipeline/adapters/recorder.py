"""The process that records stages' MLflow runs from the messages that the stages send it.

``python -m pipeline.adapters.recorder SOCKET [DVC]`` reads a stage's JSON lines from the socket
that it inherits under that number, until they end. Given the process id of a DVC, it goes on to
serve that DVC's next stages and ends with it, since MLflow takes seconds to import. What the server
cannot take now is sent again later, if need be after another stage or flow. What the server refuses
is reported, and the rest is recorded.
"""

import contextlib
import json
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import files, layout, lifeline
from pipeline.adapters import tracking
from pipeline.adapters.runs import RunFile

_LOOK_S = 0.2  # whether DVC has ended
_GATHER_S = 1.0  # messages are written in batches, so often
_LAST_TRIES = 2  # at a server that cannot be reached, once the stage has ended
_METRICS_A_BATCH = 1000  # MLflow's limit
_IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
_STATUS = {"done": "FINISHED", "failed": "FAILED", "killed": "KILLED"}

Message = dict[str, Any]
Inbox = queue.SimpleQueue[Message]


def main(descriptor: int, dvc: int | None = None) -> None:
    """Record the stage at the other end of a socket, then those that the process ``dvc`` runs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update({**_IMPATIENT, **os.environ})
    listener = _listen(dvc) if dvc else None  # before the next stage can begin
    _serve(socket.socket(fileno=descriptor))
    if dvc and listener:
        with listener:
            while files.is_alive(dvc):
                with contextlib.suppress(TimeoutError):
                    _serve(listener.accept()[0])
        layout.recorder_socket(dvc).unlink(missing_ok=True)


def _listen(dvc: int) -> socket.socket | None:
    """Return the socket for the next stages; None where there can be none: they have their own."""
    path = layout.recorder_socket(dvc)
    listener = socket.socket(socket.AF_UNIX)
    listener.settimeout(_LOOK_S)
    try:
        path.unlink(missing_ok=True)  # that of a recorder that was killed
        listener.bind(str(path))
        listener.listen()
    except OSError:
        listener.close()
        return None
    return listener


def _serve(connection: socket.socket) -> None:
    """Record a stage's messages until they end; it waits for that."""
    with connection, connection.makefile("r", encoding="utf-8") as lines:
        with contextlib.suppress(BrokenPipeError):  # it was killed; what it said is here
            connection.sendall(b"%d\n" % os.getpid())
        messages = map(json.loads, _whole(lines))
        if begin := next(messages, None):
            _record(begin["stage"], messages)


def _whole(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines that a stage has written to their ends, of one that was killed, too."""
    with contextlib.suppress(ConnectionResetError):  # it had not read the number
        yield from (line for line in lines if line.endswith("\n"))


def _record(stage: str, messages: Iterator[Message]) -> None:
    run_file = RunFile(stage)
    recording = _Recording(_tags(stage), int(time.time() * 1000), run_file=run_file)
    inbox: Inbox = queue.SimpleQueue()
    worker = threading.Thread(target=recording.run, args=(inbox,))
    worker.start()
    inbox.put({"kind": "begin"})
    last: Message = {"state": "killed", "error": "the stage's process was killed"}
    for message in messages:
        kind = message.pop("kind")
        if kind == "end":
            last = message
            break  # a process that the stage forked may still hold the socket open
        if kind == "progress":
            run_file.update(**message)
        else:
            inbox.put({"kind": kind, **message})
    inbox.put({"kind": "end", **last})
    worker.join()
    if recording.lost:
        run_file.complain(recording.lost)
    run_file.update(**last | {"state": "done" if last["state"] == "done" else "failed"})
    if not recording.lost:
        resend()


def _tags(stage: str) -> dict[str, str]:
    tags = {"stage": stage, "mlflow.source.name": f"python -m pipeline {stage}"}
    parent = os.environ.get(tracking.PARENT_RUN)
    return tags | ({"mlflow.parentRunId": parent} if parent else {})


def resend() -> None:
    """Record what earlier stages could not; where the server is still not there, keep it."""
    paths = sorted(layout.UNSENT.glob("*.json"))
    if not paths:
        return
    with files.locked(layout.UNSENT / "resend.lock"):
        for path in filter(Path.exists, paths):
            _, _, at_it = path.stem.partition("-")
            if at_it and files.is_alive(int(at_it)):
                continue
            kept = files.read_json(path)
            messages = kept.pop("messages")
            if _Recording(**kept).write(messages):
                return
            path.unlink()


@dataclass
class _Recording:
    """One MLflow run, made from messages; what cannot be written now is tried again later."""

    tags: dict[str, str]
    started_ms: int
    run_id: str = ""  # of the run, once MLflow has made it
    run_file: RunFile | None = None  # none where the stage ended long ago
    lost: str = ""  # why something could not be recorded
    _client: Any = None
    _monitor: Any = None

    def run(self, inbox: Inbox) -> None:
        """Write messages until the one that ends the stage, and that one."""
        pending: list[Message] = []
        ended = False
        while not ended:
            pending += _gather(inbox)
            ended = pending[-1]["kind"] == "end"
            if ended:
                self._keep(pending)  # the stage does not wait for ever
            tries = _LAST_TRIES if ended else 1
            while tries and (unreachable := self.write(pending)):
                tries -= 1
        if unreachable:
            self._keep(pending)
            left = layout.UNSENT / f"{self.started_ms}.json"
            with contextlib.suppress(FileNotFoundError):
                self._kept.replace(left)
            self.lost = f"{unreachable}; kept in {left}, a later run sends it"
        else:
            self._kept.unlink(missing_ok=True)

    @property
    def _kept(self) -> Path:
        """What is kept until it is sent, or until this process gives it up or ends."""
        return layout.UNSENT / f"{self.started_ms}-{os.getpid()}.json"

    def _keep(self, pending: list[Message]) -> None:
        """Keep messages for `resend`: but no artifact, whose file may be another run's by then."""
        kept = {
            "tags": tracking.git_tags() | self.tags,
            "started_ms": self.started_ms,
            "run_id": self.run_id,
            "messages": [message for message in pending if message["kind"] != "artifact"],
        }
        with contextlib.suppress(OSError):  # a full disk: the server may take them yet
            files.write_text(self._kept, json.dumps(kept))

    def write(self, pending: list[Message]) -> str:
        """Write what is pending, in order; return why the server cannot be reached, or nothing.

        What is written leaves the list, and so does what the server refuses.
        """
        while pending:
            count = _count_leading_metrics(pending) or 1
            try:
                self._apply(pending[:count])
            except Exception as error:  # MLflow lets those of requests and SQLAlchemy through
                why = f"{type(error).__name__}: {' '.join(str(error).split())}"
                if not _is_refusal(error):
                    return why
                self.lost = self.lost or why
            del pending[:count]
        return ""

    def _apply(self, messages: list[Message]) -> None:
        if self._client is None:
            self._client = tracking.connect()
        client, run_id, first = self._client, self.run_id, messages[0].copy()
        match first.pop("kind"):
            case "begin":
                self._begin()
            case "params":
                tracking.log_params(client, run_id, first["values"])
            case "metrics":
                tracking.log_metrics(client, run_id, messages)
            case "dataset":
                tracking.log_dataset(client, run_id, self.tags["stage"], **first)
            case "artifact":
                tracking.log_artifact(client, run_id, Path(first["path"]))
            case "end":
                if self._monitor:
                    self._monitor.finish()
                seconds = first.get("seconds")  # a killed stage has not said
                ended_ms = seconds and self.started_ms + int(1000 * seconds)
                client.set_terminated(run_id, _STATUS[first["state"]], ended_ms)

    def _begin(self) -> None:
        self.run_id, experiment_id = tracking.create_run(
            self._client, self.tags["stage"], self.tags, self.started_ms
        )
        if self.run_file:
            self.run_file.update(mlflow_run_id=self.run_id, mlflow_experiment_id=experiment_id)
            self._monitor = tracking.start_monitor(self.run_id)


def _gather(inbox: Inbox) -> list[Message]:
    """Wait for a message, then for those of the next second or the end of the stage."""
    batch = [inbox.get()]
    until = time.monotonic() + _GATHER_S
    while batch[-1]["kind"] != "end" and (left_s := until - time.monotonic()) > 0:
        with contextlib.suppress(queue.Empty):
            batch.append(inbox.get(timeout=left_s))
    return batch


def _count_leading_metrics(pending: list[Message]) -> int:
    """Count the messages from the first on that are metrics and go into one request."""
    values = 0
    for count, message in enumerate(pending):
        if message["kind"] != "metrics":
            return count
        values += len(message["values"])
        if values > _METRICS_A_BATCH:
            return count
    return len(pending)


def _is_refusal(error: Exception) -> bool:
    """Whether the server was reached and will never accept this (HTTP 4xx)."""
    status = getattr(error, "get_http_status_code", lambda: 500)
    return 400 <= status() < 500 and status() != 429


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
    lifeline.leave(0)
