"""The paths of everything, relative to the repository's root, which is the working directory."""

import os
import tempfile
from pathlib import Path

_ROOT = Path(__file__).parents[1]  # of the code, wherever the working directory is

# Inputs: tracked as one by data.dvc.
DATA = Path("data")
CORPUS = DATA / "corpus"  # unlabelled text: *.jsonl[.gz], *.csv, *.parquet, *.txt
LABELLED = DATA / "labelled"  # text, label, and any group columns
BENCHMARKS = DATA / "benchmarks"  # crows_pairs.csv, stereoset_dev.json, winobias/
MODELS = DATA / "models"  # encoders to start from
PROVENANCE = DATA / "PROVENANCE.json"

PARAMS = Path("params.yaml")
POLICY = Path("policy.yaml")
LOCK = Path("requirements.lock")

# Outputs: one folder a stage, each a DVC output.
BUILD = Path("build")

# Beside the outputs, outside DVC: what may differ between two equal runs.
STATE = Path(".charter")
CHECKPOINTS = STATE / "checkpoints"  # of an unfinished pretraining
SHARDS = STATE / "shards"  # finished shards of an unfinished stage
FEATURE_CACHE = STATE / "features"  # one file for each encoder, shared by stages
DATA_DOCS = STATE / "data_docs"  # Great Expectations' pages of the last validation
UNSENT = STATE / "unsent"  # what MLflow could not take: one file a stage's run
RUNS = STATE / "runs"  # STAGE.json: MLflow run id, seconds, progress


def stage_dir(stage: str) -> Path:
    """Return the folder that a stage writes, ``build/STAGE``."""
    return BUILD / stage


def encoder_dir() -> Path:
    """Return the folder of the stage whose encoder the later stages use.

    That is compress where it has made a smaller one, else pretrain.
    """
    smaller = stage_dir("compress")
    return smaller if (smaller / "model").is_dir() else stage_dir("pretrain")


def report_path(stage: str) -> Path:
    """Return the path of a stage's JSON report."""
    return stage_dir(stage) / "report.json"


def metrics_path(stage: str) -> Path:
    """Return the path of the few figures of a stage's report that DVC's tables show."""
    return stage_dir(stage) / "metrics.json"


def run_path(stage: str) -> Path:
    """Return the path of the file about a stage's last run that is no result: times, run id."""
    return RUNS / f"{stage}.json"


def recorder_socket(dvc: int) -> Path:
    """Return the socket where stages run by one DVC process, of this id, find their recorder.

    A socket cannot be copied with the repository, so it lies outside it.
    """
    return Path(tempfile.gettempdir()) / f"charter-recorder-{os.getuid()}-{dvc}"


def python_path() -> str:
    """Return the PYTHONPATH by which a process finds this code from any working directory."""
    return os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
