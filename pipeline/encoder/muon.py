"""Muon: momentum with orthogonalised steps, for the matrices inside an encoder."""

from collections.abc import Callable, Iterable
from typing import Any

import torch

from pipeline.encoder.precision import Precision, compute_dtype

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
_ADAM_RMS = 0.2  # the typical size of an entry of AdamW's step


class Muon(torch.optim.Optimizer):
    """Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks".

    Each step is that of Nesterov momentum with all singular values brought near 1, scaled like
    AdamW's (Liu et al. 2025, "Muon is Scalable for LLM Training", eq. 4), so that one learning rate
    and one weight decay serve both. ``torch.optim.Muon`` is the same but always multiplies in
    bfloat16, which is many times slower on a processor without it. Here ``precision`` decides.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.95,
        precision: Precision = "float32",
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": 0.0})
        self._precision = precision

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take a step; there is no closure."""
        assert closure is None
        for group in self.param_groups:
            for weights in group["params"]:
                if weights.grad is None:
                    continue
                state, momentum = self.state[weights], group["momentum"]
                if not state:
                    state["momentum"] = torch.zeros_like(weights)
                state["momentum"].lerp_(weights.grad, 1 - momentum)
                step = weights.grad.lerp(state["momentum"], momentum)
                step = orthogonalise(step, compute_dtype(step, self._precision))
                scale = _ADAM_RMS * max(weights.shape) ** 0.5
                weights.mul_(1 - group["lr"] * group["weight_decay"])
                weights.add_(step, alpha=-group["lr"] * scale)


def orthogonalise(matrix: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return U V' of the singular value decomposition U S V' of a matrix (m, n), roughly.

    Newton-Schulz iteration of fifth order; the coefficients are Jordan's, chosen for a fast start:
    singular values end between 0.7 and 1.2. Products are of ``dtype``.
    """
    a, b, c = _NEWTON_SCHULZ
    X = matrix.to(dtype)
    X = X.T if matrix.shape[0] > matrix.shape[1] else X
    X = X / (X.norm() + 1e-7)
    for _ in range(_ITERATIONS):
        A = X @ X.T
        X = a * X + torch.addmm(b * A, A, A, alpha=c) @ X
    X = X.T if matrix.shape[0] > matrix.shape[1] else X
    return X.to(matrix.dtype)
