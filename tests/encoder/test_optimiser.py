"""AdamW: its groups by BERT's rule, its step by the paper's equations, its schedule by hand."""

import math

import pytest
import torch
from torch import nn
from toy_model import pretrain_params, toy_start

from pipeline.encoder.optimiser import (
    Optimisers,
    new_optimisers,
    read_moments,
    schedule,
    set_learning_rates,
    take_step,
    write_moments,
)


def test_schedule_of_ten_steps_by_hand() -> None:
    factors = [schedule(step, 10, 0.2) for step in range(10)]
    assert factors == pytest.approx([0.5, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8])


@pytest.mark.parametrize("steps", [1, 2, 3, 100])
@pytest.mark.parametrize("warmup_share", [0.0, 0.1, 0.9])
def test_factors_are_positive_and_at_most_one(steps: int, warmup_share: float) -> None:
    factors = [schedule(step, steps, warmup_share) for step in range(steps)]
    assert all(0 < factor <= 1 for factor in factors)


def test_biases_and_norms_are_not_decayed_matrices_and_embeddings_are() -> None:
    model = toy_start(pretrain_params()).model
    (optimiser,) = new_optimisers(model, set(), pretrain_params(weight_decay=0.3))
    decay = {id(w): g["weight_decay"] for g in optimiser.param_groups for w in g["params"]}
    assert len(decay) == len(list(model.parameters()))
    for name, weights in model.named_parameters():
        plain = name.endswith("bias") or "LayerNorm" in name
        assert decay[id(weights)] == (0.0 if plain else 0.3), name


def test_only_new_weights_have_the_heads_rate_and_from_scratch_none() -> None:
    model = toy_start(pretrain_params()).model
    new = {name for name, _ in model.named_parameters() if name.startswith("cls.")}
    params = pretrain_params(init="somewhere", learning_rate=1e-5, head_learning_rate=1e-3)
    for given, expected in ((params, 1e-3), (params.model_copy(update={"init": "scratch"}), 1e-5)):
        (optimiser,) = optimisers = new_optimisers(model, new, given)
        set_learning_rates(optimisers, 0.5)
        rates = {id(w): g["lr"] for g in optimiser.param_groups for w in g["params"]}
        for name, weights in model.named_parameters():
            assert rates[id(weights)] == 0.5 * (expected if name in new else 1e-5), name


def test_one_step_by_the_equations_of_adamw() -> None:
    """Loshchilov and Hutter 2019, algorithm 2: first comes lr * (g / (|g| + eps) + decay w)."""
    model = nn.Linear(1, 1)
    with torch.no_grad():
        model.weight.fill_(2.0)
        model.bias.fill_(1.0)
    params = pretrain_params(learning_rate=0.1, weight_decay=0.01)
    (optimiser,) = optimisers = new_optimisers(model, set(), params)
    set_learning_rates(optimisers, 1.0)
    model(torch.tensor([[3.0]])).sum().backward()  # gradients 3 and 1
    optimiser.step()
    assert model.weight.item() == pytest.approx(2.0 - 0.1 * (3 / (3 + 1e-6) + 0.01 * 2.0))
    assert model.bias.item() == pytest.approx(1.0 - 0.1 * (1 / (1 + 1e-6)))


def test_restored_moments_take_the_same_next_step() -> None:
    def step(model: nn.Module, optimisers: Optimisers, scale: float) -> None:
        (scale * model(torch.ones(2, 3)).square().sum()).backward()
        take_step(optimisers)

    torch.manual_seed(0)
    one = nn.Linear(3, 4)
    optimisers = new_optimisers(one, set(), pretrain_params())
    step(one, optimisers, 1.0)
    two = nn.Linear(3, 4)
    two.load_state_dict(one.state_dict())
    restored = new_optimisers(two, set(), pretrain_params())
    moments = {name: tensor.clone() for name, tensor in read_moments(one, optimisers).items()}
    assert set(moments) == {
        f"{moment}/{name}"
        for moment in ("exp_avg", "exp_avg_sq", "step")
        for name in ("weight", "bias")
    }
    write_moments(two, restored, moments)
    step(one, optimisers, -2.0)
    step(two, restored, -2.0)
    assert torch.equal(one.weight, two.weight)
    assert math.isfinite(two.weight.sum().item())


def test_muon_takes_the_matrices_and_adamw_the_rest() -> None:
    model = toy_start(pretrain_params()).model
    adamw, muon = new_optimisers(model, set(), pretrain_params(optimiser="muon"))
    inner = {id(w) for group in muon.param_groups for w in group["params"]}
    others = {id(w) for group in adamw.param_groups for w in group["params"]}
    for name, weights in model.named_parameters():
        matrix = weights.ndim == 2 and "embeddings" not in name  # the decoder is tied to them
        assert (id(weights) in inner, id(weights) in others) == (matrix, not matrix), name
