"""Shadow heads: fitted like the head under attack, but on known rows."""

from collections.abc import Callable

import numpy as np
import torch

from pipeline.encoder.mitigation import Material, fit_method
from pipeline.params import FinetuneParams

Progress = Callable[[int, int], None]


def fit_shadows(
    pool: Material,
    labels: int,
    learnt: np.ndarray,
    params: FinetuneParams,
    *,
    progress: Progress,
) -> np.ndarray:
    """Fit a head to each row of the mask ``learnt`` (S, N); return all heads' logits, (S, N, K).

    Each is fitted like the real head, with its mitigation and with early stopping on the same
    validation rows, from a seed of its own; but it has no threshold, and a private one has batches
    of `batch_rows`. `why_not` must have returned nothing for the pool. If a shadow's own rows lack
    a group with some label, they are resampled or weighted by the groups that they do have.
    """
    logits = []
    for shadow, rows in enumerate(learnt):
        own = _own_params(params, shadow, int(rows.sum()))
        head, _ = fit_method(own.mitigation, pool.at(rows), labels, own, lambda _: None)
        with torch.no_grad():
            logits.append(head(pool.train.features).numpy())
        progress(shadow + 1, len(learnt))
    return np.stack(logits)


def batch_rows(params: FinetuneParams, rows: int) -> int:
    """Return the batch size of a head fitted to ``rows`` rows; a private one cannot exceed them."""
    frozen = params.frozen
    return min(frozen.batch_rows, rows) if frozen.private else frozen.batch_rows


def _own_params(params: FinetuneParams, shadow: int, rows: int) -> FinetuneParams:
    frozen = params.frozen.model_copy(update={"batch_rows": batch_rows(params, rows)})
    return params.model_copy(update={"seed": params.seed + 1 + shadow, "frozen": frozen})
