"""The linear head's optimum against scikit-learn's, and against what an optimum must be."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from pipeline.encoder.linear import Problem, Solution, solve

TOLERANCE = 1e-6  # of coefficients of order 1


def _problem(labels: int, l2: float, rows: int = 400, weighted: bool = False) -> Problem:
    """Standardised features, as the encoder's are: each row's entries have sum 0."""
    rng = np.random.default_rng(labels)
    drawn = rng.integers(0, labels, rows)
    raw = rng.normal(size=(labels, 12))[drawn] + 2 * rng.normal(size=(rows, 12))
    raw *= np.geomspace(0.05, 5, 12)  # directions of very different scale
    features = (raw - raw.mean(1, keepdims=True)) / raw.std(1, keepdims=True)
    weights = rng.uniform(0.2, 3, rows) if weighted else np.ones(rows)
    return Problem(
        torch.from_numpy(features).float(),
        torch.from_numpy(drawn),
        torch.from_numpy(weights),
        labels,
        l2,
    )


def _rival(problem: Problem) -> tuple[np.ndarray, np.ndarray, LogisticRegression]:
    """Scikit-learn's weights (K, H) and biases (K,), in our convention.

    It minimises ``sum_i v_i CE_i + |W|^2 / (2 C)``, so C = 1 / (N l2). Of two labels it knows the
    difference of the weights alone, w = W_1 - W_0. At our optimum W_1 = -W_0, so that our
    penalty is a half of ``l2 / 2 |w|^2``, and C = 2 / (N l2).
    """
    rows = len(problem.labels)
    strength = (2 if problem.classes == 2 else 1) / (rows * problem.l2)
    fitted = LogisticRegression(C=strength, tol=1e-12, max_iter=20_000, solver="newton-cg").fit(
        problem.features.double().numpy(), problem.labels.numpy(), problem.weights.numpy()
    )
    weight, bias = fitted.coef_, fitted.intercept_
    if problem.classes == 2:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return weight, bias - bias.mean(), fitted


def _objective(problem: Problem, weight: np.ndarray, bias: np.ndarray) -> float:
    """The loss by its definition, in numpy."""
    logits = problem.features.double().numpy() @ weight.T + bias
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    own = shares[np.arange(len(shares)), problem.labels.numpy()]
    return float(
        np.mean(-problem.weights.numpy() * np.log(own)) + problem.l2 / 2 * (weight**2).sum()
    )


@pytest.mark.parametrize("labels", [2, 3, 7])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("l2", [1e-1, 1e-3])
def test_the_optimum_is_scikit_learns_in_loss_and_coefficients(
    labels: int, weighted: bool, l2: float
) -> None:
    problem = _problem(labels, l2, weighted=weighted)
    found, (weight, bias, _) = solve(problem), _rival(problem)
    np.testing.assert_allclose(found.weight, weight, atol=TOLERANCE)
    np.testing.assert_allclose(found.bias, bias, atol=TOLERANCE)
    assert found.loss == pytest.approx(_objective(problem, weight, bias), abs=1e-12)
    assert found.loss == pytest.approx(found.row_loss + l2 / 2 * float(found.weight.square().sum()))


@pytest.mark.parametrize("labels", [2, 5])
def test_the_gradient_reported_is_that_of_automatic_differentiation_and_nearly_none(
    labels: int,
) -> None:
    problem = _problem(labels, 1e-3, weighted=True)
    found = solve(problem)
    assert _gradient(problem, found) == pytest.approx(found.gradient_norm, abs=1e-12)
    assert found.gradient_norm < 1e-7
    assert found.steps < 100


def _gradient(problem: Problem, found: Solution) -> float:
    weight, bias = found.weight.requires_grad_(), found.bias.requires_grad_()
    logits = problem.features.double() @ weight.T + bias
    losses = torch.nn.functional.cross_entropy(logits, problem.labels, reduction="none")
    ((problem.weights * losses).mean() + problem.l2 / 2 * weight.square().sum()).backward()
    assert weight.grad is not None
    assert bias.grad is not None
    return float(torch.cat([weight.grad.ravel(), bias.grad]).norm())


def test_the_order_of_rows_changes_nothing() -> None:
    problem = _problem(3, 1e-3, weighted=True)
    order = torch.randperm(len(problem.labels), generator=torch.Generator().manual_seed(0))
    moved = problem._replace(
        features=problem.features[order],
        labels=problem.labels[order],
        weights=problem.weights[order],
    )
    one, other = solve(problem), solve(moved)
    torch.testing.assert_close(one.weight, other.weight, rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(one.bias, other.bias, rtol=0, atol=TOLERANCE)


def test_a_row_of_weight_two_is_two_rows_and_one_of_weight_zero_none() -> None:
    problem = _problem(3, 1e-2, rows=60)
    weights = torch.ones(60, dtype=torch.float64)
    weights[:10], weights[50:] = 2.0, 0.0
    written_out = torch.cat([torch.arange(50), torch.arange(10)])  # 60 rows, so one mean
    other = Problem(
        problem.features[written_out], problem.labels[written_out], torch.ones(60), 3, 1e-2
    )
    torch.testing.assert_close(
        solve(problem._replace(weights=weights)).weight, solve(other).weight, rtol=0, atol=TOLERANCE
    )


def test_labels_that_a_line_parts_end_with_a_finite_head_without_a_penalty() -> None:
    features = torch.cat([torch.full((20, 3), -1.0), torch.full((20, 3), 1.0)])
    labels = torch.arange(40) // 20
    found = solve(Problem(features, labels, torch.ones(40), 2, l2=0.0))
    assert torch.isfinite(found.weight).all()
    assert found.loss < 1e-6
