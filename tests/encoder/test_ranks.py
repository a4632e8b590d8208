"""Two processes against one: every loss and weight, whatever is spread and wherever it resumes.

The difference that is allowed is that of sums of float32 in another order: a batch's gradient is
summed in two halves. `torch.testing`'s float32 tolerance is 1.3e-6; twelve steps of Adam, which
divides by the gradient's own size, make more of it.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ranked
import torch
from ranked import BASE, RESUMED, RUNS, STOPPED, params_of, train
from safetensors.torch import load_file
from toy_model import pretrain_params, toy_plan, toy_start

from pipeline import params as all_params
from pipeline import processes
from pipeline.encoder import ranks
from pipeline.encoder.batches import Share
from pipeline.encoder.checkpoint import last_checkpoint
from pipeline.errors import InputError
from pipeline.files import sha256_file

LOSS = {"rtol": 1e-5, "atol": 0.0}
WEIGHTS = {"rtol": 1e-3, "atol": 2e-5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All runs in two processes; those that resume have a checkpoint of one process to start at."""
    made = tmp_path_factory.mktemp("ranks")
    for name in RESUMED:
        train(params_of(name), made / f"{name}-resumed", stop_after=7)
    assert processes.start(2, ranked.train_all, str(made)) == 0
    return made


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, dict[str, Any]]]:
    """The same runs in this one process."""
    made = tmp_path_factory.mktemp("alone")
    return {name: train(params_of(name), made / name) for name in RUNS}


def _seen(folder: Path, name: str, rank: int = 0) -> dict[str, Any]:
    seen: dict[str, Any] = json.loads((folder / f"{name}.{rank}.json").read_text())
    return seen


def _losses(seen: dict[str, Any], after: int = 0) -> list[float]:
    return [loss for step, loss in seen["losses"].items() if int(step) > after]


def _assert_equal_weights(model: Any, path: Path) -> None:
    found = load_file(path)
    for name, weights in model.named_parameters():
        torch.testing.assert_close(found[name], weights.detach(), **WEIGHTS, msg=name)


@pytest.mark.parametrize("name", list(RUNS))
def test_two_processes_have_the_loss_curve_and_the_weights_of_one(
    name: str, folder: Path, alone: dict[str, Any]
) -> None:
    """Fails where a process takes a wrong share, means are averaged, or nothing is reduced."""
    model, expected = alone[name]
    for rank in (0, 1):
        seen = _seen(folder, name, rank)
        np.testing.assert_allclose(_losses(seen), _losses(expected), **LOSS)
        assert seen["tokens"] == expected["tokens"]
        np.testing.assert_allclose(
            *([v for v in s["heldout"] if v is not None] for s in (seen, expected)), rtol=1e-5
        )
        _assert_equal_weights(model, folder / f"{name}.{rank}.safetensors")


def test_sharded_weights_are_held_once_by_all_together_and_others_by_each(folder: Path) -> None:
    held = [json.loads((folder / f"held.{rank}.json").read_text()) for rank in (0, 1)]
    whole = sum(weights.numel() for weights in toy_start(params_of("full")).model.parameters())
    assert [each["none"] for each in held] == [whole, whole]
    assert sum(each["full"] for each in held) == whole
    assert max(each["full"] for each in held) < 0.6 * whole


def test_the_shares_of_a_batch_have_different_numbers_of_guesses() -> None:
    """Else the test above could not tell a mean of means from a mean."""
    plan = toy_plan(pretrain_params(**BASE))
    halves = [[plan.batch(step, Share(n, 2)).guesses for n in (0, 1)] for step in range(12)]
    assert sum(one != two for one, two in halves) >= 6


@pytest.mark.parametrize("changes", [{}, {"whole_words": True, "masking_rate_end": 0.1}])
@pytest.mark.parametrize("of", [2, 4])
def test_shares_put_together_are_the_batch_of_one_process_bit_by_bit(
    of: int, changes: dict[str, Any]
) -> None:
    plan = toy_plan(pretrain_params(**(BASE | changes)))
    for step in (0, 5):
        shares = [plan.batch(step, Share(number, of)) for number in range(of)]
        for name, array in vars(plan.batch(step)).items():
            joined = np.concatenate([getattr(share, name) for share in shares])
            np.testing.assert_array_equal(joined, array, err_msg=name)


@pytest.mark.parametrize("name", list(RESUMED))
def test_a_checkpoint_of_one_process_is_resumed_by_two(
    name: str, folder: Path, alone: dict[str, Any]
) -> None:
    model, expected = alone[name]
    seen = _seen(folder, f"{name}-resumed")
    assert list(seen["losses"]) == [str(step) for step in range(7, 13)]  # 6 is the checkpoint
    assert "resuming after step 6" in seen["said"][0]
    assert _seen(folder, f"{name}-resumed", 1)["said"] == []
    np.testing.assert_allclose(_losses(seen), _losses(expected, after=6), **LOSS)
    _assert_equal_weights(model, folder / f"{name}-resumed.0.safetensors")


@pytest.mark.parametrize("name", list(STOPPED))
def test_a_checkpoint_of_two_processes_is_resumed_by_one(
    name: str, folder: Path, alone: dict[str, Any], tmp_path: Path
) -> None:
    model, expected = alone[name]
    checkpoints = shutil.copytree(folder / f"{name}-stopped", tmp_path / name)
    resumed, seen = train(params_of(name), checkpoints)
    assert list(seen["losses"]) == list(range(7, 13))
    np.testing.assert_allclose(_losses(seen), _losses(expected, after=6), **LOSS)
    for one, two in zip(resumed.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(one, two, **WEIGHTS)


@pytest.mark.parametrize("name", list(RESUMED))
def test_two_runs_in_two_processes_give_the_same_bits_in_both(name: str, folder: Path) -> None:
    files = [f"{name}.0", f"{name}.1", f"{name}-again.0", f"{name}-again.1"]
    digests = {sha256_file(folder / f"{file}.safetensors") for file in files}
    assert len(digests) == 1


def test_only_the_first_process_writes_checkpoints(folder: Path) -> None:
    assert last_checkpoint(folder / "plain-stopped") == folder / "plain-stopped" / "step-6"
    assert not (folder / "other-machine").exists()


def test_all_processes_stop_together_at_a_loss_that_is_not_finite(folder: Path) -> None:
    seen = [_seen(folder, "overflowing", rank) for rank in (0, 1)]
    assert list(seen[0]["losses"]) == list(seen[1]["losses"])
    step = int(list(seen[0]["losses"])[-1])
    for each in seen:
        assert f"the loss of step {step + 1} or its gradient is not finite" in each["error"]
    assert f"{folder / 'overflowing' / f'step-{step}'}" in seen[0]["error"]


def test_muon_with_spread_weights_is_refused() -> None:
    raw = all_params.load(Path(__file__).parents[2] / "params.yaml").model_dump(by_alias=True)
    raw["pretrain"] |= {"optimiser": "muon", "sharding": "full"}
    with pytest.raises(InputError, match="muon needs whole matrices; set sharding: none"):
        all_params.parse(raw)


def test_processes_that_would_train_different_models_are_named_in_all(folder: Path) -> None:
    ranks.check_agreement("a key")  # one process agrees with itself
    for rank in (0, 1):
        message = (folder / f"agreement.{rank}").read_text()
        assert message.startswith("process 1 has other data, parameters")
