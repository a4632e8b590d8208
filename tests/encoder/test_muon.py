"""Muon against the singular value decomposition, its papers' equations and PyTorch's own."""

import pytest
import torch
from torch import nn

from pipeline.encoder.muon import Muon, orthogonalise


@pytest.mark.parametrize("shape", [(24, 24), (16, 64), (64, 16)])
def test_singular_values_come_near_one_and_their_vectors_stay(shape: tuple[int, int]) -> None:
    """Against U V' of the exact decomposition, entry by entry along the singular vectors."""
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    U, _, Vh = torch.linalg.svd(matrix, full_matrices=False)
    found = U.T @ orthogonalise(matrix, torch.float32) @ Vh.T
    values = found.diagonal()
    assert 0.65 < values.min() < values.max() < 1.25
    assert (found - values.diag()).abs().max() < 1e-3


def test_a_step_is_that_of_pytorchs_own() -> None:
    """torch.optim.Muon with the same scale; it multiplies in bfloat16, hence the tolerance."""
    torch.manual_seed(0)
    one, two = nn.Parameter(torch.randn(12, 20)), nn.Parameter(torch.empty(12, 20))
    two.data.copy_(one.data)
    ours = Muon([{"params": [one], "weight_decay": 0.1}], lr=0.02)
    theirs = torch.optim.Muon(
        [two], lr=0.02, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )
    for _ in range(3):
        gradient = torch.randn(12, 20)
        before = one.detach().clone()
        for weights, optimiser in ((one, ours), (two, theirs)):
            weights.grad = gradient.clone()
            optimiser.step()
        change = (one - before).detach()
        assert (one - two).abs().max() < 0.05 * change.abs().max()


def test_the_size_of_an_entry_is_that_of_adamws_step() -> None:
    """Liu et al. 2025, section 2.2: the root mean square of the step is 0.2 times the rate."""
    torch.manual_seed(0)
    weights = nn.Parameter(torch.zeros(64, 256))
    weights.grad = torch.randn(64, 256)
    Muon([weights], lr=0.01).step()
    assert weights.square().mean().sqrt().item() == pytest.approx(0.2 * 0.01, rel=0.2)
