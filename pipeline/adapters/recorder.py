"""The process that records a stage's MLflow run from the messages that the stage sends it.

``python -m pipeline.adapters.recorder STAGE`` reads JSON lines on stdin until they end. What the
server cannot take now is tried again later; what it refuses is told, and the rest goes on.
"""

import contextlib
import json
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from pipeline.adapters import tracking
from pipeline.adapters.runs import RunFile

_GATHER_S = 1.0  # messages are written in batches, so often
_LAST_TRIES = 2  # at a server that cannot be reached, once the stage has ended
_METRICS_A_BATCH = 1000  # MLflow's limit
_IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
_STATUS = {"done": "FINISHED", "failed": "FAILED", "killed": "KILLED"}

Message = dict[str, Any]
Inbox = queue.SimpleQueue[Message]


def main(stage: str) -> int:
    """Record a stage's messages, JSON lines on stdin, until they end; 1 if some could not be."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update({**_IMPATIENT, **os.environ})
    run_file = RunFile(stage)
    recording = _Recording(stage, run_file)
    inbox: Inbox = queue.SimpleQueue()
    worker = threading.Thread(target=recording.run, args=(inbox,))
    worker.start()
    last: Message = {"state": "killed", "error": "the stage's process was killed"}
    for line in sys.stdin:
        message = json.loads(line)
        kind = message.pop("kind")
        if kind == "end":
            last = message
            break  # a process that the stage forked may still hold the pipe open
        if kind == "progress":
            run_file.update(**message)
        else:
            inbox.put({"kind": kind, **message})
    inbox.put({"kind": "end", **last})
    worker.join()
    if recording.lost:
        run_file.complain(recording.lost)
    run_file.update(**last | {"state": "done" if last["state"] == "done" else "failed"})
    return 1 if recording.lost else 0


class _Recording:
    """One MLflow run, made from messages; what cannot be written now is tried again later."""

    def __init__(self, stage: str, run_file: RunFile) -> None:
        self.lost = ""  # why something could not be recorded
        self._stage = stage
        self._run_file = run_file
        self._client: Any = None
        self._run_id = ""
        self._monitor: Any = None

    def run(self, inbox: Inbox) -> None:
        """Write messages until the one that ends the stage, and that one."""
        pending: list[Message] = []
        ended = False
        while not ended:
            pending += _gather(inbox)
            ended = pending[-1]["kind"] == "end"
            tries = _LAST_TRIES if ended else 1
            while tries and (unreachable := self._write(pending)):
                tries -= 1
        self.lost = unreachable or self.lost

    def _write(self, pending: list[Message]) -> str:
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
        client, run_id, first = self._client, self._run_id, messages[0].copy()
        match first.pop("kind"):
            case "begin":
                self._begin()
            case "params":
                tracking.log_params(client, run_id, first["values"])
            case "metrics":
                tracking.log_metrics(client, run_id, messages)
            case "dataset":
                tracking.log_dataset(client, run_id, self._stage, **first)
            case "artifact":
                tracking.log_artifact(client, run_id, Path(first["path"]))
            case "end":
                if self._monitor:
                    self._monitor.finish()
                client.set_terminated(run_id, _STATUS[first["state"]])

    def _begin(self) -> None:
        tags = {"stage": self._stage, "mlflow.source.name": f"python -m pipeline {self._stage}"}
        if parent := os.environ.get(tracking.PARENT_RUN):
            tags["mlflow.parentRunId"] = parent
        self._run_id, experiment_id = tracking.create_run(self._client, self._stage, tags)
        self._run_file.update(mlflow_run_id=self._run_id, mlflow_experiment_id=experiment_id)
        self._monitor = tracking.start_monitor(self._run_id)


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
    sys.exit(main(sys.argv[1]))
