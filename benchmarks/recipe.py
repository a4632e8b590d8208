"""How many tokens our recipe needs to reach the Trainer's final held-out loss.

Needs build/tokenise, of `dvc repro tokenise` with ``tokenise.tokenizer: train``. BERT-mini from
scratch, three seeds. The rivals run on `TOKENS` tokens: (a) run_mlm's defaults, (b) the same with
no dropout, a warm-up, and the best batch and learning rate for so many tokens. Ours has a quarter
and a half of them, each with its own schedule. Its settings, and those of (b), were chosen on other
held-out rows and another seed. Held-out rows are scored as run_mlm packs them: documents in a row
see each other.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import transformers

from benchmarks.lockstep import spread
from benchmarks.pretrain import LOADERS
from pipeline import layout
from pipeline.encoder import tokens as token_files
from pipeline.encoder.batches import Packing
from pipeline.encoder.loading import device
from pipeline.encoder.loss import heldout_batches, heldout_loss, token_shares, unigram_loss
from pipeline.encoder.masking import MaskedBatch
from pipeline.encoder.model import set_output_bias, start_model
from pipeline.encoder.precision import best_precision
from pipeline.encoder.pretraining import Plan, pretrain
from pipeline.encoder.tokenizer import load_tokenizer, vocabulary_of
from pipeline.encoder.watch import Unwatched
from pipeline.params import PretrainParams

TOKENS, SEEDS, SHARES = 196_608, (1, 2, 3), (0.25, 0.5)
_SEQ_LEN_TOKENS, _HELDOUT_SEQUENCES = 128, 128
RIVALS: dict[str, dict[str, Any]] = {
    "a": {"batch_sequences": 8, "dropout": 0.1, "learning_rate": 5e-5, "warmup_share": 0.0},
    "b": {"batch_sequences": 2, "dropout": 0.0, "learning_rate": 5e-4, "warmup_share": 0.1},
}


class Corpus(NamedTuple):
    """What build/tokenise holds."""

    tokenizer: Any
    train: Packing
    scored: Sequence[MaskedBatch]  # held-out rows, documents seeing each other

    def shares(self) -> npt.NDArray[np.float64]:
        """Return each token's share of the training part, (V,)."""
        return token_shares(self.train.tokens, self.train.vocabulary.size)


def read_corpus() -> Corpus:
    """Read the training part, and the held-out rows as run_mlm makes them."""
    folder = layout.stage_dir("tokenise")
    tokenizer = load_tokenizer(str(folder / "tokenizer"))
    vocabulary = vocabulary_of(tokenizer)
    train, heldout = (
        Packing(token_files.open_tokens(folder, part), vocabulary, _SEQ_LEN_TOKENS)
        for part in ("train", "heldout")
    )
    batches = heldout_batches(heldout, _HELDOUT_SEQUENCES)
    scored = [replace(each, segments=np.minimum(each.segments, 1)) for each in batches]
    return Corpus(tokenizer, train, scored)


def compare() -> list[str]:
    """Train every run; return a Markdown table of held-out losses in nats a token."""
    corpus = read_corpus()
    lines = [
        f"{TOKENS} tokens, V={corpus.train.vocabulary.size}, {_SEQ_LEN_TOKENS} tokens a sequence",
        "",
        "| run | share of the tokens | held-out loss, median (least to greatest) of 3 seeds |",
        "|---|---|---|",
    ]
    for name, own in RIVALS.items():
        params = (params_of(1, seed).model_copy(update=own) for seed in SEEDS)
        losses = [train_rival(each, corpus) for each in params]
        lines.append(f"| Trainer ({name}) | 1 | {spread(losses)} |")
    for share in SHARES:
        losses = [train_ours(params_of(share, seed), corpus) for seed in SEEDS]
        lines.append(f"| ours | {share:g} | {spread(losses)} |")
    unigram = unigram_loss(corpus.shares(), corpus.scored)
    return [*lines, "", f"Guessing each token by its share of the corpus has {unigram:.2f}."]


def params_of(share: float, seed: int) -> PretrainParams:
    """Return our recipe, for a share of the tokens."""
    return PretrainParams(
        init="scratch", layers=4, hidden=256, seq_len_tokens=_SEQ_LEN_TOKENS, batch_sequences=8,
        accumulate=1, tokens=int(share * TOKENS), masking_rate=0.4, learning_rate=3e-3,
        head_learning_rate=3e-3, warmup_share=0.1, weight_decay=0.01, clip_norm=1.0, dropout=0.0,
        heldout_sequences=_HELDOUT_SEQUENCES, heldout_every_steps=TOKENS,
        checkpoint_every_steps=TOKENS, seed=seed, optimiser="muon",
    )  # fmt: skip


def train_ours(params: PretrainParams, corpus: Corpus, shares: bool = True) -> float:
    """Train a model; return its held-out loss. Its output starts from the tokens' ``shares``."""
    start = start_model(params, corpus.tokenizer, corpus.train.vocabulary)
    if shares:
        set_output_bias(start, corpus.shares())
    start.model.to(device())
    plan = Plan(params, corpus.train, corpus.scored, best_precision(device()))
    with tempfile.TemporaryDirectory() as folder:
        pretrain(start, plan, Path(folder), Unwatched())
    return heldout_loss(start.model, corpus.scored, plan.precision)


def train_rival(params: PretrainParams, corpus: Corpus, fast: bool = False) -> float:
    """Train a model of these sizes by the Trainer; return its held-out loss.

    Batch, tokens, dropout, learning rate, warm-up and whether to compile are of ``params``, and the
    rest is the Trainer's own. ``fast``: in our precision, with the attention that is fastest here,
    and beside a GPU with loaders.
    """
    tokenizer, train, scored = corpus
    model = start_model(params, tokenizer, train.vocabulary).model.to(device())
    on_gpu = device().type == "cuda"
    if fast and not on_gpu:
        model.set_attn_implementation("eager")
    needed = min(train.sequences, 2 * params.tokens // _SEQ_LEN_TOKENS)
    with tempfile.TemporaryDirectory() as folder:
        trainer = transformers.Trainer(
            model,
            transformers.TrainingArguments(
                output_dir=folder,
                max_steps=params.tokens // (params.batch_sequences * _SEQ_LEN_TOKENS),
                per_device_train_batch_size=params.batch_sequences,
                learning_rate=params.learning_rate,
                warmup_steps=params.warmup_share,
                bf16=fast and best_precision(device()) == "bfloat16",
                torch_compile=params.compile,
                dataloader_num_workers=LOADERS if fast and on_gpu else 0,
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
                use_cpu=not on_gpu,
                seed=params.seed,
            ),
            transformers.DataCollatorForLanguageModeling(tokenizer),
            [{"input_ids": row} for row in train.rows(np.arange(needed)).ids.tolist()],
        )
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
    return heldout_loss(model, scored, best_precision(device()))
