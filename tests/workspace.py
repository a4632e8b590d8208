"""A whole Charter in a temporary folder: this checkout's code, made-up data, a tiny model."""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
CODE = ("pipeline", "flows", "dvc.yaml", "policy.yaml", "requirements.lock", ".dvcignore")
TINY: dict[str, dict[str, Any]] = {
    "ingest": {"source": "local"},
    "tokenise": {"tokenizer": "train", "vocab_size": 400},
    "pretrain": {
        "init": "scratch",
        "layers": 1,
        "hidden": 64,
        "seq_len_tokens": 32,
        "batch_sequences": 8,
        "tokens": 2048,
        "heldout_sequences": 4,
        "heldout_every_steps": 4,
        "checkpoint_every_steps": 4,
    },
    "features": {"max_len_tokens": 32},
    "evaluate": {"resamples": 100},
    "audit": {
        "resamples": 100,
        "max_pairs": 20,
        "min_group_rows": 10,
        "max_behaviour_texts": 20,
        "max_explained": 2,
        "max_members": 100,
        "shadow_heads": 4,
    },
}
PLANTED = {  # secrets in the environment of every command: none may be written anywhere
    "AWS_SECRET_ACCESS_KEY": "planted-aws-8d20",
    "HF_TOKEN": "planted-hub-55f1",
    "MLFLOW_TRACKING_PASSWORD": "planted-mlflow-3b7a",
    "PREFECT_API_KEY": "planted-prefect-9e03",
}
GOOD = ("fine", "lovely", "great", "bright", "warm")
BAD = ("poor", "awful", "dull", "broken", "cold")
PEOPLE = {"female": "woman", "male": "man", "none": "visitor"}
PLACES = ("garden", "kitchen", "office", "station", "library", "market", "harbour", "theatre")


def build(folder: Path, rows: int = 900) -> Path:
    """Make the workspace: its code, its data recorded by DVC, its own git repository."""
    folder.mkdir()
    for name in CODE:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / ".dvc", folder / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp"))
    _write_params(folder)
    _write_data(folder, rows)
    ignored = ["build", ".charter", "data", "mlflow.db*", "mlruns", ".prefect", "__pycache__"]
    (folder / ".gitignore").write_text("\n".join(f"/{name}" for name in ignored))
    run(folder, "git", "init", "--quiet")
    run(folder, sys.executable, "-m", "pipeline", "ingest")
    run(folder, sys.executable, "-m", "dvc", "add", "--quiet", "data")
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", "A tiny workspace")
    return folder


def run(folder: Path, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command in a workspace; what it printed is shown where it fails."""
    done = subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )
    assert not (check and done.returncode), f"{command}\n{done.stdout}\n{done.stderr}"
    return done


def environment(folder: Path) -> dict[str, str]:
    """Return an environment in which every tool keeps its state inside the workspace."""
    own = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PREFECT_HOME": str(folder / ".prefect"),
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        "GIT_AUTHOR_NAME": "t",
        "GIT_AUTHOR_EMAIL": "t@example.org",
        "GIT_COMMITTER_NAME": "t",
        "GIT_COMMITTER_EMAIL": "t@example.org",
    }
    foreign = ("MLFLOW_TRACKING_URI", "PREFECT_API_URL", "PYTHONPATH")
    return {k: v for k, v in os.environ.items() if k not in foreign} | own | PLANTED


def _write_params(folder: Path) -> None:
    raw = yaml.safe_load((ROOT / "params.yaml").read_text())
    raw["size"] = "default"
    for section, values in TINY.items():
        raw[section] |= values
    (folder / "params.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))


def _write_data(folder: Path, rows: int) -> None:
    """Write sentences whose label follows from one word, whoever they are about."""
    draw = random.Random(7)
    corpus = [
        {"text": " ".join(_sentence(draw, GOOD + BAD) for _ in range(6))} for _ in range(rows)
    ]
    labelled = []
    for number in range(rows):
        label = number % 2
        gender = draw.choice(list(PEOPLE))
        text = _sentence(draw, GOOD if label else BAD, PEOPLE[gender]) + f" Number {number}."
        domain = draw.choice(["movie", "news"])
        labelled.append({"text": text, "label": label, "domain": domain, "gender": gender})
    for name, table in (("corpus", corpus), ("labelled", labelled)):
        path = folder / "data" / name / "rows.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in table))


def _sentence(draw: random.Random, words: tuple[str, ...], person: str = "visitor") -> str:
    first, second = draw.sample(PLACES, 2)
    return f"The {person} in the {first} said that the {second} was {draw.choice(words)} today."
