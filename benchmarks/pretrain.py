"""Pretraining against the Hugging Face Trainer: same model, vocabulary, tokens and threads.

The rivals are `transformers.Trainer` with `DataCollatorForLanguageModeling`, logits everywhere:
(a) with run_mlm's defaults (batch 8, float32, dropout 0.1), and (b) tuned: its best batch, our
precision, no dropout, our allocator's settings; on a processor eager attention, which is faster
there, and on a GPU torch.compile, as for us, and loaders beside it. All loops take turns, a step
each, in processes of their own. Tokens count no padding; there is none.

On a GPU the models are larger, and what it is sold as doing gives the model FLOPs utilisation.
"""

import functools
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

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
from pipeline.params import PretrainParams, scale

ROUNDS = 11
_ENDLESS_STEPS = 10_000  # more than any comparison takes
_DOCUMENT_TOKENS = 180
_DEFAULT_BATCH = 8  # TrainingArguments.per_device_train_batch_size
LOADERS = 4  # beside a GPU; on a processor two made no difference
_PEAK_TFLOPS = {"H100": 989, "H200": 989, "A100": 312}  # NVIDIA's data sheets: bfloat16, dense


class Shape(NamedTuple):
    """A model, and the batches that are best for us and for the tuned Trainer here."""

    name: str
    layers: int
    hidden: int
    vocab_size: int
    batch_sequences: int
    trainer_batch_sequences: int
    seq_len_tokens: int = 128
    architecture: Literal["bert", "modernbert"] = "bert"
    attention: Literal["sdpa", "flex"] = "sdpa"


SHAPES = (
    Shape("BERT-mini 4x256, V=8k", 4, 256, 8192, 256, 64),
    Shape("BERT-mini 4x256, V=30k", 4, 256, 30522, 128, 32),
    Shape("BERT-base 12x768, V=30k", 12, 768, 30522, 32, 32),
)
_ON_GPU = (
    Shape("BERT-base 12x768, V=30k, 128 tokens", 12, 768, 30522, 512, 256),
    Shape("ModernBERT-base 22x768, V=50k, 512", 22, 768, 50368, 64, 64, 512, "modernbert"),
    Shape("the same, FlexAttention", 22, 768, 50368, 64, 64, 512, "modernbert", "flex"),
)


def compare() -> list[str]:
    """Time all shapes; return a Markdown table of our tokens a second over each rival's."""
    where = f"{torch.get_num_threads()} threads, {device().type}, {best_precision(device())}"
    sold_as = _peak_of_data_sheet()
    columns = ["model", "tuned Trainer (b)", "Trainer's defaults (a)", "share of the GEMM peak"]
    columns += ["MFU"] if sold_as else []
    columns += ["peak MiB: ours, (b), (a)"]
    lines = [
        f"{where}; median (least to greatest) of {ROUNDS} rounds",
        "",
        f"| {' | '.join(columns)} |",
        "|---" * len(columns) + "|",
    ]
    return lines + [_row(shape, sold_as) for shape in _shapes()]


def _shapes() -> tuple[Shape, ...]:
    return _ON_GPU if device().type == "cuda" else SHAPES


def _peak_of_data_sheet() -> float | None:
    """Return the FLOPs a second of this GPU's bfloat16; None of another device."""
    name = torch.cuda.get_device_name() if device().type == "cuda" else ""
    return next((1e12 * peak for known, peak in _PEAK_TFLOPS.items() if known in name), None)


def _row(shape: Shape, sold_as: float | None) -> str:
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
    rates = [_necessary_flops(shape) / ours for ours in seconds["ours"]]
    measured = [_PEAK_PRODUCTS * 2 * _peak_width() ** 3 / peak for peak in seconds["peak"]]
    cells = [
        *(_ratios(seconds, batches, rival) for rival in ("b", "a")),
        str(spread([rate / peak for rate, peak in zip(rates, measured, strict=True)])),
        *([str(spread([rate / sold_as for rate in rates]))] if sold_as else []),
        ", ".join(f"{loops[name].peak_mib:,.0f}" for name in batches),
    ]
    return f"| {shape.name} | {' | '.join(cells)} |"


def _ratios(seconds: Mapping[str, list[float]], batches: Mapping[str, int], rival: str) -> str:
    pairs = zip(seconds["ours"], seconds[rival], strict=True)
    scale = batches["ours"] / batches[rival]
    return str(spread([scale * theirs / ours for ours, theirs in pairs]))


def _necessary_flops(shape: Shape) -> float:
    """Return the FLOPs of a step: 6 a parameter and token, plus attention.

    The head, and the last layer but for its keys and values, count at masked positions only. Two of
    ModernBERT's layers in three see 128 tokens (Warner et al. 2024, section 2.1.1).
    """
    T, H = shape.seq_len_tokens, shape.hidden
    matrices = scale.parameters(shape.architecture, 1, H)  # of a layer
    seen = (T + 2 * min(T, 128)) / 3 if shape.architecture == "modernbert" else T
    tokens = shape.batch_sequences * T
    guesses = 0.15 * tokens
    attention = 2 * seen * H  # a token's multiplications
    before = tokens * (shape.layers - 1) * (matrices + attention)
    last = tokens * 2 * H**2 + guesses * (matrices - 2 * H**2 + attention)
    return 6 * (before + last + guesses * (H**2 + H * shape.vocab_size))


_PEAK_PRODUCTS = 20  # a step: one alone would mostly wake threads


def _peak_width() -> int:
    """Return a width that fills the device; on a GPU narrower ones take less time than the turn."""
    return 8192 if device().type == "cuda" else 2048


def _multiply(pause: Pause) -> None:
    """Multiply square matrices without end: the peak that the shares refer to."""
    kind = torch.bfloat16 if best_precision(device()) == "bfloat16" else torch.float32
    matrix = torch.randn(_peak_width(), _peak_width(), dtype=kind, device=device())
    while True:
        for _ in range(_PEAK_PRODUCTS):
            matrix @ matrix
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
        init="scratch", architecture=shape.architecture, attention=shape.attention,
        layers=shape.layers, hidden=shape.hidden,
        seq_len_tokens=shape.seq_len_tokens, batch_sequences=shape.batch_sequences, accumulate=1,
        tokens=steps * shape.batch_sequences * shape.seq_len_tokens, masking_rate=0.15,
        compile=device().type == "cuda",
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
    packing = Packing(_tokens(shape), vocabulary, shape.seq_len_tokens)
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
    T, on_gpu = shape.seq_len_tokens, device().type == "cuda"
    ids = _tokens(shape).ids.astype(int)
    rows = ids[: len(ids) // T * T].reshape(-1, T)
    tokenizer = tokenizer_of(shape.vocab_size)
    own = {"attention": "sdpa", "dropout": 0.0 if tuned else 0.1}
    params = params_of(shape).model_copy(update=own)
    model = start_model(params, tokenizer, vocabulary_of(tokenizer)).model
    if tuned and not on_gpu:
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
            torch_compile=tuned and on_gpu,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=not on_gpu,
            dataloader_pin_memory=on_gpu,
            dataloader_num_workers=LOADERS if tuned and on_gpu else 0,
        )
        trainer = transformers.Trainer(
            model,
            arguments,
            transformers.DataCollatorForLanguageModeling(tokenizer),
            [{"input_ids": row} for row in rows.tolist()],
            callbacks=[PauseCallback(pause)],
        )
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
