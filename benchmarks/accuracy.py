"""Accuracy of a head on the frozen encoder against fine-tuning in full, on the same texts.

Needs a workspace in which `dvc repro` has run, for build/pretrain's encoder and build/split's rows.
Each seed has training rows of its own; the validation and test rows are the same for all. Both are
trained by params.yaml, and each keeps its best epoch.
"""

import math
import tempfile
from pathlib import Path

import numpy as np
import torch

from pipeline import layout, params
from pipeline.adapters import rows
from pipeline.adapters.rows import Rows
from pipeline.encoder.classifier import sequence_logits
from pipeline.encoder.features import Extractor, load_extractor, tokenise
from pipeline.encoder.fitting import Sample, fit_head
from pipeline.encoder.full import Texts, finetune_full, load_classifier
from pipeline.params import FinetuneParams, FullParams

SEEDS = 5
TRAIN_ROWS, VALIDATION_ROWS, TEST_ROWS = 2000, 300, 4000  # they are in the order of a hash
_BATCH_TOKENS = 4096
_QUANTILE = 2.78  # Student's t, 97.5%, with the seeds' four degrees of freedom


def compare() -> list[str]:
    """Train both for each seed; return a Markdown table of test accuracies and their difference."""
    settings = params.load()
    train, validation, test = (rows.read_split(part) for part in ("train", "validation", "test"))
    kept = (_cut(validation, 0, VALIDATION_ROWS), _cut(test, 0, TEST_ROWS))
    model = layout.stage_dir("pretrain") / "model"
    frozen, full = [], []
    with tempfile.TemporaryDirectory() as folder:
        extractor = load_extractor(model, settings.features, Path(folder))
        for seed in range(SEEDS):
            own = (_cut(train, seed * TRAIN_ROWS, TRAIN_ROWS), *kept)
            section = settings.finetune.model_copy(update={"seed": seed})
            frozen.append(_fit_frozen(extractor, own, section))
            full.append(_fit_full(model, extractor, own, section))
    low, mean, high = difference(np.array(frozen), np.array(full))
    shown = (f"{np.mean(each):.3f} ({_range(each)})" for each in (frozen, full))
    return [
        f"{SEEDS} seeds of {TRAIN_ROWS} training rows; {TEST_ROWS} test rows",
        "",
        "| frozen, with a head | in full | the head's less the other's, in points |",
        "|---|---|---|",
        f"| {' | '.join(shown)} | {100 * mean:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}] |",
    ]


def difference(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float, float]:
    """Return the mean difference of (seeds, rows) of right answers, between its 95% limits.

    The variance is that of the rows and that of the seeds, added: of the rows' means over seeds,
    and of the seeds' means over rows, each as if the other were fixed.
    """
    apart = ours.astype(float) - theirs.astype(float)
    of_rows, of_seeds = apart.mean(axis=0), apart.mean(axis=1)
    variance = of_rows.var(ddof=1) / len(of_rows) + of_seeds.var(ddof=1) / len(of_seeds)
    half = _QUANTILE * math.sqrt(variance)
    return apart.mean() - half, apart.mean(), apart.mean() + half


def _range(right: list[np.ndarray]) -> str:
    means = [each.mean() for each in right]
    return f"{min(means):.3f} to {max(means):.3f}"


def _cut(read: Rows, start: int, count: int) -> Rows:
    some = slice(start, start + count)
    assert len(read.ids) >= some.stop, f"{some.stop} rows are needed"
    return Rows(read.ids[some], read.texts[some], read.labels[some], {})


def _fit_frozen(
    extractor: Extractor, parts: tuple[Rows, Rows, Rows], section: FinetuneParams
) -> np.ndarray:
    train, validation, test = (
        Sample(torch.from_numpy(extractor.features(part.texts)), torch.from_numpy(part.labels))
        for part in parts
    )
    head, _ = fit_head(train, validation, 2, section, lambda _: None)
    with torch.no_grad():
        return (head(test.features).argmax(1) == test.labels).numpy()


def _fit_full(
    model_dir: Path,
    extractor: Extractor,
    parts: tuple[Rows, Rows, Rows],
    section: FinetuneParams,
) -> np.ndarray:
    length = extractor.params.max_len_tokens
    train, validation, test = (
        Texts(tokenise(part.texts, extractor.tokenizer, length).ids, torch.from_numpy(part.labels))
        for part in parts
    )
    recipe: FullParams = section.full
    model = load_classifier(model_dir, ("0", "1"), section.seed, recipe.dropout)
    finetune_full(model, train, validation, section, on_epoch=lambda _: None)
    logits = sequence_logits(model, test.ids, _BATCH_TOKENS)
    right: np.ndarray = logits.argmax(1) == test.labels.numpy()
    return right
