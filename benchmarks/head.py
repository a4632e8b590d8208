"""A head on the frozen encoder against fine-tuning in full, on the same encoder and texts.

The rival is the loop of BERT's recipe as run_glue has it: the Trainer, batch 32, three epochs,
padded to 128 tokens (run_glue's default) or to the longest of a batch. Both are in bfloat16 where
the device multiplies in it. The median of some of its steps, timed in turns with ours, is
multiplied by their number. Ours reads each text once and trains a head on the features; a second
head finds them in the cache.
"""

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from benchmarks.features import (
    synthetic_encoder,
    synthetic_extractor,
    synthetic_texts,
    synthetic_tokenizer,
)
from benchmarks.lockstep import Loop, Pause, spread, time_steps
from benchmarks.pretrain import PauseCallback
from pipeline.encoder.fitting import Sample, fit_head
from pipeline.encoder.loading import device
from pipeline.encoder.precision import best_precision
from pipeline.params import FinetuneParams, FrozenParams, FullParams

ROUNDS, TEXTS, EPOCHS, BATCH_ROWS, MAX_LEN_TOKENS = 7, 2048, 3, 32, 128


def compare() -> list[str]:
    """Time both; return a Markdown table of the rival's seconds over ours."""
    loops = {
        "max_length": Loop(lambda pause: _fine_tune(pause, padded=True)),
        "longest": Loop(lambda pause: _fine_tune(pause, padded=False)),
        "cold": Loop(lambda pause: _train_heads(pause, cold=True)),
        "warm": Loop(lambda pause: _train_heads(pause, cold=False)),
    }
    seconds = time_steps(loops, ROUNDS)
    steps = EPOCHS * -(-TEXTS // BATCH_ROWS)
    machine = f"{torch.get_num_threads()} threads, {best_precision(device())}"
    lines = [
        f"{machine}; {TEXTS} texts, {EPOCHS} epochs, 6 layers x 384; {ROUNDS} rounds",
        "",
        "| ours | fine-tuning in full / ours | the same, padded to the longest of a batch |",
        "|---|---|---|",
    ]
    for name, what in (("cold", "features and a head"), ("warm", "a second head, from the cache")):
        ratios = (
            [steps * full / own for full, own in zip(seconds[rival], seconds[name], strict=True)]
            for rival in ("max_length", "longest")
        )
        lines.append(f"| {what} | {' | '.join(str(spread(each)) for each in ratios)} |")
    return lines


def _train_heads(pause: Pause, cold: bool) -> None:
    """Train a head a step, on features computed in that step or, where not ``cold``, cached."""
    extractor, texts = synthetic_extractor(best_precision(device())), synthetic_texts(TEXTS)
    labels = torch.from_numpy(np.random.default_rng(0).integers(0, 2, TEXTS))
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1000):
            path = Path(folder) / str(number if cold else 0)
            ours = dataclasses.replace(extractor, cache_path=path)
            features = torch.from_numpy(ours.features(texts))
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


def _fine_tune(pause: Pause, padded: bool) -> None:
    """Fine-tune on texts padded to the maximum, or else to the longest of a batch."""
    model = transformers.BertForSequenceClassification(synthetic_encoder().config).to(device())
    tokenizer = synthetic_tokenizer()
    encoded = tokenizer(
        synthetic_texts(TEXTS),
        padding="max_length" if padded else False,
        truncation=True,
        max_length=MAX_LEN_TOKENS,
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
                bf16=best_precision(device()) == "bfloat16",
                use_cpu=device().type == "cpu",  # without it, bf16 is for GPUs only
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
            ),
            train_dataset=rows,
            processing_class=tokenizer,  # by which it pads a batch
            callbacks=[PauseCallback(pause)],
        )
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
