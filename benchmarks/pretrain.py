"""A step of pretraining against the Hugging Face Trainer's, on the same model, data and threads.

The rival is `transformers.Trainer` with `DataCollatorForLanguageModeling`: once with the defaults
of config and trainer, once with dropout off, as here. A round times every run in turn, so that
a machine that slows down slows all of them; a run's time is the median of its steps.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import transformers

from pipeline.encoder.batches import Packing
from pipeline.encoder.loading import device
from pipeline.encoder.loss import heldout_batches
from pipeline.encoder.model import start_model
from pipeline.encoder.precision import best_precision
from pipeline.encoder.pretraining import Plan, Position, pretrain
from pipeline.encoder.tokenizer import SPECIAL_TOKENS, vocabulary_of
from pipeline.encoder.tokens import Tokens
from pipeline.params import PretrainParams
from pipeline.reports import CurvePoint

ROUNDS, STEPS, WARM_STEPS = 5, 8, 2


class Shape(NamedTuple):
    """A model and its batch."""

    name: str
    layers: int
    hidden: int
    vocab_size: int
    batch_sequences: int
    seq_len_tokens: int = 128


SHAPES = (
    Shape("BERT-mini, 8k tokens", 4, 256, 8192, 32),
    Shape("MiniLM-L6, 30k tokens", 6, 384, 30522, 8),
)


def compare() -> list[str]:
    """Time all shapes; return a Markdown table of ratios, rival's seconds a step over ours."""
    machine = f"{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
    versions = f"torch {torch.__version__}, transformers {transformers.__version__}"
    lines = [
        f"{machine}, {device().type}, {best_precision(device())}; {versions}",
        "",
        "| model | Trainer's step / ours | with dropout off | rounds |",
        "|---|---|---|---|",
    ]
    for shape in SHAPES:
        rounds = [_round(shape) for _ in range(ROUNDS)]
        ratios = [_range([row[rival] / row[0] for row in rounds]) for rival in (1, 2)]
        lines.append(f"| {shape.name} | {ratios[0]} | {ratios[1]} | {ROUNDS} |")
    return lines


def _range(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _round(shape: Shape) -> tuple[float, ...]:
    runs: list[Callable[[], float]] = [
        lambda: _time_ours(shape),
        lambda: _time_trainer(shape, {}),
        lambda: _time_trainer(shape, {"hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0}),
    ]
    return tuple(run() for run in runs)


def _tokenizer(shape: Shape) -> Any:
    words = SPECIAL_TOKENS + [f"w{i}" for i in range(shape.vocab_size - len(SPECIAL_TOKENS))]
    return transformers.BertTokenizer(vocab={word: i for i, word in enumerate(words)})


def _tokens(shape: Shape) -> Tokens:
    """Ids by Zipf's law, as words are; the time of a step depends on nothing else of them."""
    ranks = np.random.default_rng(0).zipf(1.2, 400 * shape.seq_len_tokens) % shape.vocab_size
    ids = np.maximum(ranks, len(SPECIAL_TOKENS)).astype(np.uint16)
    return Tokens(ids, np.array([0, len(ids)]))


def _params(shape: Shape) -> PretrainParams:
    tokens = STEPS * shape.batch_sequences * shape.seq_len_tokens
    return PretrainParams(
        init="scratch", layers=shape.layers, hidden=shape.hidden,
        seq_len_tokens=shape.seq_len_tokens, batch_sequences=shape.batch_sequences, accumulate=1,
        tokens=tokens, masking_rate=0.15, learning_rate=5e-5, head_learning_rate=5e-5,
        warmup_share=0.0, weight_decay=0.01, clip_norm=1.0, dropout=0.0, heldout_sequences=1,
        heldout_every_steps=10 * STEPS, checkpoint_every_steps=10 * STEPS, seed=1,
    )  # fmt: skip


class _Stopwatch(transformers.TrainerCallback):
    """Notes when each step ends, of either engine."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def step(self, position: Position, loss: float, learning_rate: float) -> None:  # noqa: ARG002
        self.ends.append(time.perf_counter())

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.ends.append(time.perf_counter())

    def point(self, point: CurvePoint) -> None:
        """The held-out loss after the last step is no part of a step."""

    def say(self, message: str) -> None:
        """There is no checkpoint to speak of."""

    def seconds(self) -> float:
        """Return the median of the steps after the warm ones."""
        return float(np.median(np.diff(self.ends)[WARM_STEPS:]))


def _time_ours(shape: Shape) -> float:
    tokenizer, params = _tokenizer(shape), _params(shape)
    vocabulary = vocabulary_of(tokenizer)
    packing = Packing(_tokens(shape), vocabulary, shape.seq_len_tokens)
    plan = Plan(params, packing, heldout_batches(packing, 1), best_precision(device()))
    start, watch = start_model(params, tokenizer, vocabulary), _Stopwatch()
    start.model.to(device())
    with tempfile.TemporaryDirectory() as folder:
        pretrain(start, plan, Path(folder), watch)
    return watch.seconds()


def _time_trainer(shape: Shape, config: dict[str, float]) -> float:
    tokenizer, watch = _tokenizer(shape), _Stopwatch()
    rows = _tokens(shape).ids.astype(int).reshape(-1, shape.seq_len_tokens).tolist()
    model = transformers.BertForMaskedLM(
        transformers.BertConfig(
            vocab_size=shape.vocab_size,
            hidden_size=shape.hidden,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.hidden // 64,
            intermediate_size=4 * shape.hidden,
            max_position_embeddings=shape.seq_len_tokens,
            **config,
        )
    )
    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            output_dir=folder,
            max_steps=STEPS,
            per_device_train_batch_size=shape.batch_sequences,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=torch.cuda.is_available(),
        )
        trainer = transformers.Trainer(
            model,
            arguments,
            transformers.DataCollatorForLanguageModeling(tokenizer),
            [{"input_ids": row} for row in rows],
            callbacks=[watch],
        )
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
    return watch.seconds()
