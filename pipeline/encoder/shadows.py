"""Shadow heads: like the head that is attacked, but it is known from which rows each has learnt."""

from collections.abc import Callable

import numpy as np
import torch

from pipeline.encoder.fitting import Sample
from pipeline.encoder.private import fit_chosen_head
from pipeline.params import FinetuneParams

Progress = Callable[[int, int], None]


def fit_shadows(
    pool: Sample,
    validation: Sample,
    labels: int,
    learnt: np.ndarray,
    params: FinetuneParams,
    *,
    progress: Progress,
) -> np.ndarray:
    """Fit a head to each line of ``learnt`` (S, N) and return its logits of all rows, (S, N, K).

    Each is fitted as the real one is, early stopping on the same validation rows included, from a
    seed of its own.
    """
    logits = []
    for shadow, rows in enumerate(torch.from_numpy(learnt)):
        seeded = params.model_copy(update={"seed": params.seed + 1 + shadow})
        chosen = Sample(pool.features[rows], pool.labels[rows])
        head, _ = fit_chosen_head(chosen, validation, labels, seeded, lambda _: None)
        with torch.no_grad():
            logits.append(head(pool.features).numpy())
        progress(shadow + 1, len(learnt))
    return np.stack(logits)
