"""Features of texts of mixed lengths against the loops that people usually write, on one encoder.

The rivals call the same transformers model on padded batches of 64 with a mask: padded to the
maximum length (run_glue's default), to the longest of a batch in the order given, and of batches
sorted by length (as sentence-transformers does). A round times every loop in turn, so that a
slow moment of the machine affects all of them. All are in float32; where the device multiplies in
bfloat16, ours is timed in that too.
"""

import dataclasses
import functools
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from benchmarks.lockstep import spread
from pipeline.encoder.features import Extractor
from pipeline.encoder.loading import device
from pipeline.encoder.precision import Precision, best_precision, round_linear
from pipeline.params import FeaturesParams

ROUNDS, TEXTS, BATCH_ROWS = 7, 1000, 64
WORDS = [f"w{number}" for number in range(2000)]
PARAMS = FeaturesParams(pooling="mean", max_len_tokens=128, batch_tokens=4096)


def compare() -> list[str]:
    """Time all loops, the first round to warm up; return a Markdown table of ratios to ours."""
    texts, tokenizer, encoder = synthetic_texts(TEXTS), synthetic_tokenizer(), synthetic_encoder()
    loops: dict[str, Callable[[], object]] = {
        "padded to 128 tokens": lambda: _padded(encoder, tokenizer, texts, padding="max_length"),
        "padded to the longest of a batch": lambda: _padded(encoder, tokenizer, texts),
        "the same, sorted by length": lambda: _padded(encoder, tokenizer, sorted(texts, key=len)),
    }
    if best_precision(device()) == "bfloat16":
        rounded = synthetic_extractor("bfloat16")
        loops["ours, in bfloat16"] = lambda: _compute(rounded, texts)
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1 + ROUNDS):
            ours = Extractor(encoder, tokenizer, PARAMS, Path(folder) / f"{number}", "", Path())
            ask = functools.partial(ours.features, texts)
            cold, warm = _seconds(ask), _seconds(ask)
            rounds.append([_seconds(loop) / cold for loop in loops.values()] + [cold / warm])
    *ratios, cached = zip(*rounds[1:], strict=True)
    tokens = sum(map(len, tokenizer(texts, truncation=True, max_length=128)["input_ids"]))
    machine = f"{torch.get_num_threads()} threads, {device().type}, float32, 6 layers x 384"
    return [
        f"{machine}; {TEXTS} texts, {tokens} tokens; {ROUNDS} rounds",
        "",
        "| loop | its seconds / ours |",
        "|---|---|",
        *(f"| {name} | {spread(each)} |" for name, each in zip(loops, ratios, strict=True)),
        "",
        f"What is in the cache is there {spread(cached)} times as fast.",
    ]


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def synthetic_texts(count: int) -> list[str]:
    """Return texts of lengths like the default data's: median 24 tokens, one in 100 over 80."""
    rng = np.random.default_rng(0)
    lengths = np.clip(np.exp(rng.normal(3.1, 0.55, count)), 2, 200).astype(int)
    return [" ".join(rng.choice(WORDS, length)) for length in lengths]


def synthetic_tokenizer() -> Any:
    """Return a tokenizer of those texts' words."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = {word: number for number, word in enumerate(special + WORDS)}
    return transformers.BertTokenizer(vocab=words)


def synthetic_encoder() -> Any:
    """Return an encoder of MiniLM's shape; its speed does not depend on its weights."""
    config = transformers.BertConfig(
        vocab_size=30522,
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1536,
    )
    encoder = transformers.BertModel(config, add_pooling_layer=False)
    return encoder.requires_grad_(False).eval().to(device())


def synthetic_extractor(precision: Precision) -> Extractor:
    """Return an extractor with such an encoder in this precision; the caller sets its cache."""
    encoder = synthetic_encoder()
    if precision == "bfloat16":
        round_linear(encoder)
    return Extractor(encoder, synthetic_tokenizer(), PARAMS, Path(), "", Path(), precision)


def _compute(extractor: Extractor, texts: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        dataclasses.replace(extractor, cache_path=Path(folder) / "cache").features(texts)


@torch.no_grad()
def _padded(
    encoder: Any, tokenizer: Any, texts: Sequence[str], padding: str = "longest"
) -> np.ndarray:
    means = []
    for start in range(0, len(texts), BATCH_ROWS):
        batch = tokenizer(
            texts[start : start + BATCH_ROWS],
            padding=padding,
            truncation=True,
            max_length=128,
            return_tensors="pt",
        ).to(device())
        hidden, mask = encoder(**batch).last_hidden_state, batch["attention_mask"][..., None]
        means.append(((hidden * mask).sum(1) / mask.sum(1)).cpu().numpy())
    return np.concatenate(means)
