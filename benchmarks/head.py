"""A head on the frozen encoder against fine-tuning in full, on the same encoder and texts.

The rival is the loop of BERT's recipe as run_glue has it: the Trainer, batch 32, padded to 128
tokens, three epochs. The median of some of its steps, timed in turns with ours, is multiplied by
their number. Ours reads each text once and trains a head on the features; a second head finds them
in the cache.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from benchmarks.features import PARAMS, made_encoder, made_texts, made_tokenizer
from benchmarks.lockstep import Loop, Pause, spread, time_steps
from benchmarks.pretrain import PauseCallback
from pipeline.encoder.features import Extractor
from pipeline.encoder.fitting import Sample, fit_head
from pipeline.encoder.loading import device
from pipeline.params import FinetuneParams, FrozenParams, FullParams

ROUNDS, TEXTS, EPOCHS, BATCH_ROWS, MAX_LEN_TOKENS = 7, 2048, 3, 32, 128


def compare() -> list[str]:
    """Time both; return a Markdown table of the rival's seconds over ours."""
    loops = {
        "full": Loop(_fine_tune),
        "cold": Loop(lambda pause: _train_heads(pause, cold=True)),
        "warm": Loop(lambda pause: _train_heads(pause, cold=False)),
    }
    seconds = time_steps(loops, ROUNDS)
    steps = EPOCHS * -(-TEXTS // BATCH_ROWS)
    lines = [
        f"{TEXTS} texts, {EPOCHS} epochs, 6 layers x 384; {ROUNDS} rounds",
        "",
        "| ours | fine-tuning in full / ours |",
        "|---|---|",
    ]
    for name, what in (("cold", "features and a head"), ("warm", "a second head, from the cache")):
        ratios = [
            steps * full / own for full, own in zip(seconds["full"], seconds[name], strict=True)
        ]
        lines.append(f"| {what} | {spread(ratios)} |")
    return lines


def _train_heads(pause: Pause, cold: bool) -> None:
    """Train a head a step, on features computed in that step or, where not ``cold``, cached."""
    encoder, tokenizer, texts = made_encoder(), made_tokenizer(), made_texts(TEXTS)
    labels = torch.from_numpy(np.random.default_rng(0).integers(0, 2, TEXTS))
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1000):
            path = Path(folder) / str(number if cold else 0)
            features = torch.from_numpy(
                Extractor(encoder, tokenizer, PARAMS, path, "", path).features(texts)
            )
            sample = Sample(features, labels)
            fit_head(sample, Sample(features[:64], labels[:64]), 2, _params(), lambda _: None)
            pause()


def _params() -> FinetuneParams:
    frozen = FrozenParams(
        hidden=False, l2=1e-3, learning_rate=1e-3, epochs=EPOCHS, patience_epochs=EPOCHS,
        batch_rows=BATCH_ROWS,
    )  # fmt: skip
    full = FullParams(
        learning_rate=2e-5, epochs=EPOCHS, batch_rows=BATCH_ROWS, warmup_share=0.1,
        weight_decay=0.01, dropout=0.1,
    )  # fmt: skip
    return FinetuneParams(mode="frozen", class_weights="none", seed=1, frozen=frozen, full=full)


def _fine_tune(pause: Pause) -> None:
    model = transformers.BertForSequenceClassification(made_encoder().config).to(device())
    encoded = made_tokenizer()(
        made_texts(TEXTS), padding="max_length", truncation=True, max_length=MAX_LEN_TOKENS
    )
    rows: list[dict[str, Any]] = [
        {"input_ids": ids, "attention_mask": mask, "labels": number % 2}
        for number, (ids, mask) in enumerate(
            zip(encoded["input_ids"], encoded["attention_mask"], strict=True)
        )
    ]
    with tempfile.TemporaryDirectory() as folder:
        trainer = transformers.Trainer(
            model,
            transformers.TrainingArguments(
                output_dir=folder,
                num_train_epochs=EPOCHS,
                per_device_train_batch_size=BATCH_ROWS,
                learning_rate=2e-5,
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
            ),
            train_dataset=rows,
            callbacks=[PauseCallback(pause)],
        )
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
