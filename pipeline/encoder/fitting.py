"""Fitting a head to cached features; and early stopping on validation loss, for any model."""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from pipeline.encoder import linear
from pipeline.encoder.head import Head
from pipeline.errors import InputError
from pipeline.params import FinetuneParams
from pipeline.reports import FinetunePoint

OnEpoch = Callable[[FinetunePoint], None]  # called after each epoch


class Sample(NamedTuple):
    """Rows to fit a head to, or to evaluate it on."""

    features: torch.Tensor  # (N, H) float32
    labels: torch.Tensor  # (N,) int64, below K
    weights: torch.Tensor | None = None  # (N,) of each row's loss in the fit; None: all 1

    def at(self, rows: torch.Tensor) -> "Sample":
        """Return some of the rows; a row that is named twice is returned twice."""
        weights = None if self.weights is None else self.weights[rows]
        return Sample(self.features[rows], self.labels[rows], weights)


class Best(NamedTuple):
    """The epoch whose weights were kept, and the curve of all epochs."""

    epoch: int  # of a linear head, the steps to its optimum
    curve: tuple[FinetunePoint, ...]
    gradient_norm: float | None = None  # at a linear head's optimum


def fit_head(
    train: Sample, validation: Sample, labels: int, params: FinetuneParams, on_epoch: OnEpoch
) -> tuple[Head, Best]:
    """Fit a head of K = ``labels``: a linear one by L-BFGS, one with a hidden layer by Adam.

    What is minimised is ``mean_i v_i w[y_i] CE_i + l2 / 2 |weights|^2``, with v the training rows'
    own weights; biases are not penalised. The validation loss has no v. Equal rows and params give
    equal heads.
    """
    fit = _fit_hidden if params.frozen.hidden else _fit_linear
    with one_thread():
        return fit(train, validation, labels, params, on_epoch)


def _fit_linear(
    train: Sample, validation: Sample, labels: int, params: FinetuneParams, on_epoch: OnEpoch
) -> tuple[Head, Best]:
    """Fit a linear head to the optimum; its curve is one point, with the steps as its epoch."""
    weights = class_weights(train.labels, labels, params.class_weights)
    of_rows = weights[train.labels] * (1.0 if train.weights is None else train.weights)
    problem = linear.Problem(train.features, train.labels, of_rows, labels, params.frozen.l2)
    found = linear.solve(problem)
    head = new_head(train.features.shape[1], False, labels, params.seed)
    with torch.no_grad():
        head.output.weight.copy_(found.weight)
        head.output.bias.copy_(found.bias)
        logits = head(validation.features)
    point = judge(found.steps, found.row_loss, logits, validation.labels, weights)
    on_epoch(point)
    return head, Best(found.steps, (point,), found.gradient_norm)


def _fit_hidden(
    train: Sample, validation: Sample, labels: int, params: FinetuneParams, on_epoch: OnEpoch
) -> tuple[Head, Best]:
    """Fit by Adam (Kingma and Ba 2015, algorithm 1), from ``params.seed``, over batches.

    The output's weights start from zero.
    """
    frozen = params.frozen
    weights = class_weights(train.labels, labels, params.class_weights)
    head = new_head(train.features.shape[1], True, labels, params.seed)
    optimiser = torch.optim.Adam(head.parameters(), lr=frozen.learning_rate)
    order = torch.Generator().manual_seed(params.seed)

    def run_epoch(epoch: int) -> FinetunePoint:
        loss = 0.0
        for rows in torch.randperm(len(train.labels), generator=order).split(frozen.batch_rows):
            loss += _step(head, optimiser, train.at(rows), weights, frozen.l2)
        with torch.no_grad():
            logits = head(validation.features)
        return judge(epoch, loss / len(train.labels), logits, validation.labels, weights)

    return head, keep_best(head, frozen.epochs, frozen.patience_epochs, run_epoch, on_epoch)


def keep_best(
    model: nn.Module,
    epochs: int,
    patience_epochs: int,
    run_epoch: Callable[[int], FinetunePoint],
    on_epoch: OnEpoch,
) -> Best:
    """Run epochs 1, 2, ... and leave the model with the weights of the lowest validation loss.

    Training ends ``patience_epochs`` after the best epoch.

    Raises:
        InputError: where a validation loss is not finite.
    """
    curve: list[FinetunePoint] = []
    best, least = 0, math.inf
    kept: dict[str, torch.Tensor] = {}
    for epoch in range(1, epochs + 1):
        curve.append(run_epoch(epoch))
        on_epoch(curve[-1])
        if not math.isfinite(curve[-1].validation_loss):
            raise InputError(
                f"finetune: the loss of epoch {epoch} is not finite; lower learning_rate"
            )
        if curve[-1].validation_loss < least:
            best, least = epoch, curve[-1].validation_loss
            kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        if epoch - best >= patience_epochs:
            break
    model.load_state_dict(kept)
    return Best(best, tuple(curve))


def judge(
    epoch: int, train_loss: float, logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor
) -> FinetunePoint:
    """Return an epoch's point, with the loss and accuracy on the validation rows."""
    return FinetunePoint(
        epoch=epoch,
        train_loss=train_loss,
        validation_loss=float(weighted_losses(logits, labels, weights).mean()),
        validation_accuracy=float((logits.argmax(1) == labels).double().mean()),
    )


def weighted_losses(
    logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Return the cross-entropy of each row times its label's weight, (B,), in nats."""
    return F.cross_entropy(logits, labels, reduction="none") * weights[labels]


def class_weights(
    labels: torch.Tensor, count: int, kind: Literal["none", "balanced"]
) -> torch.Tensor:
    """Return a weight for each label, (K,): 1, or ``N / (K N_k)`` so that labels weigh the same."""
    if kind == "none":
        return torch.ones(count)
    return len(labels) / (count * torch.bincount(labels, minlength=count))


def check_labels(labels: torch.Tensor, names: Sequence[str]) -> None:
    """Raise `InputError` if a label has no training row, or a row has a label without a name."""
    counts = torch.bincount(labels, minlength=len(names)).tolist()
    if len(counts) > len(names):
        raise InputError(
            f"build/split/train.parquet: label {len(counts) - 1} has no name; "
            "add it to validate.labels"
        )
    for name, rows in zip(names, counts, strict=True):
        if rows == 0:
            raise InputError(
                f"build/split/train.parquet: no row is labelled {name!r}; add some to "
                "data/labelled, or take it out of validate.labels"
            )


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Use one thread: a head's matrices are too small for more, and sums get a fixed order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def new_head(width: int, hidden: bool, labels: int, seed: int) -> Head:
    """Return a head whose output weights and bias are zero, and the rest drawn from the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = Head(width, hidden, labels)
    nn.init.zeros_(head.output.weight)
    nn.init.zeros_(head.output.bias)
    return head


def _step(
    head: Head, optimiser: torch.optim.Optimizer, batch: Sample, weights: torch.Tensor, l2: float
) -> float:
    """Take one step; return the sum of the batch's losses before it, without the penalty."""
    losses = weighted_losses(head(batch.features), batch.labels, weights)
    if batch.weights is not None:
        losses = losses * batch.weights
    squares = torch.stack([w.square().sum() for w in head.parameters() if w.dim() == 2]).sum()
    optimiser.zero_grad()
    (losses.mean() + l2 / 2 * squares).backward()
    optimiser.step()
    return float(losses.detach().sum())
