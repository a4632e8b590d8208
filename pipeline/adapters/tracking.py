"""MLflow, which nothing else imports: a stage's run, a flow's run, and the model registry."""

import contextlib
import importlib
import importlib.metadata
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pipeline
from pipeline import telemetry
from pipeline.adapters.runs import tracking_uri, without_credentials
from pipeline.errors import InputError

EXPERIMENT = "charter"  # unless MLFLOW_EXPERIMENT_NAME says otherwise
PARENT_RUN = "CHARTER_PARENT_RUN"  # the variable that names the run below which stages nest

_DATABASE_TRIES = 5  # in 3 s; MLflow's own 10 take 100 s
_DIGEST_LENGTH = 36  # MLflow's limit; the profile has the whole
_SETTINGS = {  # where the user has not set them
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL": "5",
    "PGCONNECT_TIMEOUT": "5",
}
_NO_BYTECODE = "In place of a folder of bytecode: what is run is the source beside it.\n"
UNSURE = "; what was being written may have arrived: run the same command again"
_EXAMPLE = "This is a text."  # of what may be asked; no row of the data is published
_SERVING = (
    "mlflow",
    "model-signing",
    "pandas",
    "pyOpenSSL",  # model-signing imports it and does not ask for it
    "pyyaml",
    "safetensors",
    "tokenizers",
    "torch",
    "transformers",
)

_SHOWN_AS = {"mlflow.experimentKind": "custom_model_development"}  # in the list of experiments


def load() -> None:
    """Import what `connect` needs, which takes seconds: for one who has to wait anyway."""
    _settle()
    importlib.import_module("mlflow")
    if not tracking_uri().startswith("http"):
        from mlflow.store.db import utils

        importlib.import_module("mlflow.store.tracking.sqlalchemy_store")
        utils.MAX_RETRY_COUNT = _DATABASE_TRIES
        logging.getLogger(utils.__name__).disabled = True  # what it tells it raises, too


def connect() -> Any:
    """Return an `mlflow.MlflowClient` on the tracking URI."""
    load()
    import mlflow

    mlflow.set_tracking_uri(tracking_uri())
    return mlflow.MlflowClient()


def _settle() -> None:
    """Set what MLflow reads when it is first imported."""
    telemetry.switch_off()
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)


@contextlib.contextmanager
def reaching() -> Iterator[None]:
    """Turn errors of MLflow, and of the database or network below it, into an `InputError`."""
    _settle()
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        why = without_credentials(" ".join(str(error).split()))
        where = without_credentials(tracking_uri())
        raise InputError(f"MLflow at {where}: {why}{_warn_of_arrival(error)}") from error


def _warn_of_arrival(error: Exception) -> str:
    """Return a warning that a failed write may have arrived all the same, if no answer came."""
    from mlflow.exceptions import MlflowException

    answered = isinstance(error, MlflowException) and error.get_http_status_code() < 500
    return "" if answered else UNSURE


def git_tags() -> dict[str, str]:
    """Return the working tree's commit, and whether it has changes, as tags; {} outside git.

    dvc.lock is what a run writes, and has a tag of its own.
    """
    commit = _git("rev-parse", "HEAD")
    dirty = "true" if _git("status", "--porcelain", ".", ":!dvc.lock") else "false"
    return {"git_commit": commit, "git_dirty": dirty} if commit else {}


def git_author() -> str:
    """Return who made the working tree's commit; empty outside git."""
    return _git("log", "-1", "--format=%an")


def _git(*arguments: str) -> str:
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()
    return ""


def create_run(
    client: Any, name: str, tags: dict[str, str], started_ms: int | None = None
) -> tuple[str, str]:
    """Make a run in the experiment; return the ids of both. It starts now, if nothing is said."""
    from mlflow.exceptions import MlflowException

    experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
    found = client.get_experiment_by_name(experiment)
    if found is None:
        with contextlib.suppress(MlflowException):  # another process may have been faster
            client.create_experiment(experiment, tags=_SHOWN_AS)
        found = client.get_experiment_by_name(experiment)
    tags = git_tags() | tags
    if "git_commit" in tags:
        tags["mlflow.source.git.commit"] = tags["git_commit"]  # MLflow's page links it
    run = client.create_run(found.experiment_id, started_ms, tags, run_name=name)
    return run.info.run_id, found.experiment_id


def start_parent_run(name: str) -> str | None:
    """Make a run for a whole flow and return its id, for CHARTER_PARENT_RUN.

    None, and a line on stderr, where MLflow cannot be reached: the stages do not depend on it.
    """
    try:
        run_id, _ = create_run(connect(), name, {"stage": "flow"})
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


def log_params(client: Any, run_id: str, values: dict[str, str]) -> None:
    """Log params of a run."""
    from mlflow.entities import Param

    client.log_batch(run_id, params=[Param(name, value) for name, value in values.items()])


def log_metrics(client: Any, run_id: str, points: list[dict[str, Any]]) -> None:
    """Log metrics of a run; a point has ``values`` by name, ``step`` and ``time_ms``."""
    from mlflow.entities import Metric

    metrics = [
        Metric(name, value, point["time_ms"], point["step"])
        for point in points
        for name, value in point["values"].items()
    ]
    client.log_batch(run_id, metrics=metrics)


def log_dataset(
    client: Any, run_id: str, context: str, *, name: str, path: str, rows: int, digest: str
) -> None:
    """Log data as an input of a run; nothing of it is read."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(
        name=name,
        digest=digest[:_DIGEST_LENGTH],
        source_type="local",
        source=json.dumps({"uri": path}),
        profile=json.dumps({"num_rows": rows, "digest": digest}),
    )
    tag = InputTag("mlflow.data.context", context)
    client.log_inputs(run_id, datasets=[DatasetInput(dataset, [tag])])


def log_artifact(client: Any, run_id: str, path: Path) -> None:
    """Keep a file, or a folder under its name, with a run."""
    if path.is_dir():
        client.log_artifacts(run_id, str(path), path.name)
    else:
        client.log_artifact(run_id, str(path))


def start_monitor(run_id: str) -> Any:
    """Log the machine's load until the monitor's ``finish``; None where psutil is not there."""
    try:
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        monitor = SystemMetricsMonitor(run_id)
    except ImportError:
        return None
    monitor.start()
    return monitor


def log_bundle(run_id: str, name: str, bundle: Path) -> tuple[str, str]:
    """Store a bundle, byte for byte, as a pyfunc model of a run; return its URI and id.

    `pipeline.adapters.serving` loads it, from the copy of this package that is stored beside it:
    MLflow's own transformers flavour writes the files anew, and its digests would not hold.
    """
    import mlflow
    import pandas

    text = mlflow.types.ColSpec("string", "text")
    answer = [mlflow.types.ColSpec("string", "label"), mlflow.types.ColSpec("double", "score")]
    code = Path(pipeline.__file__).parent
    with mlflow.start_run(run_id=run_id):
        stored = mlflow.pyfunc.log_model(
            name=name,
            loader_module="pipeline.adapters.serving",
            data_path=str(bundle),
            code_paths=[str(code)],
            signature=mlflow.models.ModelSignature(
                inputs=mlflow.types.Schema([text]), outputs=mlflow.types.Schema(answer)
            ),
            input_example=pandas.DataFrame({"text": [_EXAMPLE]}),
            pip_requirements=[f"{each}=={_public_version(each)}" for each in _SERVING],
        )
    _bar_bytecode(stored.model_id, code)
    return stored.model_uri, stored.model_id


def _bar_bytecode(model_id: str, code: Path) -> None:
    """Store a file where Python would keep, and look for, the bytecode of the code that serves.

    Python runs such bytecode in place of the source, by a header that anyone can write, and leaves
    some wherever a model is loaded from a local folder. Where the name ``__pycache__`` is a file it
    does neither.
    """
    import mlflow

    with tempfile.TemporaryDirectory() as work:
        for folder in {path.parent for path in code.rglob("*.py")}:
            barred = Path(work) / "code" / folder.relative_to(code.parent) / "__pycache__"
            barred.parent.mkdir(parents=True, exist_ok=True)
            barred.write_text(_NO_BYTECODE)
        mlflow.MlflowClient().log_model_artifacts(model_id, work)


def _public_version(package: str) -> str:
    """Return the installed version as an index knows it: without ``+cpu``."""
    return importlib.metadata.version(package).partition("+")[0]


def download(uri: str) -> Path:
    """Return a local folder with the files at an artifact URI; do not write to it."""
    import mlflow

    return Path(mlflow.artifacts.download_artifacts(uri))
