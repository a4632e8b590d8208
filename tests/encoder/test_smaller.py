"""A smaller BERT: against the definition by ablation, by hand, and against stock transformers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy_model import pretrain_params, summed_loss, toy_plan, toy_start, toy_tokenizer
from transformers import AutoModelForMaskedLM

from pipeline.encoder import smaller
from pipeline.encoder.loss import heldout_loss
from pipeline.encoder.model import Start, save_model
from pipeline.errors import InputError


@pytest.fixture
def teacher() -> Any:
    model = toy_start(pretrain_params(layers=4)).model.eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(
                0.2 * torch.randn(weights.shape, generator=torch.manual_seed(weights.numel()))
            )
    return model


def test_layers_are_spread_evenly_with_both_ends_kept() -> None:
    assert smaller.spread(6, 3) == (0, 2, 5)
    assert smaller.spread(12, 6) == (0, 2, 4, 7, 9, 11)  # DistilBERT's
    assert smaller.spread(6, 1) == (5,)


def test_a_student_is_the_teacher_without_the_layers_between(teacher: Any) -> None:
    """The teacher's own forward pass, with the layers that are left out taken from it."""
    student = smaller.keep_layers(teacher, 2)
    assert student.config.num_hidden_layers == 2
    assert teacher.config.num_hidden_layers == 4
    ids = torch.arange(5, 25).reshape(2, 10)
    layers = teacher.base_model.encoder.layer
    teacher.base_model.encoder.layer = torch.nn.ModuleList([layers[0], layers[3]])
    torch.testing.assert_close(student(input_ids=ids).logits, teacher(input_ids=ids).logits)
    assert student.get_output_embeddings().weight is student.get_input_embeddings().weight


def test_as_many_layers_are_no_smaller_model(teacher: Any) -> None:
    with pytest.raises(InputError, match=r"compress\.layers: 4 are no fewer than"):
        smaller.keep_layers(teacher, 4)


def test_importance_is_the_change_of_the_loss_when_a_unit_is_shut(teacher: Any) -> None:
    """To first order: a gate on the unit, moved a little from 1, by central differences."""
    plan = toy_plan(pretrain_params(layers=4, batch_sequences=1))
    batch = plan.batch(0)
    importance = smaller.unit_importance(teacher.double(), [batch], "float32")
    assert importance.shape == (4, 64)
    for layer, unit in ((0, 3), (3, 17)):
        losses = []
        for gate in (1.01, 0.99):
            hook = teacher.base_model.encoder.layer[layer].intermediate.register_forward_hook(
                lambda _m, _a, out, unit=unit, gate=gate: (
                    out * torch.where(torch.arange(64) == unit, gate, 1.0)
                )
            )
            losses.append(summed_loss(teacher, batch).item())
            hook.remove()
        slope = abs(losses[0] - losses[1]) / 0.02
        assert float(importance[layer, unit]) == pytest.approx(slope, rel=1e-2, abs=1e-3)


def test_importance_is_a_mean_over_sequences_whose_signs_do_not_cancel(teacher: Any) -> None:
    plan = toy_plan(pretrain_params(layers=4))
    batch = plan.batch(0)
    alone = [smaller.unit_importance(teacher, [one], "float32") for one in batch.split(4)]
    together = smaller.unit_importance(teacher, [batch], "float32")
    torch.testing.assert_close(together, torch.stack(alone).mean(dim=0))


def test_units_that_do_nothing_are_cut_and_nothing_changes(teacher: Any) -> None:
    """Half of the units have no weight on the way out, so that the halved model is the same."""
    dead = torch.arange(64) % 2 == 0
    with torch.no_grad():
        for layer in teacher.base_model.encoder.layer:
            layer.output.dense.weight[:, dead] = 0
    plan = toy_plan(pretrain_params(layers=4))
    importance = smaller.unit_importance(teacher, [plan.batch(0), plan.batch(1)], "float32")
    student = smaller.keep_units(teacher, importance, 0.5)
    assert student.config.intermediate_size == 32
    ids = torch.arange(5, 25).reshape(2, 10)
    torch.testing.assert_close(student(input_ids=ids).logits, teacher(input_ids=ids).logits)
    worst = smaller.keep_units(teacher, -importance, 0.5)
    losses = [heldout_loss(each, plan.heldout, "float32") for each in (student, worst)]
    assert abs(losses[0] - losses[1]) > 1e-3


@pytest.mark.parametrize("way", ["layers", "units"])
def test_what_was_cut_loads_in_stock_transformers(teacher: Any, tmp_path: Path, way: str) -> None:
    student = (
        smaller.keep_layers(teacher, 2)
        if way == "layers"
        else smaller.keep_units(teacher, torch.rand(4, 64), 0.25)
    )
    save_model(Start(student, frozenset(), {}), toy_tokenizer(), tmp_path)
    stock, told = AutoModelForMaskedLM.from_pretrained(
        tmp_path, use_safetensors=True, output_loading_info=True
    )
    assert not told["missing_keys"]
    assert not told["unexpected_keys"]
    assert not told["mismatched_keys"]
    ids = torch.arange(5, 25).reshape(2, 10)
    torch.testing.assert_close(stock(input_ids=ids).logits, student(input_ids=ids).logits)
    assert smaller.parameters(stock) < smaller.parameters(teacher)
    assert np.isfinite(stock(input_ids=ids).logits.detach().numpy()).all()


def test_only_bert_can_be_made_smaller() -> None:
    config = toy_start(pretrain_params(architecture="modernbert", hidden=64)).model.config
    with pytest.raises(InputError, match="is a modernbert"):
        smaller.check_architecture(config)
