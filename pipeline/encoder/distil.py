"""Distillation: a smaller masked language model learns from the larger one it was cut from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from pipeline.encoder.masking import UNUSED, MaskedBatch
from pipeline.encoder.model import hidden_states, logits_at
from pipeline.encoder.optimiser import new_optimisers, schedule, set_learning_rates, take_step
from pipeline.encoder.precision import autocast
from pipeline.encoder.pretraining import Plan, batches_ahead
from pipeline.errors import InputError

# The weights of DistilBERT's own training script (transformers, research_projects/distillation).
SOFT, MASKED, COSINE = 5.0, 2.0, 1.0

Watch = Callable[[int, int, float], None]  # (steps done, steps in all, loss)


@dataclass(frozen=True)
class Seen:
    """A model's outputs for a masked batch."""

    logits: torch.Tensor  # (B, M, V), at the masked positions
    hidden: torch.Tensor  # (B, T, H), of the last layer


def distil(student: Any, teacher: Any, plan: Plan, temperature: float, watch: Watch) -> int:
    """Train ``student`` in place to the end of the plan; return the tokens it saw.

    Dropout is off in both, and the batches and masks are those of `pretrain` by ``plan``.

    Raises:
        InputError: where the loss is not finite.
    """
    optimisers = new_optimisers(student, (), plan.params, plan.precision)
    student.eval()
    tokens = 0
    for step, batch in enumerate(batches_ahead(plan, 0)):
        set_learning_rates(optimisers, schedule(step, plan.steps, plan.params.warmup_share))
        with torch.no_grad():
            wanted = look(teacher, batch, plan)
        labels, segments = (torch.from_numpy(each) for each in (batch.labels, batch.segments))
        on = labels.to(student.device), segments.to(student.device)
        loss = distil_loss(look(student, batch, plan), wanted, *on, temperature)
        if not torch.isfinite(loss):
            raise InputError(
                f"compress: the loss of step {step + 1} is not finite; lower compress.learning_rate"
            )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), plan.params.clip_norm)
        take_step(optimisers)
        tokens += batch.tokens
        watch(step + 1, plan.steps, loss.item())
    return tokens


def look(model: Any, batch: MaskedBatch, plan: Plan) -> Seen:
    """Return a model's outputs for a batch."""
    ids, segments, positions = (
        torch.from_numpy(each).to(model.device)
        for each in (batch.ids, batch.segments, batch.positions)
    )
    with autocast(model.device, plan.precision):
        hidden = hidden_states(model, ids, segments)
        logits = logits_at(model, hidden, positions)
    return Seen(logits.float(), hidden.float())


def distil_loss(
    student: Seen,
    teacher: Seen,
    labels: torch.Tensor,
    segments: torch.Tensor,
    temperature: float,
) -> torch.Tensor:
    """Return DistilBERT's loss (Sanh et al. 2019, section 2): guesses, labels, hidden states.

    ``5 T^2 KL(p_T || q_T) + 2 CE + (1 - cos)``: the teacher's guesses softened by T (Hinton et al.
    2015, section 2, whose T^2 keeps the gradient's size) and the labels, a mean over the masked
    tokens; the cosine of the two last hidden states, a mean over all tokens but padding.
    ``labels`` are (B, M), UNUSED where nothing is masked; ``segments`` (B, T), 0 at padding.
    """
    masked = labels != UNUSED
    said = F.log_softmax(student.logits[masked] / temperature, dim=-1)  # (guesses, V)
    wanted = F.log_softmax(teacher.logits[masked] / temperature, dim=-1)
    soft = F.kl_div(said, wanted, reduction="batchmean", log_target=True) * temperature**2
    hard = F.cross_entropy(student.logits[masked], labels[masked])
    cosine = F.cosine_similarity(student.hidden, teacher.hidden, dim=-1)[segments > 0]
    return SOFT * soft + MASKED * hard + COSINE * (1 - cosine.mean())
