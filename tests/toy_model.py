"""A language of 45 words: its tokenizer, its corpus, and runs of seconds on it."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import BertTokenizer

from pipeline.encoder.batches import Packing, Rows
from pipeline.encoder.loss import MaskedLoss, batch_loss, heldout_batches
from pipeline.encoder.masking import MaskedBatch
from pipeline.encoder.model import Start, start_model
from pipeline.encoder.pretraining import Plan
from pipeline.encoder.tokenizer import save_tokenizer
from pipeline.encoder.tokens import Tokens, Vocabulary, appending, ids_path, offsets_path
from pipeline.params import PretrainParams

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{i}" for i in range(5, 50))]
VOCABULARY = Vocabulary(
    size=50, pad_id=0, cls_id=2, sep_id=3, mask_id=4, special_ids=(0, 1, 2, 3, 4)
)


def pretrain_params(**changes: Any) -> PretrainParams:
    """Return parameters of a run of 12 steps on the toy."""
    values: dict[str, Any] = {
        "init": "scratch", "architecture": "bert", "layers": 1, "hidden": 16,
        "seq_len_tokens": 16, "batch_sequences": 4, "accumulate": 1, "tokens": 12 * 4 * 16,
        "masking_rate": 0.15, "learning_rate": 1e-3, "head_learning_rate": 1e-3,
        "warmup_share": 0.1, "weight_decay": 0.01, "clip_norm": 1.0, "dropout": 0.1,
        "heldout_sequences": 4, "heldout_every_steps": 5, "checkpoint_every_steps": 2, "seed": 1,
        "precision": "float32",  # the same on every machine
    }  # fmt: skip
    return PretrainParams(**(values | changes))


def toy_tokenizer() -> Any:
    """Return a tokenizer whose ids are the places in `WORDS`."""
    return BertTokenizer(vocab={word: i for i, word in enumerate(WORDS)}, model_max_length=512)


def toy_tokens(documents: int = 40, seed: int = 0) -> Tokens:
    """Return documents of 1 to 30 tokens that count upwards: something to learn."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 31, documents)
    starts = rng.integers(0, 45, documents)
    ids = [
        5 + (start + np.arange(length)) % 45 for start, length in zip(starts, lengths, strict=True)
    ]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Tokens(np.concatenate(ids).astype(np.uint16), offsets)


def toy_packing(seq_len_tokens: int = 16, **made: Any) -> Packing:
    """Return the toy corpus, packed."""
    return Packing(toy_tokens(**made), VOCABULARY, seq_len_tokens)


def summed_loss(model: Any, batch: MaskedBatch) -> torch.Tensor:
    """Return a model's loss of a batch in float32, summed over its guesses, in nats."""
    return batch_loss(MaskedLoss(model, "float32"), batch, model.device)


def whole_rows(ids: np.ndarray, pad_id: int = VOCABULARY.pad_id) -> Rows:
    """Return rows (B, T) that are one document each, but for their padding."""
    return Rows(ids, (ids != pad_id).astype(np.int64))


def toy_start(params: PretrainParams) -> Start:
    """Return the model that the parameters ask for."""
    return start_model(params, toy_tokenizer(), VOCABULARY)


def toy_plan(params: PretrainParams) -> Plan:
    """Return a run's plan on the toy corpus."""
    heldout = heldout_batches(toy_packing(params.seq_len_tokens, seed=9), params.heldout_sequences)
    return Plan(params, toy_packing(params.seq_len_tokens), heldout, "float32")


def write_tokenised(folder: Path) -> None:
    """Write what the stage tokenise would."""
    save_tokenizer(toy_tokenizer(), folder / "tokenizer")
    for part, seed in (("train", 0), ("heldout", 9)):
        tokens = toy_tokens(seed=seed)
        with appending(ids_path(folder, part), np.uint16) as append:
            append(tokens.ids)
        with appending(offsets_path(folder, part), np.int64) as append:
            append(tokens.offsets)
