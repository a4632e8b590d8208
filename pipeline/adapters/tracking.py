"""MLflow, which nothing else imports: a stage's run, a flow's run, and the model registry."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from pipeline import telemetry
from pipeline.adapters.runs import RunFile, tracking_uri, without_credentials

EXPERIMENT = "charter"  # unless MLFLOW_EXPERIMENT_NAME says otherwise
PARENT_RUN = "CHARTER_PARENT_RUN"  # the variable that names the run below which stages nest

_GATHER_S = 1.0  # messages are written in batches, so often
_LAST_TRIES = 3  # at a server that cannot be reached, once the stage has ended
_METRICS_A_BATCH = 1000  # MLflow's limit
_DIGEST_LENGTH = 36  # MLflow's limit; the profile has the whole
SETTINGS = {  # where the user has not set them
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL": "5",
}

Message = dict[str, Any]
Inbox = queue.SimpleQueue[Message]


def connect() -> Any:
    """Return an `mlflow.MlflowClient` on the tracking URI; MLflow is imported here."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    telemetry.switch_off()
    import mlflow

    mlflow.set_tracking_uri(tracking_uri())
    return mlflow.MlflowClient()


def git_tags() -> dict[str, str]:
    """Return the working tree's commit, and whether it has changes, as tags; {} outside git."""
    commit = _git("rev-parse", "HEAD")
    dirty = "true" if _git("status", "--porcelain") else "false"
    return {"mlflow.source.git.commit": commit, "git_dirty": dirty} if commit else {}


def _git(*arguments: str) -> str:
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()
    return ""


def _create_run(client: Any, name: str, tags: dict[str, str]) -> tuple[str, str]:
    """Make a run in the experiment; return the ids of both."""
    from mlflow.exceptions import MlflowException

    experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
    found = client.get_experiment_by_name(experiment)
    if found is None:
        with contextlib.suppress(MlflowException):  # another process may have been faster
            client.create_experiment(experiment)
        found = client.get_experiment_by_name(experiment)
    run = client.create_run(found.experiment_id, run_name=name, tags=tags | git_tags())
    return run.info.run_id, found.experiment_id


def start_parent_run(name: str) -> str | None:
    """Make a run for a whole flow and return its id, for CHARTER_PARENT_RUN.

    None, and a line on stderr, where MLflow cannot be reached: the stages do not depend on it.
    """
    try:
        run_id, _ = _create_run(connect(), name, {"stage": "flow"})
    except Exception as error:  # MLflow lets those of requests and SQLAlchemy through
        why = without_credentials(str(error))
        print(f"WARNING: {name}: not recorded in MLflow: {why}", file=sys.stderr)  # noqa: T201
        return None
    return run_id


def end_parent_run(run_id: str | None, succeeded: bool) -> None:
    """Close what `start_parent_run` made."""
    if run_id:
        with contextlib.suppress(Exception):
            connect().set_terminated(run_id, "FINISHED" if succeeded else "FAILED")


# The recording process of a stage.


def main(stage: str) -> int:
    """Record a stage's messages, JSON lines on stdin, until they end; 1 if some could not be."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run_file = RunFile(stage)
    recording = _Recording(stage, run_file)
    inbox: Inbox = queue.SimpleQueue()
    worker = threading.Thread(target=recording.run, args=(inbox,))
    worker.start()
    last: Message = {"state": "killed", "error": "the stage's process was killed"}
    for line in sys.stdin:
        message = json.loads(line)
        kind = message.pop("kind")
        if kind == "progress":
            run_file.update(**message)
        elif kind == "end":
            last = message
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
                self.lost = why
            del pending[:count]
        return ""

    def _apply(self, messages: list[Message]) -> None:
        if self._client is None:
            self._client = connect()
        first = messages[0]
        match first["kind"]:
            case "begin":
                self._begin()
            case "params":
                self._log_params(first["values"])
            case "metrics":
                self._log_metrics(messages)
            case "dataset":
                self._log_dataset(**first)
            case "artifact":
                self._log_artifact(Path(first["path"]))
            case "end":
                if self._monitor:
                    self._monitor.finish()
                status = {"done": "FINISHED", "failed": "FAILED", "killed": "KILLED"}
                self._client.set_terminated(self._run_id, status[first["state"]])

    def _begin(self) -> None:
        tags = {"stage": self._stage, "mlflow.source.name": f"python -m pipeline {self._stage}"}
        if parent := os.environ.get(PARENT_RUN):
            tags["mlflow.parentRunId"] = parent
        self._run_id, experiment_id = _create_run(self._client, self._stage, tags)
        self._run_file.update(mlflow_run_id=self._run_id, mlflow_experiment_id=experiment_id)
        with contextlib.suppress(ImportError):  # psutil is not there
            from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

            self._monitor = SystemMetricsMonitor(self._run_id)
            self._monitor.start()

    def _log_params(self, values: dict[str, str]) -> None:
        from mlflow.entities import Param

        self._client.log_batch(self._run_id, params=[Param(k, v) for k, v in values.items()])

    def _log_metrics(self, messages: list[Message]) -> None:
        from mlflow.entities import Metric

        metrics = [
            Metric(name, value, message["time_ms"], message["step"])
            for message in messages
            for name, value in message["values"].items()
        ]
        self._client.log_batch(self._run_id, metrics=metrics)

    def _log_dataset(self, name: str, path: str, rows: int, digest: str, **_: Any) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        dataset = Dataset(
            name=name,
            digest=digest[:_DIGEST_LENGTH],
            source_type="local",
            source=json.dumps({"uri": path}),
            profile=json.dumps({"num_rows": rows, "digest": digest}),
        )
        context = InputTag("mlflow.data.context", self._stage)
        self._client.log_inputs(self._run_id, datasets=[DatasetInput(dataset, [context])])

    def _log_artifact(self, path: Path) -> None:
        if path.is_dir():
            self._client.log_artifacts(self._run_id, str(path), path.name)
        else:
            self._client.log_artifact(self._run_id, str(path))


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
