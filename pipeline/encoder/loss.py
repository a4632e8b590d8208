"""The masked-language-model loss, on a batch and on held-out text at fixed masks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from pipeline.encoder import bert
from pipeline.encoder import model as models
from pipeline.encoder.batches import Draw, Packing
from pipeline.encoder.cross_entropy import linear_cross_entropy
from pipeline.encoder.masking import UNUSED, MaskedBatch, mask_tokens
from pipeline.encoder.precision import Precision, autocast, compute_dtype
from pipeline.encoder.tokens import Tokens
from pipeline.errors import InputError

_HELDOUT_RATE = 0.15  # whatever the training's, so that losses of two runs compare
_HELDOUT_SEED = 0
_HELDOUT_ROWS = 32  # sequences a forward pass
_COUNT_IDS = 1 << 24  # ids counted at once


class MaskedLoss(nn.Module):
    """The loss as a module, so that what wraps a module (DDP, FSDP) sees all of it."""

    def __init__(self, model: Any, precision: Precision, by_module: bool = False) -> None:
        """``by_module``: call each of the model's modules, as what wraps them needs it."""
        super().__init__()
        self.model = model
        self.training = model.training
        self._precision, self._by_module = precision, by_module

    def forward(
        self,
        ids: torch.Tensor,
        segments: torch.Tensor,
        positions: torch.Tensor,
        labels: torch.Tensor,
    ) -> torch.Tensor:
        """Return the loss of (B, T) ids and segments and (B, M) positions and labels, summed.

        Where there is a gradient, the softmax takes logits in the precision of the products.
        """
        output, asked = self.model.get_output_embeddings(), labels.flatten()
        hidden = self._hidden_states(ids, segments, positions)
        with autocast(ids.device, self._precision):
            given = models.transformed(self.model, hidden)
            if torch.compiler.is_compiling() or not torch.is_grad_enabled():
                logits = output(given).float()  # (B * M, V)
                return F.cross_entropy(logits, asked, ignore_index=UNUSED, reduction="sum")
        given = given.to(compute_dtype(output.weight, self._precision))
        return linear_cross_entropy(given, output.weight, output.bias, asked)

    def _hidden_states(
        self, ids: torch.Tensor, segments: torch.Tensor, positions: torch.Tensor
    ) -> torch.Tensor:
        """Return the last hidden states at the positions, (B * M, H)."""
        model = self.model
        if bert.can_run(model, ids.shape[1]) and not self._by_module:
            dtype = compute_dtype(model.get_output_embeddings().weight, self._precision)
            return bert.hidden_states(model, ids, segments, positions, dtype)
        with autocast(ids.device, self._precision):
            hidden = models.hidden_states(model, ids, segments)
            return models.take(hidden, positions)


def batch_loss(objective: nn.Module, batch: MaskedBatch, device: torch.device) -> torch.Tensor:
    """Return the loss that a `MaskedLoss`, wrapped or not, gives of a batch: a sum, in nats.

    Divide by ``batch.guesses`` for the mean.
    """
    arrays = (batch.ids, batch.segments, batch.positions, batch.labels)
    loss: torch.Tensor = objective(
        *(torch.from_numpy(array).to(device, non_blocking=True) for array in arrays)
    )
    return loss


def heldout_batches(packing: Packing, sequences: int) -> list[MaskedBatch]:
    """Return the first sequences of held-out text, at masks that are the same for every run.

    Raises:
        InputError: where they hold no token to guess, such as text in another script.
    """
    numbers = np.arange(min(sequences, packing.sequences))
    key = [_HELDOUT_SEED, Draw.HELDOUT]
    masked = mask_tokens(packing.rows(numbers), packing.vocabulary, _HELDOUT_RATE, key)
    if not masked.guesses:
        raise InputError(
            f"build/tokenise: the tokenizer knows no token of the first {len(numbers)} held-out "
            "sequences; set tokenise.tokenizer to one of the corpus's language, or to train"
        )
    return list(masked.split(-(-len(numbers) // _HELDOUT_ROWS)))


def heldout_loss(model: Any, batches: Sequence[MaskedBatch], precision: Precision) -> float:
    """Return the mean loss in nats a masked token, without dropout; the model's mode is kept."""
    return mean_loss(MaskedLoss(model, precision), batches, model.device)


@torch.no_grad()
def mean_loss(objective: nn.Module, batches: Sequence[MaskedBatch], device: torch.device) -> float:
    """Return what `heldout_loss` does, of a `MaskedLoss`, wrapped or not."""
    was_training = objective.training
    objective.eval()
    total = sum(float(batch_loss(objective, batch, device)) for batch in batches)
    objective.train(was_training)
    return total / sum(batch.guesses for batch in batches)


def token_shares(tokens: Tokens, size: int) -> npt.NDArray[np.float64]:
    """Return each token's share of the corpus, (V,), one occurrence added to each (Laplace)."""
    counts = np.ones(size, np.int64)
    for start in range(0, len(tokens.ids), _COUNT_IDS):
        counts += np.bincount(tokens.ids[start : start + _COUNT_IDS], minlength=size)
    return counts / counts.sum()


def unigram_loss(shares: npt.NDArray[np.float64], batches: Sequence[MaskedBatch]) -> float:
    """Return the loss of guessing each masked token by its share of the corpus, whatever is seen.

    A language model that has learned anything from context is below this.
    """
    labels = np.concatenate([batch.labels[batch.labels != UNUSED] for batch in batches])
    return float(-np.log(shares[labels]).mean())
