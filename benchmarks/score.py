"""Scoring a Parquet file against transformers' own pipeline, on one bundle and its texts.

The rival is ``pipeline("text-classification")`` on the same files, given all texts at once with the
batch size that was fastest on some of them. Ours is the whole of `score`, Parquet read and written.
Loading and verifying the model is timed in neither. A round times both in turn.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
import transformers

from benchmarks.features import synthetic_encoder, synthetic_texts, synthetic_tokenizer
from benchmarks.lockstep import spread
from pipeline import files, score
from pipeline.reports import BundleReport

ROUNDS, TEXTS, TRIED_TEXTS, MAX_LEN_TOKENS = 5, 160, 32, 128
BATCH_SIZES = (1, 8, 32, 128)
LABELS = ("negative", "positive")


def compare() -> list[str]:
    """Time both; return a Markdown table of the rival's seconds over ours."""
    texts = synthetic_texts(TEXTS)
    with tempfile.TemporaryDirectory() as folder:
        bundle, rows = Path(folder) / "bundle", Path(folder) / "rows.parquet"
        write_bundle(bundle)
        pq.write_table(pa.table({"text": texts}), rows)
        ask = transformers.pipeline(
            "text-classification", model=str(bundle), truncation=True, device="cpu"
        )
        size = min(BATCH_SIZES, key=lambda size: _seconds(ask, texts[:TRIED_TEXTS], size))
        ours, ratios = [], []
        for _ in range(ROUNDS):
            out = Path(folder) / "scored.parquet"
            ours.append(score.score(str(bundle), rows, out, 20_000, lambda *_: None).seconds)
            ratios.append(_seconds(ask, texts, size) / ours[-1])
    rate = spread([TEXTS / seconds for seconds in ours])
    setting = (
        f"{torch.get_num_threads()} threads, float32, 6 layers x 384; {TEXTS} texts; median "
        f"(least to greatest) of {ROUNDS} rounds; ours {rate.median:.0f} rows/s"
    )
    rival = f"transformers' pipeline, batch size {size}, the best of {BATCH_SIZES}"
    columns = "| rival | its seconds / ours |"
    return [setting, "", columns, "|---|---|", f"| {rival} | {spread(ratios)} |"]


def _seconds(ask: Callable[..., Any], texts: list[str], size: int) -> float:
    started = time.perf_counter()
    ask(texts, batch_size=size)
    return time.perf_counter() - started


def write_bundle(folder: Path) -> None:
    """Write a bundle of MiniLM's shape with its digests; its weights do not affect the speed."""
    config = synthetic_encoder().config
    config.id2label = dict(enumerate(LABELS))
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer = synthetic_tokenizer()
    tokenizer.model_max_length = MAX_LEN_TOKENS
    tokenizer.save_pretrained(folder)
    digests = files.sha256_tree(folder)
    files.write_json(folder / files.DIGESTS, digests)
    report = BundleReport(
        name="made",
        architecture="BertForSequenceClassification",
        labels=LABELS,
        files=digests,
        digest=files.sha256_digests(digests),
        parity=0.0,
        parity_texts=0,
    )
    files.write_json(folder / "report.json", report.model_dump(mode="json"))
