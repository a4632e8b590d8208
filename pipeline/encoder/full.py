"""Fine-tuning of the whole model: BERT's recipe (Devlin et al. 2019, appendix A.3)."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn
from transformers import AutoModelForSequenceClassification

from pipeline.encoder.classifier import sequence_logits
from pipeline.encoder.fitting import Best, OnEpoch, class_weights, judge, keep_best, weighted_losses
from pipeline.encoder.loading import load_config, load_model
from pipeline.encoder.model import DROPOUTS
from pipeline.encoder.optimiser import schedule, set_learning_rates
from pipeline.encoder.precision import Precision, autocast, choose_precision
from pipeline.params import FinetuneParams, FullParams
from pipeline.reports import FinetunePoint

_DROPOUTS = (*itertools.chain.from_iterable(DROPOUTS.values()), "classifier_dropout")
_CLIP_NORM = 1.0  # as in BERT's own optimization.py
_JUDGED_TOKENS = 8192  # a batch of validation texts


class Texts(NamedTuple):
    """Texts as token ids, special tokens included, and their labels."""

    ids: Sequence[Sequence[int]]
    labels: torch.Tensor  # (N,) int64


def load_classifier(model_dir: Path, labels: Sequence[str], seed: int, dropout: float) -> Any:
    """Load a masked-LM directory as a sequence classifier, its head drawn from ``seed``."""
    config = load_config(
        model_dir,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
        problem_type="single_label_classification",
    )
    for name in _DROPOUTS:
        if getattr(config, name, None) is not None:
            setattr(config, name, dropout)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return load_model(AutoModelForSequenceClassification, model_dir, config, new_head=True)


def finetune_full(
    model: Any,
    train: Texts,
    validation: Texts,
    params: FinetuneParams,
    *,
    on_epoch: OnEpoch,
    progress: Callable[[int, int], None] | None = None,
) -> Best:
    """Train all weights and leave ``model`` in eval mode with those of the best epoch.

    AdamW with weight decay on matrices only, a linear warm-up and decay of the learning rate over
    all steps, and clipped gradients. ``progress`` receives the number of steps done and of all.
    """
    full = params.full
    weights = class_weights(train.labels, model.config.num_labels, params.class_weights)
    optimiser = _new_optimiser(model, full)
    per_epoch = -(-len(train.ids) // full.batch_rows)
    precision = choose_precision(full.precision, model.device)
    order = torch.Generator().manual_seed(params.seed)

    def run_epoch(epoch: int) -> FinetunePoint:
        model.train()
        total = 0.0
        rows = torch.randperm(len(train.ids), generator=order).split(full.batch_rows)
        for step, batch in enumerate(rows, (epoch - 1) * per_epoch):
            factor = schedule(step, full.epochs * per_epoch, full.warmup_share)
            set_learning_rates((optimiser,), factor)
            total += _step(model, optimiser, train, batch, weights, precision=precision)
            if progress:
                progress(step + 1, full.epochs * per_epoch)
        said = torch.from_numpy(sequence_logits(model.eval(), validation.ids, _JUDGED_TOKENS))
        return judge(epoch, total / len(train.ids), said, validation.labels, weights)

    with torch.random.fork_rng():
        torch.manual_seed(params.seed)  # dropout's
        return keep_best(model, full.epochs, full.epochs, run_epoch, on_epoch)


def _new_optimiser(model: Any, full: FullParams) -> torch.optim.AdamW:
    groups = [
        {
            "params": [weight for weight in model.parameters() if (weight.ndim > 1) is matrices],
            "peak": full.learning_rate,
            "weight_decay": full.weight_decay if matrices else 0.0,
        }
        for matrices in (True, False)
    ]
    return torch.optim.AdamW(groups, lr=full.learning_rate)


def _step(
    model: Any,
    optimiser: torch.optim.Optimizer,
    train: Texts,
    rows: torch.Tensor,
    weights: torch.Tensor,
    *,
    precision: Precision,
) -> float:
    """Take one step; return the sum of the rows' losses before it."""
    ids, mask = _pad([train.ids[row] for row in rows.tolist()], model.config.pad_token_id)
    device = model.device
    with autocast(device, precision):
        logits = model(input_ids=ids.to(device), attention_mask=mask.to(device)).logits.float()
    losses = weighted_losses(logits, train.labels[rows].to(device), weights.to(device))
    optimiser.zero_grad()
    losses.mean().backward()
    nn.utils.clip_grad_norm_(model.parameters(), _CLIP_NORM)
    optimiser.step()
    return float(losses.detach().sum())


def _pad(texts: Sequence[Sequence[int]], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids (B, T), padded with ``pad_id``, and the mask (B, T), 0 at padding."""
    rows = [torch.tensor(text) for text in texts]
    ids = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad_id)
    lengths = torch.tensor([len(text) for text in texts])
    return ids, (torch.arange(ids.shape[1]) < lengths[:, None]).long()
