"""Labelled toy texts, and what the stages before features leave of them in build/."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import report_factory
import yaml
from toy_model import pretrain_params, toy_start, toy_tokenizer

from pipeline import layout, reports
from pipeline.adapters import rows
from pipeline.encoder.digest import encoder_digest
from pipeline.encoder.model import save_model
from pipeline.params import FeaturesParams, FinetuneParams

ROOT = Path(__file__).parents[1]
FEATURES: dict[str, Any] = {"pooling": "mean", "max_len_tokens": 12, "batch_tokens": 64}
FROZEN: dict[str, Any] = {
    "hidden": False, "l2": 1e-3, "learning_rate": 1e-2, "epochs": 20, "patience_epochs": 3,
    "batch_rows": 16,
}  # fmt: skip
FULL: dict[str, Any] = {
    "learning_rate": 1e-2, "epochs": 3, "batch_rows": 16, "warmup_share": 0.1,
    "weight_decay": 0.01, "dropout": 0.1, "precision": "float32",
}  # fmt: skip


def features_params(**changes: Any) -> FeaturesParams:
    """Return parameters of a pass over toy texts."""
    return FeaturesParams(**(FEATURES | changes))


def finetune_params(
    mode: str = "frozen", class_weights: str = "none", seed: int = 1, **changes: Any
) -> FinetuneParams:
    """Return parameters of seconds; ``changes`` are laid over the section of the mode."""
    frozen = FROZEN | (changes if mode == "frozen" else {})
    full = FULL | (changes if mode == "full" else {})
    return FinetuneParams.model_validate(
        {"mode": mode, "class_weights": class_weights, "seed": seed, "frozen": frozen, "full": full}
    )


def toy_texts(count: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Return texts of 1 to 14 words and their labels: of label 1, most words are above w26."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    texts = []
    for label in labels:
        length = rng.integers(1, 15)
        upper = rng.random(length) < (0.9 if label else 0.1)
        words = np.where(upper, rng.integers(27, 50, length), rng.integers(5, 27, length))
        texts.append(" ".join(f"w{word}" for word in words))
    return texts, labels


def write_encoder(folder: Path, **params: Any) -> Path:
    """Write a masked-LM directory as the stage pretrain does, and return it."""
    save_model(toy_start(pretrain_params(**params)), toy_tokenizer(), folder)
    return folder


def write_workspace(labels: int = 2, count: int = 120, **params: Any) -> None:
    """Write params.yaml, build/split, build/pretrain and the reports of all earlier stages."""
    raw = yaml.safe_load((ROOT / "params.yaml").read_text())
    raw["validate"]["labels"] = list(report_factory.LABELS) + ["other"] * (labels - 2)
    raw["features"] = FEATURES
    layout.PARAMS.write_text(yaml.safe_dump(raw))
    model = write_encoder(layout.stage_dir("pretrain") / "model", **params)
    made = report_factory.make()
    digest = encoder_digest(model)
    changes = {"encoder_digest": digest}
    made["pretrain"] = made["pretrain"].model_copy(update=changes)
    changes |= {"teacher_digest": digest}
    made["compress"] = made["compress"].model_copy(update=changes)
    made["export"] = reports.ExportReport(torch_bytes=None, formats=())
    for stage in made.keys() - {"features", "finetune", "bundle"}:
        reports.write(stage, made[stage])
    for seed, part in enumerate(("train", "validation", "test")):
        write_part(part, *toy_texts(count, seed))


def write_part(part: str, texts: list[str], labels: np.ndarray) -> None:
    """Write a part of the labelled rows."""
    ids = [f"{number:016x}" for number in range(len(texts))]
    rows.write_table(rows.split_path(part), {"id": ids, "text": texts, "label": labels})


def forget(*stages: str) -> None:
    """Delete what stages left, and the feature cache."""
    for stage in stages:
        shutil.rmtree(layout.stage_dir(stage), ignore_errors=True)
    shutil.rmtree(layout.FEATURE_CACHE, ignore_errors=True)
