"""Learning from a teacher: the loss by hand, and that a student comes nearer."""

import math

import pytest
import torch
from toy_model import pretrain_params, toy_plan, toy_start

from pipeline.encoder import smaller
from pipeline.encoder.distil import Seen, distil, distil_loss, look
from pipeline.encoder.masking import UNUSED
from pipeline.errors import InputError


def test_the_loss_is_what_it_comes_to_by_hand() -> None:
    """One sequence of two tokens and padding, one guess among two words, at temperature 2."""
    student = Seen(
        torch.tensor([[[2.0, 0.0], [9.0, 9.0]]]),
        torch.tensor([[[1.0, 0.0], [0.0, 1.0], [7.0, 7.0]]]),
    )
    teacher = Seen(
        torch.tensor([[[0.0, 4.0], [1.0, 5.0]]]),
        torch.tensor([[[0.0, 3.0], [0.0, 2.0], [-1.0, 4.0]]]),
    )
    labels, segments = torch.tensor([[1, UNUSED]]), torch.tensor([[1, 1, 0]])
    q = 1 / (1 + math.exp(1)), math.exp(1) / (1 + math.exp(1))  # of word 1, word 0, by the student
    p = math.exp(2) / (1 + math.exp(2)), 1 / (1 + math.exp(2))  # by the teacher
    kl = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    hard = -math.log(1 / (1 + math.exp(2)))
    cosine = (0 + 1) / 2  # at right angles, and the same way
    wanted = 5 * 4 * kl + 2 * hard + (1 - cosine)
    found = distil_loss(student, teacher, labels, segments, temperature=2.0)
    assert float(found) == pytest.approx(wanted, rel=1e-6)


def test_a_student_comes_nearer_to_its_teacher_which_stays_as_it_is() -> None:
    params = pretrain_params(layers=4, tokens=60 * 64, learning_rate=3e-3)
    plan = toy_plan(params)
    teacher = toy_start(params).model.eval()
    with torch.no_grad():
        draw = torch.manual_seed(0)
        for weights in teacher.parameters():
            weights.add_(0.2 * torch.randn(weights.shape, generator=draw))
    before = {name: weights.clone() for name, weights in teacher.named_parameters()}
    student = smaller.keep_layers(teacher, 1)

    def away() -> float:
        """The mean distance of the cosines, on held-out text."""
        with torch.no_grad():
            seen = [(look(student, each, plan), look(teacher, each, plan)) for each in plan.heldout]
        cosines = [torch.cosine_similarity(a.hidden, b.hidden, dim=-1).mean() for a, b in seen]
        return 1 - float(torch.stack(cosines).mean())

    batch = plan.batch(0)
    on = torch.from_numpy(batch.labels), torch.from_numpy(batch.segments)
    with torch.no_grad():
        asked = distil_loss(look(student, batch, plan), look(teacher, batch, plan), *on, 2.0)
    first, told = away(), []
    tokens = distil(student, teacher, plan, 2.0, lambda *step: told.append(step))
    assert away() < 0.8 * first
    assert told[0][2] == pytest.approx(float(asked), rel=1e-5)  # of the teacher, not of itself
    assert told[-1][2] < told[0][2]
    assert tokens == sum(plan.batch(step).tokens for step in range(plan.steps))
    assert [step[:2] for step in told] == [(n + 1, plan.steps) for n in range(plan.steps)]
    assert all(torch.equal(before[name], w) for name, w in teacher.named_parameters())


def test_the_same_run_gives_the_same_bits() -> None:
    params = pretrain_params(layers=2)
    teacher = toy_start(params).model.eval()
    made = []
    for _ in range(2):
        student = smaller.keep_layers(teacher, 1)
        distil(student, teacher, toy_plan(params), 2.0, lambda *_: None)
        made.append(student.state_dict())
    assert all(torch.equal(made[0][name], made[1][name]) for name in made[0])


def test_a_loss_that_is_not_finite_ends_it() -> None:
    params = pretrain_params(layers=2)
    teacher = toy_start(params).model.eval()
    student = smaller.keep_layers(teacher, 1)
    with torch.no_grad():
        student.get_input_embeddings().weight.fill_(math.nan)
    with pytest.raises(InputError, match="loss of step 1 is not finite"):
        distil(student, teacher, toy_plan(params), 2.0, lambda *_: None)
