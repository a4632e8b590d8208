"""Pretraining against the Hugging Face Trainer: same model, vocabulary, tokens and threads.

The rivals are `transformers.Trainer` with `DataCollatorForLanguageModeling`, logits everywhere:
(a) with run_mlm's defaults (batch 8, float32, dropout 0.1), and (b) tuned: its best batch, our
precision, no dropout, our allocator's settings, and on a processor eager attention, which is
faster there. All loops take turns, a step each, in processes of their own. Tokens count no
padding; there is none.
"""

import functools
import math
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import transformers

from benchmarks.lockstep import Apart, Pause, spread, time_steps
from pipeline.encoder.allocator import keep_freed_memory
from pipeline.encoder.batches import Packing
from pipeline.encoder.loading import device
from pipeline.encoder.loss import heldout_batches
from pipeline.encoder.model import Start, start_model
from pipeline.encoder.precision import best_precision
from pipeline.encoder.pretraining import Plan, pretrain
from pipeline.encoder.tokenizer import SPECIAL_TOKENS, vocabulary_of
from pipeline.encoder.tokens import Tokens
from pipeline.encoder.watch import Position, Unwatched
from pipeline.params import PretrainParams

ROUNDS = 11
_ENDLESS_STEPS = 10_000  # more than any comparison takes
_SEQ_LEN_TOKENS, _DOCUMENT_TOKENS = 128, 180
_DEFAULT_BATCH = 8  # TrainingArguments.per_device_train_batch_size


class Shape(NamedTuple):
    """A model, and the batches that are best for us and for the tuned Trainer here."""

    name: str
    layers: int
    hidden: int
    vocab_size: int
    batch_sequences: int
    trainer_batch_sequences: int


SHAPES = (
    Shape("BERT-mini 4x256, V=8k", 4, 256, 8192, 128, 64),
    Shape("BERT-mini 4x256, V=30k", 4, 256, 30522, 128, 32),
    Shape("BERT-base 12x768, V=30k", 12, 768, 30522, 32, 32),
)


def compare() -> list[str]:
    """Time all shapes; return a Markdown table of our tokens a second over each rival's."""
    where = f"{torch.get_num_threads()} threads, {device().type}, {best_precision(device())}"
    lines = [
        f"{where}, sequences of {_SEQ_LEN_TOKENS}; median (least to greatest) of {ROUNDS} rounds",
        "",
        "| model | tuned Trainer (b) | Trainer's defaults (a) | share of the GEMM peak |",
        "|---|---|---|---|",
    ]
    for shape in SHAPES:
        runs: dict[str, Callable[[Pause], None]] = {
            "ours": functools.partial(run_ours, shape),
            "b": functools.partial(_run_trainer, shape, tuned=True),
            "a": functools.partial(_run_trainer, shape, tuned=False),
            "peak": _multiply,
        }
        loops = {name: Apart(run) for name, run in runs.items()}
        seconds = time_steps(loops, ROUNDS)
        batches = {
            "ours": shape.batch_sequences,
            "b": shape.trainer_batch_sequences,
            "a": _DEFAULT_BATCH,
        }
        cells = [_ratios(seconds, batches, rival) for rival in ("b", "a")]
        shares = [
            (_necessary_flops(shape) / ours) / (_PEAK_PRODUCTS * 2 * _PEAK_WIDTH**3 / peak)
            for ours, peak in zip(seconds["ours"], seconds["peak"], strict=True)
        ]
        lines.append(f"| {shape.name} | {cells[0]} | {cells[1]} | {spread(shares)} |")
    return lines


def _ratios(seconds: Mapping[str, list[float]], batches: Mapping[str, int], rival: str) -> str:
    pairs = zip(seconds["ours"], seconds[rival], strict=True)
    scale = batches["ours"] / batches[rival]
    return str(spread([scale * theirs / ours for ours, theirs in pairs]))


def _necessary_flops(shape: Shape) -> float:
    """Return the FLOPs of a step: 6 a parameter and token, plus attention.

    The head, and the last layer but for its keys and values, count at masked positions only.
    """
    tokens, H = shape.batch_sequences * _SEQ_LEN_TOKENS, shape.hidden
    guesses = 0.15 * tokens
    attention = 2 * _SEQ_LEN_TOKENS * H  # a token's multiplications
    before = tokens * (shape.layers - 1) * (12 * H**2 + attention)
    last = tokens * 2 * H**2 + guesses * (10 * H**2 + attention)
    return 6 * (before + last + guesses * (H**2 + H * shape.vocab_size))


_PEAK_WIDTH = 2048
_PEAK_PRODUCTS = 20  # a step: one alone would mostly wake threads


def _multiply(pause: Pause) -> None:
    """Multiply square matrices without end: the peak that the shares refer to."""
    kind = torch.bfloat16 if best_precision(device()) == "bfloat16" else torch.float32
    matrix = torch.randn(_PEAK_WIDTH, _PEAK_WIDTH, dtype=kind, device=device())
    while True:
        for _ in range(_PEAK_PRODUCTS):
            matrix @ matrix
        if device().type == "cuda":
            torch.cuda.synchronize()
        pause()


def tokenizer_of(vocab_size: int) -> Any:
    """Return a tokenizer of so many words; which ones does not affect the speed."""
    words = SPECIAL_TOKENS + [f"w{i}" for i in range(vocab_size - len(SPECIAL_TOKENS))]
    return transformers.BertTokenizer(vocab={word: i for i, word in enumerate(words)})


def _tokens(shape: Shape) -> Tokens:
    """Ids by Zipf's law, as words are, in documents of one length."""
    length = 2000 * _DOCUMENT_TOKENS
    ranks = np.random.default_rng(0).zipf(1.2, length) % shape.vocab_size
    ids = np.maximum(ranks, len(SPECIAL_TOKENS)).astype(np.uint16)
    return Tokens(ids, np.arange(0, length + 1, _DOCUMENT_TOKENS))


def params_of(shape: Shape, steps: int = _ENDLESS_STEPS) -> PretrainParams:
    """Return the parameters of so many steps of a model, at the rival's rates."""
    return PretrainParams(
        init="scratch", layers=shape.layers, hidden=shape.hidden, seq_len_tokens=_SEQ_LEN_TOKENS,
        batch_sequences=shape.batch_sequences, accumulate=1,
        tokens=steps * shape.batch_sequences * _SEQ_LEN_TOKENS, masking_rate=0.15,
        learning_rate=5e-5, head_learning_rate=5e-5, warmup_share=0.0, weight_decay=0.01,
        clip_norm=1.0, dropout=0.0, heldout_sequences=1, heldout_every_steps=_ENDLESS_STEPS,
        checkpoint_every_steps=_ENDLESS_STEPS, seed=1,
    )  # fmt: skip


class _Watch(Unwatched):
    """Lets our loop pause after each step."""

    def __init__(self, pause: Pause) -> None:
        self._pause = pause

    def step(self, position: Position, loss: float, learning_rate: float) -> None:  # noqa: ARG002
        self._pause()


class PauseCallback(transformers.TrainerCallback):
    """Lets the Trainer's loop pause after each step."""

    def __init__(self, pause: Pause) -> None:
        self._pause = pause

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Called by the Trainer."""
        self._pause()


def synthetic_run(shape: Shape, params: PretrainParams) -> tuple[Start, Plan]:
    """Return a new model and the plan of its pretraining, on synthetic tokens."""
    tokenizer = tokenizer_of(shape.vocab_size)
    vocabulary = vocabulary_of(tokenizer)
    packing = Packing(_tokens(shape), vocabulary, _SEQ_LEN_TOKENS)
    plan = Plan(params, packing, heldout_batches(packing, 1), best_precision(device()))
    start = start_model(params, tokenizer, vocabulary)
    start.model.to(device())
    return start, plan


def run_ours(shape: Shape, pause: Pause) -> None:
    """Pretrain without end, with a pause after each step."""
    start, plan = synthetic_run(shape, params_of(shape))
    with tempfile.TemporaryDirectory() as folder:
        pretrain(start, plan, Path(folder), _Watch(pause))


def _run_trainer(shape: Shape, pause: Pause, tuned: bool) -> None:
    rows = _tokens(shape).ids.astype(int)
    rows = rows[: math.floor(len(rows) / _SEQ_LEN_TOKENS) * _SEQ_LEN_TOKENS]
    dropouts = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0} if tuned else {}
    model = transformers.BertForMaskedLM(
        transformers.BertConfig(
            vocab_size=shape.vocab_size,
            hidden_size=shape.hidden,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.hidden // 64,
            intermediate_size=4 * shape.hidden,
            max_position_embeddings=_SEQ_LEN_TOKENS,
            **dropouts,
        )
    )
    if tuned and device().type == "cpu":
        keep_freed_memory()
        model.set_attn_implementation("eager")
    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            output_dir=folder,
            max_steps=_ENDLESS_STEPS,
            per_device_train_batch_size=(
                shape.trainer_batch_sequences if tuned else _DEFAULT_BATCH
            ),
            bf16=tuned and best_precision(device()) == "bfloat16",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=device().type == "cpu",
            dataloader_pin_memory=torch.cuda.is_available(),
        )
        trainer = transformers.Trainer(
            model,
            arguments,
            transformers.DataCollatorForLanguageModeling(tokenizer_of(shape.vocab_size)),
            [{"input_ids": row} for row in rows.reshape(-1, _SEQ_LEN_TOKENS).tolist()],
            callbacks=[PauseCallback(pause)],
        )
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
