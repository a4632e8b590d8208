"""Tokens that our recipe needs for the held-out loss at which the Trainer's ends.

Needs build/tokenise, of `dvc repro tokenise` with ``tokenise.tokenizer: train``. BERT-mini from
scratch, three seeds. The rivals run on `TOKENS` tokens: (a) run_mlm's defaults, (b) the same with a
learning rate of 1e-3, batch 16 and no dropout. Ours has a quarter and half of them, each with its
own schedule. Held-out rows are scored as run_mlm makes them, documents seeing each other.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import transformers

from benchmarks.lockstep import spread
from pipeline import layout
from pipeline.encoder import tokens as token_files
from pipeline.encoder.batches import Packing
from pipeline.encoder.loading import device
from pipeline.encoder.loss import heldout_batches, heldout_loss, token_shares
from pipeline.encoder.masking import MaskedBatch
from pipeline.encoder.model import set_output_bias, start_model, untrained_model
from pipeline.encoder.precision import best_precision
from pipeline.encoder.pretraining import Plan, Unwatched, pretrain
from pipeline.encoder.tokenizer import load_tokenizer, vocabulary_of
from pipeline.params import PretrainParams

TOKENS, SEEDS, SHARES = 196_608, (1, 2, 3), (0.25, 0.5)
_SEQ_LEN_TOKENS, _HELDOUT_SEQUENCES = 128, 128
_RIVALS: dict[str, dict[str, Any]] = {
    "a": {"per_device_train_batch_size": 8},
    "b": {"per_device_train_batch_size": 16, "learning_rate": 1e-3},
}


def compare() -> list[str]:
    """Train all; return a Markdown table of held-out losses in nats a token."""
    folder = layout.stage_dir("tokenise")
    tokenizer = load_tokenizer(str(folder / "tokenizer"))
    vocabulary = vocabulary_of(tokenizer)
    train, heldout = (
        Packing(token_files.open_tokens(folder, part), vocabulary, _SEQ_LEN_TOKENS)
        for part in ("train", "heldout")
    )
    scored = [
        replace(batch, segments=np.minimum(batch.segments, 1))
        for batch in heldout_batches(heldout, _HELDOUT_SEQUENCES)
    ]
    lines = [
        f"{TOKENS} tokens, V={vocabulary.size}, {scored[0].ids.shape[1]} tokens a sequence",
        "",
        "| run | share of the tokens | held-out loss, median (least to greatest) of 3 seeds |",
        "|---|---|---|",
    ]
    for name in _RIVALS:
        losses = [_train_rival(name, seed, tokenizer, train, scored) for seed in SEEDS]
        lines.append(f"| Trainer ({name}) | 1 | {spread(losses)} |")
    for share in SHARES:
        losses = [_train_ours(share, seed, tokenizer, train, scored) for seed in SEEDS]
        lines.append(f"| ours | {share:g} | {spread(losses)} |")
    return lines


def _params(share: float, seed: int) -> PretrainParams:
    return PretrainParams(
        init="scratch", layers=4, hidden=256, seq_len_tokens=_SEQ_LEN_TOKENS, batch_sequences=8,
        accumulate=1, tokens=int(share * TOKENS), masking_rate=0.15, learning_rate=3e-3,
        head_learning_rate=3e-3, warmup_share=0.1, weight_decay=0.01, clip_norm=1.0, dropout=0.0,
        heldout_sequences=_HELDOUT_SEQUENCES, heldout_every_steps=TOKENS,
        checkpoint_every_steps=TOKENS, seed=seed, optimiser="muon",
    )  # fmt: skip


def _train_ours(
    share: float, seed: int, tokenizer: Any, train: Packing, scored: Sequence[MaskedBatch]
) -> float:
    params = _params(share, seed)
    start = start_model(params, tokenizer, train.vocabulary)
    set_output_bias(start, token_shares(train.tokens, train.vocabulary.size))
    start.model.to(device())
    plan = Plan(params, train, scored, best_precision(device()))
    with tempfile.TemporaryDirectory() as folder:
        pretrain(start, plan, Path(folder), Unwatched())
    return heldout_loss(start.model, scored, plan.precision)


def _train_rival(
    name: str, seed: int, tokenizer: Any, train: Packing, scored: Sequence[MaskedBatch]
) -> float:
    config = start_model(_params(1, seed), tokenizer, train.vocabulary).model.config
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.1 if name == "a" else 0.0
    model = untrained_model(config, seed).to(device())
    rows = train.rows(np.arange(min(train.sequences, 2 * TOKENS // _SEQ_LEN_TOKENS))).ids
    batch = _RIVALS[name]["per_device_train_batch_size"]
    with tempfile.TemporaryDirectory() as folder:
        trainer = transformers.Trainer(
            model,
            transformers.TrainingArguments(
                output_dir=folder,
                max_steps=TOKENS // (batch * _SEQ_LEN_TOKENS),
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
                seed=seed,
                **_RIVALS[name],
            ),
            transformers.DataCollatorForLanguageModeling(tokenizer),
            [{"input_ids": row} for row in rows.tolist()],
        )
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
    return heldout_loss(model, scored, best_precision(device()))
